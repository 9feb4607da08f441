package main

import (
	"context"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// TestNumbersOfEveryCountryAreFound reads the metadata's example of each kind of
// number in each country, as it is written abroad, and those of North America as
// they are written at home.
func TestNumbersOfEveryCountryAreFound(t *testing.T) {
	t.Parallel()
	d, err := phi.New(phi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE} {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil || !phonenumbers.IsValidNumber(n) {
				continue
			}
			forms := []phonenumbers.PhoneNumberFormat{phonenumbers.INTERNATIONAL, phonenumbers.E164}
			if n.GetCountryCode() == 1 {
				forms = append(forms, phonenumbers.NATIONAL)
			}
			for _, form := range forms {
				tried++
				text := phonenumbers.Format(n, form)
				r, err := d.Report(context.Background(), &policy.Content{Text: "You can reach me at " + text + " after six."})
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Findings) != 1 || r.Findings[0].Type != "PHONE" || r.Findings[0].End-r.Findings[0].Start != len(text) {
					t.Errorf("%s, %q: found %v", region, text, r.Findings)
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d numbers were tried", tried)
	}
}
