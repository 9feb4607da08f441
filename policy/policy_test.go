package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestZeroValuesAreTheStrictest(t *testing.T) {
	t.Parallel()
	var v policy.Verdict
	if len(v.Modes) != 0 || v.TLS != policy.Recipient {
		t.Error("a zero verdict allows something")
	}
	var c policy.Classification
	if c.NoPHI {
		t.Error("a zero classification is not PHI")
	}
	var m policy.Mode
	if m != policy.Refuse {
		t.Error("a zero mode sends")
	}
}

func TestHIPAATreatsEveryMessageAsPHI(t *testing.T) {
	t.Parallel()
	for _, class := range []policy.Classification{{}, {NoPHI: true}, {Score: 0.1}} {
		d, err := policy.HIPAA().Decide(t.Context(), &policy.Facts{Recipients: make([]policy.RecipientFacts, 3), Classification: class})
		if err != nil || len(d.Verdicts) != 3 {
			t.Fatal(d, err)
		}
		for _, v := range d.Verdicts {
			if v.TLS != policy.Recipient || len(v.Modes) != 4 || v.Modes[0] != policy.SMIME || v.Subject != policy.DefaultSubject || v.Code == "" {
				t.Errorf("%+v", v)
			}
		}
	}
}

func TestNewListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := policy.New(policy.Options{
		Modes: []policy.Mode{policy.Refuse, policy.TLS, policy.TLS, 99}, TLS: policy.Relay, Subject: "a\nb",
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Modes[0]", "Modes[2]", "Modes[3]", "TLS must", "Subject"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in: %v", want, err)
		}
	}
}

func TestDigestChangesWithEveryOption(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, o := range []policy.Options{
		{}, {TLS: policy.Attested}, {Subject: "x"}, {Modes: []policy.Mode{policy.TLS}}, {Modes: []policy.Mode{policy.TLS, policy.SMIME}},
	} {
		p, err := policy.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if seen[p.Digest()] {
			t.Errorf("%+v has the digest of another", o)
		}
		seen[p.Digest()] = true
	}
	if again, _ := policy.New(policy.Options{}); !seen[again.Digest()] {
		t.Error("the digest is not stable")
	}
}

func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	modes := []policy.Mode{policy.SMIME}
	p, err := policy.New(policy.Options{Modes: modes})
	if err != nil {
		t.Fatal(err)
	}
	modes[0] = policy.TLS
	d, _ := p.Decide(t.Context(), &policy.Facts{Recipients: make([]policy.RecipientFacts, 1)})
	if d.Verdicts[0].Modes[0] != policy.SMIME {
		t.Error("the caller's slice changes the policy")
	}
}

func TestNamesRoundTrip(t *testing.T) {
	t.Parallel()
	count := 0
	for v := range 256 {
		b := uint8(v)
		for _, n := range []struct {
			name  string
			parse func(string) (uint8, error)
		}{
			{policy.Mode(b).String(), func(s string) (uint8, error) { m, err := policy.ParseMode(s); return uint8(m), err }},
			{policy.Assurance(b).String(), func(s string) (uint8, error) { a, err := policy.ParseAssurance(s); return uint8(a), err }},
			{policy.Purpose(b).String(), func(s string) (uint8, error) { p, err := policy.ParsePurpose(s); return uint8(p), err }},
			{policy.Stream(b).String(), func(s string) (uint8, error) { p, err := policy.ParseStream(s); return uint8(p), err }},
		} {
			got, err := n.parse(n.name)
			if n.name == "invalid" || n.name == "refuse" {
				if err == nil {
					t.Errorf("%q was read", n.name)
				}
				continue
			}
			count++
			if err != nil || got != b {
				t.Errorf("%q became %d, %v; want %d", n.name, got, err, b)
			}
		}
	}
	if count != 15 {
		t.Errorf("%d names, want 15", count)
	}
	if _, err := policy.ParseMode("marker"); err == nil || strings.Contains(err.Error(), "marker") {
		t.Errorf("got %v", err)
	}
	if policy.Minors.String() != "minors" || policy.Category(0).String() != "invalid" || policy.Bcc.String() != "bcc" {
		t.Error("names of categories or kinds")
	}
}

func TestPrintedFormsHoldNothing(t *testing.T) {
	t.Parallel()
	const marker = "marker4711"
	a := mail.Address{Name: marker, Address: marker + "@x.example"}
	for _, v := range []any{
		policy.Facts{From: a, Recipients: []policy.RecipientFacts{{Address: a}}, Patients: []string{marker}},
		policy.RecipientFacts{Address: a, Patient: marker}, policy.AttachmentFacts{Name: marker},
		policy.Content{Subject: marker, Names: []string{marker}}, policy.Attachment{Name: marker},
		policy.Facts{Subject: marker}, policy.Record{Patient: marker, Address: marker, Wording: marker},
		policy.RecordQuery{Addresses: []string{marker}}, policy.Duties{
			Notices: []policy.Notice{{Text: marker}}, Header: []policy.HeaderField{{Value: marker}},
		},
	} {
		out, err := json.Marshal(v)
		if s := fmt.Sprintf("%v %+v %#v %s", v, v, v, out); err != nil || strings.Contains(s, marker) {
			t.Errorf("%T prints %s, %v", v, s, err)
		}
	}
}

func ExampleNew() {
	p, err := policy.New(policy.Options{Modes: []policy.Mode{policy.TLS}, TLS: policy.Attested})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := p.Decide(context.Background(), &policy.Facts{Recipients: make([]policy.RecipientFacts, 1)})
	fmt.Println(d.Verdicts[0].Modes, d.Verdicts[0].TLS.String(), d.Verdicts[0].Code, err)
	// Output: [tls] attested phi-transmission <nil>
}

func ExampleHIPAA() {
	d, err := policy.HIPAA().Decide(context.Background(), &policy.Facts{Recipients: make([]policy.RecipientFacts, 1)})
	fmt.Println(d.Verdicts[0].Modes, d.Verdicts[0].TLS.String(), err)
	// Output: [smime pgp tls escrow] recipient <nil>
}
