package main

const helpConfigPGP = `pgp:
  keys: [recipients.asc]         # files, directories, keyrings: armor, binary, GnuPG's keybox
  sign_key: us.asc               # our private key; without one nothing is signed inside
  passphrase_env: PGP_PASSPHRASE # or passphrase_file
  forms: [{for: partner.example, form: aead}]
                                 # for an address or a domain; the default is standard
discover:                        # keys in recipients' domains; all is off by default, since
                                 # a look-up tells others who is written to
  wkd: false                     # OpenPGP: the domain's Web Key Directory
  openpgpkey: false              # OpenPGP: the DNS (RFC 7929), with DNSSEC only
  smimea: false                  # S/MIME: the DNS (RFC 8162), with DNSSEC only
  pins: pins.jsonl               # which found key is used for whom; made when missing
  resolver: "127.0.0.1:53"       # a validating resolver; DNSSEC counts from loopback only
  ca_file: ""                    # authority of the directories' servers; default: the system's
  allow_private: false           # take servers at private and loopback addresses
  port: 443                      # where directories listen; other values are for tests
`

const helpPGPWords = `
A recipient gets OpenPGP if a key with a user ID of exactly this address is in keys,
not expired or revoked, with a part for encryption, of RSA with 2048 bits or more or
on Curve25519, P-256, P-384 or P-521. The forms: standard (what every client reads),
aead (RFC 9580: SEIPD version 2 where the key announces it, and keys of version 6,
which GnuPG and Thunderbird do not read). sign_clear: pgp signs what goes by tls.

Files come before what is discovered. A discovered key is pinned when it is first
used; another one after that is a change, which the policy refuses or holds and the
log tells of. Once somebody has made sure that the new key is right, take the lines
of that address out of pins. That file has the addresses of those who were written
to: only its owner may read it, also in a backup. OpenPGP and S/MIME are pinned apart.
`
