// Package keyfind finds keys of recipients in their domains: OpenPGP keys in a Web
// Key Directory (draft-koch-openpgp-webkey-service) and in the DNS (OPENPGPKEY,
// RFC 7929), certificates for S/MIME in the DNS (SMIMEA, RFC 8162). It remembers
// which found key is used for whom ([Pins]).
//
// Everything is off until it is asked for, and for a reason: a look-up tells a
// third party who is written to. A Web Key Directory sees the address and when
// somebody writes to it; resolvers and name servers see a hash of the address
// that is easily guessed. For a clinic's mail this may itself be health data.
// Where keys are known otherwise (files, a patient database, LDAP) prefer a
// KeySource of crypt/pgp or crypt/smime of your own; files are asked first.
//
// What a source proves:
//
//   - A Web Key Directory: that whoever controls the domain's web server offers
//     this key (TLS with the Web's authorities).
//   - OPENPGPKEY and SMIMEA: that whoever controls the domain's zone does, by
//     DNSSEC through a resolver that is trusted to validate. An answer without
//     that proof is crypt.ErrUnproven and never used.
//
// None of them proves that the person holds the key: a domain can read the mail
// of its users in any case, and those who break into it can. So the key that is
// used first is pinned, and another one is a change, which the host's policy
// accepts, holds or refuses. Pins are kept for each mode: the first certificate that
// is found for somebody with a pinned OpenPGP key is pinned too, and is no change. If
// that matters, switch on the sources of one mode only.
//
// This package only fetches. Whether a key may be used (the right user ID, not
// expired, …) is for the sealer that gets it.
package keyfind
