module github.com/phimail/sdk/policy/phi/internal/genvocab

go 1.26.0

// The library itself.
require github.com/phimail/sdk v0.0.0

// Which lengths the numbers of each country have (MIT; Google's metadata,
// Apache-2.0). At run time it would cost 2.5 MB in 35,000 objects.
require github.com/nyaruka/phonenumbers v1.8.1

// Unicode's decompositions, by which letters lose their accents (BSD).
require golang.org/x/text v0.43.0

require (
	golang.org/x/net v0.62.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/phimail/sdk => ../../../..
