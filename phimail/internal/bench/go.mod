module github.com/phimail/sdk/phimail/internal/bench

go 1.26.0

require github.com/phimail/sdk v0.0.0

require (
	github.com/cloudflare/circl v1.6.3 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	software.sslmate.com/src/go-pkcs12 v0.7.4 // indirect
)

// The peers: what a user would pick instead, and what ours stands on (MIT).
require (
	github.com/emersion/go-message v0.18.2
	github.com/emersion/go-msgauth v0.7.0
	github.com/wneessen/go-mail v0.8.1
)

// The peers of crypt/smime, which users of Go have for CMS (both MIT; the second
// is the maintained fork of the first).
require (
	github.com/smallstep/pkcs7 v0.2.3
	go.mozilla.org/pkcs7 v0.10.0
)

// The peers of crypt/pgp: what it stands on, and Proton's library on that (BSD and
// MIT).
require (
	github.com/ProtonMail/go-crypto v1.5.2
	github.com/ProtonMail/gopenpgp/v3 v3.5.2
)

// The peer of the PHI detector: RE2 as a WebAssembly module (MIT).
require github.com/wasilibs/go-re2 v1.13.0

replace github.com/phimail/sdk => ../../..
