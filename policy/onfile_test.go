package policy_test

import (
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
)

// A plan ends with the records that its steps name, so a rule names those without
// which it would have objected.
func TestStepsNameTheRecordsThatLetAMessagePass(t *testing.T) {
	t.Parallel()
	const address = "ada@gmial.com" // like a provider's
	on := func(kind policy.RecordKind, patient string) policy.Record {
		return policy.Record{ID: kind.String(), Kind: kind, Patient: patient, Address: address, At: today.AddDate(0, 0, -9), Wording: "form", By: "desk"}
	}
	elsewhere := func(f *policy.Facts) {
		r := &f.Recipients[0]
		r.Address.Address, r.Records[0].Address = "ada@other.example", "ada@other.example"
	}
	verified := policy.Options{Addressing: policy.Addressing{RequireVerified: true}}
	for name, c := range map[string]struct {
		o       policy.Options
		records []policy.Record
		change  func(*policy.Facts)
		want    string
	}{
		"a look-alike was verified":  {policy.Options{}, []policy.Record{on(policy.VerifiedAddress, "")}, nil, "verified-address"},
		"on the patient's list":      {policy.Options{}, []policy.Record{on(policy.PatientAddress, "p1")}, nil, "patient-address"},
		"every address was verified": {verified, []policy.Record{on(policy.VerifiedAddress, "")}, elsewhere, "verified-address"},
		"an opt-in": {policy.Options{Marketing: policy.MarketingMail{PostalAddress: "1 Main Street"}}, []policy.Record{on(policy.VerifiedAddress, ""), on(policy.OptIn, ""), on(policy.Authorization, "p1")},
			func(f *policy.Facts) { f.Purpose, f.Subject, f.OneClick = policy.Marketing, "Offer", true }, "authorization opt-in verified-address"},
	} {
		p, err := policy.New(c.o)
		if err != nil {
			t.Fatal(err)
		}
		f := &policy.Facts{
			Time: today, From: mail.Address{Address: "no-reply@clinic.example"}, Patients: []string{"p1"}, Purpose: policy.Treatment,
			Recipients: []policy.RecipientFacts{{Address: mail.Address{Address: address}, Records: c.records}},
		}
		if c.change != nil {
			c.change(f)
		}
		d, err := p.Decide(t.Context(), f)
		if err != nil || len(d.Verdicts[0].Modes) == 0 {
			t.Errorf("%s: %v, %s", name, err, d.Verdicts[0].Code)
			continue
		}
		var got []string
		for _, s := range d.Verdicts[0].Steps {
			if s.Record != "" {
				got = append(got, s.Record)
			}
		}
		slices.Sort(got)
		if strings.Join(slices.Compact(got), " ") != c.want {
			t.Errorf("%s: the steps name %q, want %s", name, got, c.want)
		}
	}
}

func TestListsHoldDomains(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]policy.Options{
		"Domains.Deny[1]":        {Domains: policy.Domains{Deny: []string{"bad.example", "*.bad.example"}}},
		"Domains.Allow[0]":       {Domains: policy.Domains{Allow: []string{"ada@good.example"}}},
		"Domains.Internal[0]":    {Domains: policy.Domains{Internal: []string{"https://clinic.example"}}},
		"Domains.Partners[0]":    {Domains: policy.Domains{Partners: []string{""}}},
		"Addressing.Known[0]":    {Addressing: policy.Addressing{Known: []string{"clinic example"}}},
		"Visible.Together[1][0]": {Visible: policy.Visible{Together: [][]string{{"a.example"}, {"b.example."}}}},
	} {
		if _, err := policy.New(bad); err == nil || !strings.Contains(err.Error(), name+" is no domain") {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := []string{"clinic.example", ".clinic.example", "Clinic.Example", "b\u00fccher.example", "xn--bcher-kva.example", "a_b.example"}
	if _, err := policy.New(policy.Options{Domains: policy.Domains{Deny: good}}); err != nil {
		t.Error(err)
	}
}
