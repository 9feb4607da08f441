package phimail_test

import (
	"fmt"
	"net/mail"
	"path/filepath"
	"testing"
	"time"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records/recordfile"
)

const (
	benchRecipients   = 20
	benchRules        = 30
	benchSuppressions = 100_000
)

// houseRule is an organisation's own, which looks at the recipient.
type houseRule struct{ n int }

func (r houseRule) Judge(f *policy.Facts, i int) policy.Ruling {
	if f.Recipients[i].Address.Address == "nobody@x.example" {
		return policy.Ruling{}
	}
	return policy.Pass()
}

func (r houseRule) Doc() policy.Doc {
	return policy.Doc{Name: fmt.Sprintf("house-%d", r.n), Title: "x", What: "x", Source: "x", Default: "x", Change: "x", Setting: "-"}
}

// decisions is a message with 20 recipients, 30 rules and 100,000 suppressions in
// a file. The function looks up and decides once.
func decisions(tb testing.TB) func() {
	tb.Helper()
	store, err := recordfile.Open(recordfile.Config{Path: filepath.Join(tb.TempDir(), "suppress.jsonl"), Tenant: "riverside"})
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	list := make([]policy.Record, benchSuppressions)
	for i := range list {
		list[i] = policy.Record{
			ID: fmt.Sprintf("rec-%d", i), Tenant: "riverside", Kind: policy.Bounce, Address: fmt.Sprintf("p%d@x.example", i), By: "svc", At: now.AddDate(0, 0, -1),
		}
	}
	if err := store.Add(tb.Context(), list...); err != nil {
		tb.Fatal(err)
	}
	builtIn, err := policy.New(policy.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	o := policy.Options{}
	for n := range benchRules - len(builtIn.Rules()) {
		o.Rules = append(o.Rules, houseRule{n})
	}
	rules, err := policy.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	if n := len(rules.Rules()); n < benchRules {
		tb.Fatalf("%d rules", n)
	}
	facts := &policy.Facts{
		Time: now, Tenant: "riverside", Purpose: policy.Treatment, Patients: []string{"pat-1"}, Size: 10_000, Together: true,
		From: mail.Address{Address: "no-reply@clinic.example"}, Recipients: make([]policy.RecipientFacts, benchRecipients),
	}
	q := policy.RecordQuery{Tenant: "riverside", Patients: facts.Patients}
	for i := range facts.Recipients {
		a := mail.Address{Address: fmt.Sprintf("q%d@x.example", i)}
		if i == 7 {
			a.Address = "p777@x.example"
		}
		facts.Recipients[i] = policy.RecipientFacts{Address: a, Offer: &policy.OfferFacts{Transport: "smtp", TLS: true}}
		q.Addresses = append(q.Addresses, policy.AddressKey(a))
	}
	return func() {
		found, err := store.Find(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		for i := range facts.Recipients {
			r := &facts.Recipients[i]
			r.Records = r.Records[:0]
			for _, rec := range found {
				if rec.Address == q.Addresses[i] {
					r.Records = append(r.Records, rec)
				}
			}
		}
		d, err := rules.Decide(tb.Context(), facts)
		if err != nil || len(d.Verdicts[6].Modes) == 0 || len(d.Verdicts[7].Modes) != 0 {
			tb.Fatal("not what was to be decided", err)
		}
	}
}

func BenchmarkDecisions(b *testing.B) {
	decide := decisions(b)
	b.ReportAllocs()
	for b.Loop() {
		decide()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRecipients), "ns/recipient")
}

func TestDecisionsAllocateLittle(t *testing.T) { //nolint:paralleltest // it counts allocations
	decide := decisions(t)
	const most = 30
	if n := testing.AllocsPerRun(100, decide) / benchRecipients; n > most {
		t.Errorf("%.1f allocations a recipient, want %d at most", n, most)
	}
}
