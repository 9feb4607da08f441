module github.com/phimail/sdk/policy/rulefile

go 1.26.0

require (
	github.com/phimail/sdk v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	cel.dev/expr v0.25.1 // indirect
	github.com/antlr4-go/antlr/v4 v4.13.1 // indirect
	golang.org/x/exp v0.0.0-20240823005443-9b4947da3948 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20240826202546-f6391c0de4c7 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20240826202546-f6391c0de4c7 // indirect
	google.golang.org/protobuf v1.36.10 // indirect
)

// Conditions of rules: an expression language that ends, with limits of cost and
// size, and with errors that say where (Apache-2.0).
require cel.dev/cel-go v0.33.2

// The rule files. This parser gives the line of every value (MIT and Apache-2.0).
require go.yaml.in/yaml/v3 v3.0.6

replace github.com/phimail/sdk => ../..
