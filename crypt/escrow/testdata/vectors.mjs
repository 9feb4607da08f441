// Checks or makes the vectors of the sealed form with WebCrypto.
//
//   node vectors.mjs check ESCROW.MJS DIR   every vector of DIR/vectors.json, by the page's own code
//   node vectors.mjs make ESCROW.MJS        seals a request from standard input, for the vectors "by": "webcrypto"
import { readFileSync } from "node:fs";

const escrow = await import(process.argv[3]);
const text = new TextEncoder();

// pattern is the plaintext of n bytes that the vectors use.
const pattern = (n) => Uint8Array.from({ length: n }, (_, i) => Math.floor((i * 7) / 3) & 255);
const same = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);
const hex = (s) => Uint8Array.from(s.match(/../g) || [], (h) => parseInt(h, 16));

// stream yields bytes in pieces that end nowhere in particular.
function stream(bytes) {
  let at = 0;
  return new ReadableStream({
    pull(c) {
      if (at >= bytes.length) return c.close();
      c.enqueue(bytes.slice(at, at + 5003));
      at += 5003;
    },
  });
}

async function check(dir) {
  const { vectors } = JSON.parse(readFileSync(dir + "/vectors.json"));
  let failed = 0;
  for (const v of vectors) {
    const known = ["name", "by", "link", "share", "passcode", "iterations", "salt", "access", "proof", "size", "file", "pieces", "flip", "opens"];
    const strange = Object.keys(v).filter((k) => !known.includes(k));
    if (strange.length) throw new Error("unknown fields: " + strange);
    const link = escrow.parseLink(v.link);
    const stored = new Uint8Array(readFileSync(dir + "/" + v.file));
    const parts = v.pieces.map(([from, to]) => stored.subarray(from, to));
    const sealed = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    parts.reduce((at, p) => (sealed.set(p, at), at + p.length), 0);
    if (v.flip >= 0) sealed[v.flip] ^= 1;
    const salt = escrow.decode(v.salt);
    const stretched = v.iterations ? await escrow.stretch(link, salt, v.iterations, v.passcode) : null;
    let opened = null;
    try {
      opened = await escrow.openSealed(link, stretched, stream(Uint8Array.from([...escrow.decode(v.share), ...sealed])), null);
    } catch (e) {
      if (!(e instanceof escrow.Damaged)) throw e;
    }
    const problems = [];
    if (escrow.encode(await escrow.access(link)) !== v.access) problems.push("access");
    if (stretched && escrow.encode(await escrow.proof(stretched, salt)) !== v.proof) problems.push("proof");
    if (v.opens ? !opened || !same(opened, pattern(v.size)) : opened) problems.push(v.opens ? "does not open" : "opens");
    if (problems.length) {
      failed++;
      console.error(v.name + ": " + problems);
    }
  }
  console.log(JSON.stringify({ checked: vectors.length, failed }));
}

// make seals with WebCrypto what the page would open.
async function make() {
  const q = JSON.parse(readFileSync(0));
  const link = escrow.parseLink(q.link);
  const salt = escrow.decode(q.salt);
  const share = escrow.decode(q.share);
  const stretched = q.iterations ? await escrow.stretch(link, salt, q.iterations, q.passcode) : new Uint8Array();
  const header = new Uint8Array(76);
  header.set(text.encode("phimail escrow 1"));
  header.set(hex(link.id), 16);
  header.set(salt, 32);
  new DataView(header.buffer).setUint32(64, q.iterations);
  new DataView(header.buffer).setBigUint64(68, BigInt(q.size));
  const ikm = Uint8Array.from([...link.secret, ...share, ...stretched]);
  const base = await crypto.subtle.importKey("raw", ikm, "HKDF", false, ["deriveKey"]);
  const params = { name: "HKDF", hash: "SHA-256", salt, info: text.encode("phimail escrow 1 content") };
  const key = await crypto.subtle.deriveKey(params, base, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const out = [...header];
  const plain = pattern(q.size);
  const count = Math.max(1, Math.ceil(q.size / 65536));
  for (let i = 0; i < count; i++) {
    const aad = new Uint8Array(85);
    aad.set(header);
    new DataView(aad.buffer).setBigUint64(76, BigInt(i));
    aad[84] = i === count - 1 ? 1 : 0;
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const chunk = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: aad }, key, plain.subarray(i * 65536, (i + 1) * 65536));
    out.push(...iv);
    for (const b of new Uint8Array(chunk)) out.push(b);
  }
  process.stdout.write(Uint8Array.from(out));
}

await (process.argv[2] === "check" ? check(process.argv[4]) : make());
