// Decrypts an OpenPGP message with a key, verifies the signature inside and
// writes the content: node receive.cjs KEY SIGNER MESSAGE
'use strict';

const fs = require('fs');
const openpgp = require('openpgp');

async function main() {
  const [key, signer, message] = process.argv.slice(2).map((f) => fs.readFileSync(f, 'utf8'));
  const { data, signatures } = await openpgp.decrypt({
    message: await openpgp.readMessage({ armoredMessage: message }),
    decryptionKeys: await openpgp.readPrivateKey({ armoredKey: key }),
    verificationKeys: await openpgp.readKey({ armoredKey: signer }),
    expectSigned: true,
    format: 'binary',
  });
  await signatures[0].verified;
  fs.writeSync(1, data);
}

if (process.argv.length === 2) {
  console.log(openpgp.config.versionString);
} else {
  main().catch((e) => {
    console.error(e.message);
    process.exitCode = 1;
  });
}
