package recordindex_test

import (
	"slices"
	"testing"
	"time"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/internal/recordindex"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func record(tenant, id, address, patient string, day int) *policy.Record {
	return &policy.Record{Tenant: tenant, ID: id, Address: address, Patient: patient, At: start.AddDate(0, 0, day)}
}

func ids(list []policy.Record) []string {
	var out []string
	for i := range list {
		out = append(out, list[i].ID)
	}
	return out
}

func TestFindsByAddressAndPatientOfOneTenant(t *testing.T) {
	t.Parallel()
	var x recordindex.Index
	for _, r := range []*policy.Record{
		record("a", "late", "ada@x.example", "", 9),
		record("a", "both", "ada@x.example", "p1", 5),
		record("a", "early", "", "p1", 1),
		record("a", "same-day", "ada@x.example", "", 5),
		record("b", "foreign", "ada@x.example", "p1", 2),
		record("a", "other", "bea@x.example", "p2", 3),
		record("a", "nobody", "", "", 4),
	} {
		if !x.Add(r) {
			t.Errorf("%s was not added", r.ID)
		}
	}
	for name, c := range map[string]struct {
		q    policy.RecordQuery
		want []string
	}{
		"an address":                 {policy.RecordQuery{Tenant: "a", Addresses: []string{"ada@x.example"}}, []string{"both", "same-day", "late"}},
		"a patient":                  {policy.RecordQuery{Tenant: "a", Patients: []string{"p1"}}, []string{"early", "both"}},
		"both, each record once":     {policy.RecordQuery{Tenant: "a", Addresses: []string{"ada@x.example", "ada@x.example"}, Patients: []string{"p1"}}, []string{"early", "both", "same-day", "late"}},
		"another tenant":             {policy.RecordQuery{Tenant: "b", Addresses: []string{"ada@x.example"}, Patients: []string{"p1", "p2"}}, []string{"foreign"}},
		"an address is no patient":   {policy.RecordQuery{Tenant: "a", Addresses: []string{"p1"}, Patients: []string{"ada@x.example"}}, nil},
		"no address, and no patient": {policy.RecordQuery{Tenant: "a", Addresses: []string{""}, Patients: []string{""}}, nil},
		"nothing":                    {policy.RecordQuery{Tenant: "a"}, nil},
		"the tenant without a name":  {policy.RecordQuery{Addresses: []string{"ada@x.example"}}, nil},
	} {
		if got := x.Find(c.q); !slices.Equal(ids(got), c.want) || len(got) == 0 && got != nil {
			t.Errorf("%s: %v, want %v", name, ids(got), c.want)
		}
	}
	if x.Len() != 7 || x.At(1).ID != "both" {
		t.Errorf("%d records, the second is %s", x.Len(), x.At(1).ID)
	}
}

func TestAnIDIsOfOneRecordATenant(t *testing.T) {
	t.Parallel()
	var x recordindex.Index
	if x.Has("a", "1") || x.Find(policy.RecordQuery{Tenant: "a", Addresses: []string{"ada@x.example"}}) != nil {
		t.Error("the empty index holds something")
	}
	for i, c := range []struct {
		r     *policy.Record
		added bool
	}{
		{record("a", "1", "ada@x.example", "", 1), true},
		{record("a", "1", "bea@x.example", "", 2), false},
		{record("b", "1", "ada@x.example", "", 3), true},
		{record("a", "", "ada@x.example", "", 4), true},
		{record("a", "", "ada@x.example", "", 5), true},
	} {
		if x.Add(c.r) != c.added {
			t.Errorf("record %d: added is not %t", i, c.added)
		}
	}
	if x.Len() != 4 || !x.Has("a", "1") || !x.Has("b", "1") || x.Has("c", "1") || x.Has("a", "2") || x.Has("a", "") {
		t.Errorf("%d records, or IDs are not of their tenants", x.Len())
	}
	if got := x.Find(policy.RecordQuery{Tenant: "a", Addresses: []string{"bea@x.example"}}); got != nil {
		t.Errorf("a record that was not added is found: %v", ids(got))
	}
}

func TestWhatIsFoundIsACopy(t *testing.T) {
	t.Parallel()
	var x recordindex.Index
	r := record("a", "1", "ada@x.example", "", 1)
	r.Modes = []policy.Mode{policy.PGP}
	x.Add(r)
	q := policy.RecordQuery{Tenant: "a", Addresses: []string{"ada@x.example"}}
	x.Find(q)[0].Modes[0] = policy.TLS
	if got := x.Find(q)[0].Modes; !slices.Equal(got, []policy.Mode{policy.PGP}) {
		t.Errorf("a caller changed what is on file: %v", got)
	}
}
