// Package smime is the sealer for S/MIME: messages that are signed, then
// encrypted, with protected headers, and a reader for such messages.
//
// It follows RFC 8551 (S/MIME 4.0) and RFC 8550 (its certificates), RFC 5652
// (CMS), RFC 5083 and RFC 5084 (AES-GCM), RFC 5753 (elliptic curves), RFC 5280
// (certificates and revocation lists), RFC 9598 (international addresses in
// certificates) and RFC 9788 (header protection).
//
// [New] makes a [Sealer] of a [KeySource] with recipients' certificates, the
// trust anchors that these must lead to, and a [SignerSource] with keys of our
// own. [CertificateFiles], [AnchorFiles], [RevocationFiles] and [IdentityFiles]
// read them from files, and notice when these change.
//
// A certificate is used for a recipient only if all of this holds; else Find
// says what does not, by one of package crypt's reasons:
//
//   - It is for the address: an rfc822Name or SmtpUTF8Mailbox of its subject's
//     alternative names is the address. The case of the local part counts
//     (RFC 5280 section 7.5, RFC 9598 section 5), that of the domain does not.
//   - Its key is RSA, or elliptic on P-256 or P-384.
//   - RSA keys in its chain have 2048 bits or more, elliptic ones 256 or more,
//     and no signature in it is made with SHA-1 or MD5.
//   - It says emailProtection. A certificate without a purpose, or for any, would
//     do for RFC 8550 section 4.4.4; here it does not.
//   - It says keyEncipherment if the key is RSA, keyAgreement and not
//     encipherOnly if it is elliptic (RFC 8550 section 4.4.2).
//   - It is in date.
//   - It leads to a configured trust anchor.
//   - Nothing in its chain is revoked, where Config.Revocation is set.
//
// Of several that may be used the newest is, by the begin of its validity.
// There is no other choice and no fallback.
package smime
