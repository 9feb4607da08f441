module github.com/phimail/sdk

go 1.26.0

// Each dependency with its reason. Licences: MIT or BSD.

// OpenPGP, of RFC 9580 with its keys of version 6 and ML-KEM (BSD).
require github.com/ProtonMail/go-crypto v1.5.2

// MIME headers and bodies, and their parsing (MIT).
require github.com/emersion/go-message v0.18.2

// DKIM canonicalization, format and verification (MIT).
require github.com/emersion/go-msgauth v0.7.0

// The DNS on the wire, TLSA and DNSSEC's flags included (BSD). Version 2 has
// another module path, which the module proxies do not serve yet; version 1
// still gets its fixes.
require github.com/miekg/dns v1.1.73

// The reading and writing of ASN.1 for CMS, and OCSP answers that a relay
// staples to its handshake (BSD).
require golang.org/x/crypto v0.58.0

// Signed notes, the format of checkpoints (BSD).
require golang.org/x/mod v0.42.0

// Internationalized domain names (BSD).
require golang.org/x/net v0.62.0

// File locks between processes (BSD).
require golang.org/x/sys v0.49.0

// Character sets and normal forms of foreign text (BSD).
require golang.org/x/text v0.43.0

// PKCS#12, the files in which certificate authorities hand out signing keys
// (BSD).
require software.sslmate.com/src/go-pkcs12 v0.7.4

// Tests only: no goroutine is left behind (MIT).
require go.uber.org/goleak v1.3.0

require (
	github.com/cloudflare/circl v1.6.3 // indirect
	github.com/stretchr/testify v1.11.1 // indirect
)
