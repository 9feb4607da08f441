module github.com/phimail/sdk/phimail/internal/bench

go 1.26.0

require github.com/phimail/sdk v0.0.0

require (
	github.com/emersion/go-msgauth v0.7.0 // indirect
	github.com/wneessen/go-mail v0.8.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/phimail/sdk => ../../..
