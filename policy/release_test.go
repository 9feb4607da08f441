package policy_test

import (
	"fmt"
	"net/mail"
	"testing"

	"github.com/phimail/sdk/policy"
)

// silent holds without a step.
type silent struct{}

func (silent) Judge(*policy.Facts, int) policy.Ruling {
	r := policy.Pass()
	r.Hold = true
	return r
}

func (silent) Doc() policy.Doc { return policy.Doc{Name: "silent"} }

func TestAReleaseIsForTheHoldsThatWereLookedAt(t *testing.T) {
	t.Parallel()
	o := policy.Options{KeyChange: policy.HoldMessage, Rules: []policy.Rule{silent{}}}
	for _, c := range []struct {
		codes []string
		held  bool
	}{
		{nil, true},
		{[]string{"hold"}, true},
		{[]string{"key-changed"}, true},
		{[]string{"key-changed", "hold"}, false},
		{[]string{"another", "hold", "key-changed"}, false},
	} {
		v := decide(t, o, &policy.Facts{
			Time: today, From: mail.Address{Address: "no-reply@clinic.example"},
			Recipients: []policy.RecipientFacts{{Address: mail.Address{Address: "ada@example.org"}, KeyChanged: true}},
			Released:   &policy.Release{Actor: policy.Actor{ID: "officer"}, Digest: "0", Codes: c.codes},
		})[0]
		if v.Hold != c.held || c.held && fmt.Sprint(v.HoldCodes()) != "[key-changed hold]" || !c.held && v.HoldCodes() != nil {
			t.Errorf("looked at %v: %t %v", c.codes, v.Hold, v.HoldCodes())
		}
	}
}
