package compose

import "golang.org/x/net/idna"

// CheckAllowed reports whether name may stand in Rules.AllowHeaders.
func CheckAllowed(name string) error {
	if !isFieldName(name) || isOwned(name) {
		return &FaultError{Field: "AllowHeaders", Reason: "is no name of a field that a message may set"}
	}
	return nil
}

// ASCIIDomain returns the A-label form of a normalized domain, for places that
// take nothing else.
func ASCIIDomain(domain string) string {
	ascii, err := idna.Registration.ToASCII(domain)
	if err != nil {
		return "invalid"
	}
	return ascii
}
