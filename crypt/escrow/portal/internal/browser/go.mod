module github.com/phimail/sdk/crypt/escrow/portal/internal/browser

go 1.26.0

// Until the first tag.
replace github.com/phimail/sdk => ../../../../..

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/phimail/sdk v0.0.0
)

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	golang.org/x/text v0.43.0 // indirect
)

// A browser that tests drive (MIT).
require github.com/chromedp/chromedp v0.23.0
