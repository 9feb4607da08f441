package policy_test

import (
	"fmt"
	"net/mail"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
)

// BenchmarkDecide: a message to 20 recipients under 30 rules, with 100,000
// suppression records on file. The figures by recipient are what counts.
func BenchmarkDecide(b *testing.B) {
	set, store, f, q := busyDay(b)
	b.ReportAllocs()
	for b.Loop() {
		busy(b, set, store, f, q)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20, "ns/recipient")
}

// thirty are as many rules as make 30 with the built-in ones.
func thirty(tb testing.TB) []policy.Rule {
	tb.Helper()
	var list []policy.Rule
	for i := range 14 {
		h := policy.House{Name: fmt.Sprintf("house-%d", i), Then: policy.Demand{Hold: true}}
		h.When = func(f *policy.Facts, k int) (bool, error) {
			return f.Size > 1<<20 && f.Recipients[k].Kind == policy.To, nil
		}
		if i == 0 {
			h.When, h.Then = nil, policy.Demand{Notice: policy.Notice{ID: "footer", Text: "Riverside Clinic"}}
		}
		r, err := h.Rule()
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func suppressions(tb testing.TB, n int) policy.Records {
	tb.Helper()
	store := &records.Memory{}
	list := make([]policy.Record, n)
	for i := range list {
		list[i] = policy.Record{
			ID: fmt.Sprintf("r%d", i), Tenant: "t", Kind: policy.Unsubscribe, Address: fmt.Sprintf("person%d@mail.example", i),
			By: "one-click", At: today.AddDate(0, -1, 0), Source: "one-click",
		}
	}
	if err := store.Add(tb.Context(), list...); err != nil {
		tb.Fatal(err)
	}
	return store
}

// busyDay is the set-up of the benchmark.
func busyDay(tb testing.TB) (*policy.RuleSet, policy.Records, *policy.Facts, policy.RecordQuery) {
	tb.Helper()
	set, err := policy.New(policy.Options{Rules: thirty(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	f := &policy.Facts{
		Time: today, Tenant: "t", From: mail.Address{Address: "no-reply@clinic.example"}, Purpose: policy.Treatment,
		Patients: []string{"p1"}, Classification: policy.Classification{Score: 1, Codes: []string{"all"}},
		Attachments: make([]policy.AttachmentFacts, 2), Size: 50_000,
	}
	q := policy.RecordQuery{Tenant: "t", Patients: f.Patients}
	for i := range 20 {
		a := mail.Address{Address: fmt.Sprintf("person%d@mail.example", i*5000)}
		f.Recipients = append(f.Recipients, policy.RecipientFacts{
			Address: a, Kind: policy.Bcc,
			Offer: &policy.OfferFacts{TLS: true, Provider: policy.Party{
				Name: "Relay Inc", Role: "transport", Agreement: &policy.Agreement{Document: "d", Signed: today.AddDate(-1, 0, 0)},
			}},
		})
		q.Addresses = append(q.Addresses, policy.AddressKey(a))
	}
	return set, suppressions(tb, 100_000), f, q
}

// busy finds the records and decides.
func busy(tb testing.TB, set *policy.RuleSet, store policy.Records, f *policy.Facts, q policy.RecordQuery) {
	tb.Helper()
	found, err := store.Find(tb.Context(), q)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range f.Recipients {
		r := &f.Recipients[i]
		r.Records = r.Records[:0]
		for _, rec := range found {
			if rec.Address == q.Addresses[i] {
				r.Records = append(r.Records, rec)
			}
		}
	}
	d, err := set.Decide(tb.Context(), f)
	if err != nil || len(d.Verdicts) != 20 {
		tb.Fatal(err)
	}
}

func TestDecisionsAllocateLittle(t *testing.T) { //nolint:paralleltest // allocations of others would count
	set, store, f, q := busyDay(t)
	if n := len(set.Rules()); n != 30 {
		t.Errorf("%d rules, want 30", n)
	}
	if n := testing.AllocsPerRun(20, func() { busy(t, set, store, f, q) }) / 20; n > 30 {
		t.Errorf("%.1f allocations a recipient, want 30 at most", n)
	}
}
