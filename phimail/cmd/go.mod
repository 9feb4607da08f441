module github.com/phimail/sdk/phimail/cmd

go 1.26.0

require github.com/phimail/sdk v0.0.0

require github.com/miekg/dns v1.1.73 // indirect

// The configuration file. YAML is what operators expect of a file that people
// write; this parser is the maintained one (MIT and Apache-2.0, no dependency of
// its own) and gives the line of every key and value, which the strict reading
// here rests on.
require go.yaml.in/yaml/v3 v3.0.6

// Rule files, with conditions in CEL.
require github.com/phimail/sdk/policy/rulefile v0.0.0

// The organisational domain of a From domain (the Public Suffix List), for
// doctor's look at DMARC. The library depends on it anyway.
require golang.org/x/net v0.62.0

// Tests only: no goroutine outlives a run.
require go.uber.org/goleak v1.3.0

require (
	cel.dev/cel-go v0.33.2 // indirect
	cel.dev/expr v0.25.1 // indirect
	github.com/ProtonMail/go-crypto v1.5.2 // indirect
	github.com/antlr4-go/antlr/v4 v4.13.1 // indirect
	github.com/cloudflare/circl v1.6.3 // indirect
	github.com/emersion/go-message v0.18.2 // indirect
	github.com/emersion/go-msgauth v0.7.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/exp v0.0.0-20240823005443-9b4947da3948 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20240826202546-f6391c0de4c7 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20240826202546-f6391c0de4c7 // indirect
	google.golang.org/protobuf v1.36.10 // indirect
	software.sslmate.com/src/go-pkcs12 v0.7.4 // indirect
)

replace github.com/phimail/sdk => ../..

replace github.com/phimail/sdk/policy/rulefile => ../../policy/rulefile
