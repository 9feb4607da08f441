// Package escrow seals a message into a store and replaces it by a notification
// with a link, for recipients who have no key: they read it on a web page that
// its operator can't read.
//
// [Sealer] is the crypt.Sealer; crypt/escrow/portal serves the page, by way of a
// [Gate]; a [Desk] recalls, unlocks and destroys. escrowdir, escrowmem and
// escrowsql are stores.
//
// # What protects a message
//
// The key of an item is derived from three things (HKDF-SHA256): a secret in the
// link's fragment, which a browser does not send; a share that the server holds;
// and, by default, a passcode that is told by another way (PBKDF2). So
//
//   - who has the store, the portal's logs or its memory, and no link, reads
//     nothing;
//   - who has the link, and neither the server's share nor the factor, reads
//     nothing;
//   - once the share is erased nobody reads anything, with whatever copy of the
//     ciphertext.
//
// The whole message is sealed, its subject and attachments too, in chunks of
// AES-256-GCM that can't be altered, left out, moved or swapped unnoticed. All
// primitives are approved by FIPS 140-3, and native in browsers (WebCrypto).
//
// # What does not
//
//   - The link is in an e-mail. Services that check links, or rewrite them, may
//     see the fragment. So the link alone opens an item only where the
//     notification's way was at least attested, and nothing specially protected
//     is inside; else there is a second factor, whatever is configured.
//   - A passcode is part of the key. A one-time code and a login are not: they
//     are a gate at the server. An operator who changes the server's code, and
//     has the link, gets past them.
//   - The page is the operator's. One who serves a changed script to a reader
//     can have what that reader types and reads.
//   - Who copies the store with the shares, and has a link too, can try passcodes
//     without the server's limit: 50 random bits, stretched.
//   - To erase is as good as the storage: a file system's snapshots, a database's
//     logs and backups of the shares keep what was erased. Keep shares apart, and
//     out of backups.
//   - The server knows when an item was read, from which network, and its size.
package escrow
