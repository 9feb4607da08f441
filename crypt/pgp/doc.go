// Package pgp is the sealer for OpenPGP: messages that are signed and encrypted
// as PGP/MIME, with protected headers, and a reader for such messages.
//
// It follows RFC 3156 (PGP/MIME), RFC 9580 (OpenPGP), draft-ietf-openpgp-pqc
// (ML-KEM) and RFC 9788 (header protection), on github.com/ProtonMail/go-crypto.
//
// [New] makes a [Sealer] of a [KeySource] with recipients' keys and a
// [SignerSource] with keys of our own. [KeyFiles] and [SignerFiles] read them
// from files, and notice when these change.
//
// A key is used for a recipient only if all of this holds; else Find says what
// does not, by one of package crypt's reasons:
//
//   - A user ID with a valid self-signature, not revoked, has the address. The
//     case of the local part counts, that of the domain does not.
//   - The key and its subkeys are RSA of 2048 bits or more, Curve25519, P-256,
//     P-384 or P-521, Curve448, or ML-KEM with X25519 or X448; no self-signature
//     counts that is made with SHA-1 or MD5.
//   - The key is not revoked and not expired.
//   - It has a subkey for encrypting communication that is neither, or is such a
//     key itself. Of several the newest is used; of two made at once, the one
//     that a quantum computer does not break.
//   - A key of version 6 is used only where a [FormRule] allows it.
//
// # What clients read
//
// Content is encrypted with AES-256 in a packet with a modification detection
// code (SEIPD version 1), as every client reads it. AEAD (SEIPD version 2) and
// keys of version 6 have to be allowed for a recipient or a domain by [AEAD],
// since GnuPG, and RNP in Thunderbird, can't read them even where a key announces
// them. LibrePGP's packet 20 is never written nor read. CLIENTS.md, which a test
// writes, says which client reads what.
//
// Nothing is compressed, since sizes tell of content. Recipients' key ids stand in
// the message, so that a Bcc recipient needs a message of their own; package
// phimail sees to that.
//
// # Harvest now, decrypt later
//
// Whoever keeps a message until there is a quantum computer can then read what
// was encrypted to RSA and elliptic keys, and health data is sensitive for longer
// than that may take. Only a message whose recipients all have ML-KEM keys is
// protected against that: one recipient with another key is enough to open it, so
// such recipients share no message with others. What stays open in any case are
// the addresses, the date, the size and the key ids. Signatures are not concerned:
// forging one later changes nothing in what was said before. OpenPGP keys also
// have no forward secrecy: who gets at a private key reads all that was sent to it.
//
// # FIPS 140-3
//
// OpenPGP does not work under GODEBUG=fips140=only, and [New] refuses to start
// there.
package pgp
