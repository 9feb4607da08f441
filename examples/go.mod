module github.com/phimail/sdk/examples

go 1.26.0

require github.com/phimail/sdk v0.0.0

require (
	github.com/emersion/go-message v0.18.2 // indirect
	github.com/miekg/dns v1.1.73 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

// The relay that the examples start in their own process, and its checks of the
// DKIM signatures.
require (
	github.com/emersion/go-msgauth v0.7.0
	github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6
	github.com/emersion/go-smtp v0.25.1
)

// The reminder's -config file, as the command's: YAML with the line of each
// fault (MIT and Apache-2.0, no dependency of its own).
require go.yaml.in/yaml/v3 v3.0.6

// Tests only: no goroutine is left behind, and an independent way to write
// internationalized domains.
require (
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.62.0
)

replace github.com/phimail/sdk => ..
