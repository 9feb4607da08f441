package policy_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/phimail/sdk/policy"
)

func TestRulingsFormASemilattice(t *testing.T) {
	t.Parallel()
	all := sampleRulings()
	for i, a := range all {
		if got := a.And(a); !reflect.DeepEqual(got, a) {
			t.Errorf("%d is not idempotent: %+v became %+v", i, a, got)
		}
		if got := a.And(policy.Pass()); !reflect.DeepEqual(got, a) {
			t.Errorf("Pass changes %d: %+v", i, got)
		}
		for j, b := range all {
			ab := a.And(b)
			if ba := b.And(a); !reflect.DeepEqual(ab, ba) {
				t.Errorf("%d and %d do not commute: %+v, %+v", i, j, ab, ba)
			}
			if looser(ab, a) || looser(ab, b) {
				t.Errorf("%d and %d give something looser: %+v", i, j, ab)
			}
			for k, c := range all {
				if l, r := ab.And(c), a.And(b.And(c)); !reflect.DeepEqual(l, r) {
					t.Errorf("%d, %d, %d do not associate: %+v, %+v", i, j, k, l, r)
				}
			}
		}
	}
}

// looser reports whether a allows what b does not.
func looser(a, b policy.Ruling) bool {
	return a.Modes&^b.Modes != 0 || a.TLS > b.TLS || b.Hold && !a.Hold || b.SecondFactor && !a.SecondFactor ||
		b.ReplaceSubject && !a.ReplaceSubject || len(a.Notices) < len(b.Notices) || len(a.Header) < len(b.Header) ||
		len(a.Rename) < len(b.Rename) || len(a.Steps) < len(b.Steps)
}

func sampleRulings() []policy.Ruling {
	steps := []policy.Step{{Rule: "a", Code: "x", Effect: "hold", Facts: []string{"f"}}, {Rule: "a", Code: "y"}, {Rule: "b"}}
	notices := []policy.Notice{{ID: "n", Text: "1"}, {ID: "n", Text: "2"}, {ID: "o"}}
	return []policy.Ruling{
		{}, policy.Pass(),
		{Modes: policy.Sealed, TLS: policy.Relay, Steps: steps[:1]},
		{Modes: policy.ModesOf(policy.TLS, policy.Escrow), TLS: policy.Attested, Steps: steps[1:]},
		{Modes: policy.EveryMode, Duties: policy.Duties{Hold: true, Notices: notices[1:], Rename: []int{0, 4}}, Steps: steps[:2]},
		{Modes: policy.ModesOf(policy.Escrow), Duties: policy.Duties{SecondFactor: true, Notices: notices[:2], Rename: []int{2}}},
		{Modes: policy.EveryMode, TLS: policy.Relay, Duties: policy.Duties{ReplaceSubject: true, Header: []policy.HeaderField{{Name: "A"}, {Name: "B", Value: "1"}}}},
		{Modes: policy.EveryMode, TLS: policy.Attested, Duties: policy.Duties{Header: []policy.HeaderField{{Name: "B", Value: "0"}}}, Steps: steps},
	}
}

func TestModeSet(t *testing.T) {
	t.Parallel()
	s := policy.ModesOf(policy.Refuse, policy.TLS, policy.Escrow, 99)
	if s.String() != "tls+escrow" || s.Has(policy.Refuse) || s.Has(policy.PGP) || s.Has(99) || !s.Has(policy.TLS) || policy.ModeSet(0).String() != "none" {
		t.Errorf("got %s", s)
	}
}

func TestRecordsInForce(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	consent := policy.Record{ID: "c1", Kind: policy.PlainEmail, Patient: "p1", Address: "a@x.example", At: day(2), Wording: "form 7"}
	with := func(change func(*policy.Record)) policy.Record {
		r := consent
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		records []policy.Record
		at      int
		want    string
	}{
		"nothing":                     {nil, 5, ""},
		"in force":                    {[]policy.Record{consent}, 5, "c1"},
		"on its day":                  {[]policy.Record{consent}, 2, "c1"},
		"of tomorrow":                 {[]policy.Record{consent}, 1, ""},
		"undated":                     {[]policy.Record{with(func(r *policy.Record) { r.At = time.Time{} })}, 5, ""},
		"expired":                     {[]policy.Record{with(func(r *policy.Record) { r.Expires = day(5) })}, 5, ""},
		"an older one still holds":    {[]policy.Record{consent, with(func(r *policy.Record) { r.ID, r.At, r.Expires = "c2", day(3), day(4) })}, 5, "c1"},
		"the newest":                  {[]policy.Record{with(func(r *policy.Record) { r.ID, r.At = "c2", day(3) }), consent}, 5, "c2"},
		"withdrawn":                   {[]policy.Record{consent, with(func(r *policy.Record) { r.Withdrawn, r.At = true, day(3) })}, 5, ""},
		"withdrawn at once":           {[]policy.Record{consent, with(func(r *policy.Record) { r.Withdrawn = true })}, 5, ""},
		"withdrawn tomorrow":          {[]policy.Record{consent, with(func(r *policy.Record) { r.Withdrawn, r.At = true, day(6) })}, 5, "c1"},
		"given anew":                  {[]policy.Record{consent, with(func(r *policy.Record) { r.Withdrawn, r.At = true, day(3) }), with(func(r *policy.Record) { r.ID, r.At = "c3", day(4) })}, 5, "c3"},
		"withdrawn for all addresses": {[]policy.Record{consent, with(func(r *policy.Record) { r.Withdrawn, r.At, r.Address = true, day(3), "" })}, 5, ""},
		"another's withdrawal":        {[]policy.Record{consent, with(func(r *policy.Record) { r.Withdrawn, r.At, r.Patient = true, day(3), "p2" })}, 5, "c1"},
		"a withdrawal of nobody":      {[]policy.Record{consent, with(func(r *policy.Record) { r.Withdrawn, r.At, r.Patient, r.Address = true, day(3), "", "" })}, 5, "c1"},
		"another kind":                {[]policy.Record{with(func(r *policy.Record) { r.Kind = policy.OptIn })}, 5, ""},
		"another patient":             {[]policy.Record{with(func(r *policy.Record) { r.Patient = "p2" })}, 5, ""},
		"another address":             {[]policy.Record{with(func(r *policy.Record) { r.Address = "b@x.example" })}, 5, ""},
		"any address":                 {[]policy.Record{with(func(r *policy.Record) { r.Address = "" })}, 5, "c1"},
		"any patient":                 {[]policy.Record{with(func(r *policy.Record) { r.Patient = "" })}, 5, ""},
		"without wording":             {[]policy.Record{with(func(r *policy.Record) { r.Wording = "" })}, 5, ""},
		"of nobody":                   {[]policy.Record{with(func(r *policy.Record) { r.Patient, r.Address = "", "" })}, 5, ""},
	} {
		got := ""
		if r := policy.InForce(c.records, policy.PlainEmail, "p1", "a@x.example", day(c.at)); r != nil {
			got = r.ID
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
