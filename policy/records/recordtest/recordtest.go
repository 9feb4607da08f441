// Package recordtest proves that a [policy.RecordStore] keeps the contract:
//
//	func TestStore(t *testing.T) {
//		recordtest.Run(t, recordtest.Harness{Open: func(t *testing.T, dir string) policy.RecordStore { … }})
//	}
package recordtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/policy"
)

// Harness says how to open the store.
type Harness struct {
	// Open returns a store of what dir holds: nothing at first. Where a store
	// is nothing without its process, Durable is false, and it is opened once a
	// test.
	Open func(t *testing.T, dir string) policy.RecordStore
	// Durable: what was added is there when dir is opened again, at the same
	// time too, as by another process.
	Durable bool
}

// Run runs all cases.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range []struct {
		name    string
		durable bool
		run     func(t *testing.T, h Harness)
	}{
		{"FindsByAddressAndPatient", false, finds},
		{"KeepsEveryField", false, keepsEveryField},
		{"AddsAnIDOnce", false, addsOnce},
		{"RefusesWhatIsNoRecord", false, refuses},
		{"TakesHostileText", false, hostile},
		{"EndsWithItsContext", false, endsWithContext},
		{"ManyAddAtTheSameTime", false, concurrent},
		{"IsDurable", true, durable},
		{"TwoHandlesSeeEachOther", true, shared},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.durable && !h.Durable {
				t.Skip("the store says that it is not durable")
			}
			c.run(t, h)
		})
	}
}

// Day is a time that records of this kit are made at.
func Day(n int) time.Time { return time.Date(2026, 3, n, 9, 30, 0, 0, time.UTC) }

func record(kind policy.RecordKind, tenant, patient, address string, day int) policy.Record {
	return policy.Record{
		Kind: kind, Tenant: tenant, Patient: patient, Address: address, At: Day(day), By: "front-desk", Wording: "form 7", Source: "paper",
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, s policy.Records, q policy.RecordQuery) []policy.Record {
	t.Helper()
	found, err := s.Find(t.Context(), q)
	must(t, err)
	return found
}

// names are kind, patient and address of what was found, in order.
func names(list []policy.Record) string {
	var out []string
	for i := range list {
		r := &list[i]
		out = append(out, fmt.Sprintf("%s %s %s %d", r.Kind, r.Patient, r.Address, r.At.Day()))
	}
	return strings.Join(out, "; ")
}

func finds(t *testing.T, h Harness) {
	s := h.Open(t, t.TempDir())
	const a, b = "a@x.example", "b@x.example"
	must(t, s.Add(t.Context(),
		record(policy.OptIn, "one", "", a, 9), record(policy.PlainEmail, "one", "p1", "", 3),
		record(policy.Unsubscribe, "one", "", b, 4), record(policy.Preference, "one", "p1", a, 5),
		record(policy.Unsubscribe, "two", "", a, 1), record(policy.PlainEmail, "two", "p1", "", 2)))
	must(t, s.Add(t.Context(), record(policy.Unsubscribe, "one", "", a, 1)))
	for name, c := range map[string]struct {
		q    policy.RecordQuery
		want string
	}{
		"by address, the oldest first": {policy.RecordQuery{Tenant: "one", Addresses: []string{a}}, "unsubscribe  a@x.example 1; preference p1 a@x.example 5; opt-in  a@x.example 9"},
		"by patient":                   {policy.RecordQuery{Tenant: "one", Patients: []string{"p1"}}, "plain-email p1  3; preference p1 a@x.example 5"},
		"each once":                    {policy.RecordQuery{Tenant: "one", Addresses: []string{b, a, b}, Patients: []string{"p1", "p2"}}, "unsubscribe  a@x.example 1; plain-email p1  3; unsubscribe  b@x.example 4; preference p1 a@x.example 5; opt-in  a@x.example 9"},
		"tenants are apart":            {policy.RecordQuery{Tenant: "two", Addresses: []string{a, b}, Patients: []string{"p1"}}, "unsubscribe  a@x.example 1; plain-email p1  2"},
		"another tenant":               {policy.RecordQuery{Tenant: "three", Addresses: []string{a}, Patients: []string{"p1"}}, ""},
		"no tenant":                    {policy.RecordQuery{Addresses: []string{a}}, ""},
		"nothing asked":                {policy.RecordQuery{Tenant: "one"}, ""},
		"an empty address":             {policy.RecordQuery{Tenant: "one", Addresses: []string{""}, Patients: []string{""}}, ""},
		"a part of an address":         {policy.RecordQuery{Tenant: "one", Addresses: []string{"@x.example", "%"}}, ""},
	} {
		if got := names(find(t, s, c.q)); got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
	var all []policy.Record
	for r, err := range s.All(t.Context(), "one") {
		must(t, err)
		all = append(all, r)
	}
	if got, want := names(all), "opt-in  a@x.example 9; plain-email p1  3; unsubscribe  b@x.example 4; preference p1 a@x.example 5; unsubscribe  a@x.example 1"; got != want {
		t.Errorf("all: %s; want %s", got, want)
	}
	for _, err := range s.All(t.Context(), "one") {
		must(t, err)
		break // a caller may stop
	}
}

func keepsEveryField(t *testing.T, h Harness) {
	s := h.Open(t, t.TempDir())
	want := policy.Record{
		ID: "rec-1", Tenant: "one", Kind: policy.Preference, Withdrawn: true, Patient: "p1", Address: "a@x.example",
		Modes: []policy.Mode{policy.Escrow, policy.SMIME}, By: "front-desk", At: Day(2).Add(123456 * time.Microsecond), Wording: "form 7", Source: "paper", Expires: Day(9),
	}
	must(t, s.Add(t.Context(), want))
	found := find(t, s, policy.RecordQuery{Tenant: "one", Patients: []string{"p1"}})
	if len(found) != 1 {
		t.Fatalf("found %d", len(found))
	}
	got := found[0]
	if !got.At.Equal(want.At) || !got.Expires.Equal(want.Expires) || !slices.Equal(got.Modes, want.Modes) {
		t.Error("times or modes are not kept")
	}
	got.At, got.Expires, got.Modes, want.At, want.Expires, want.Modes = time.Time{}, time.Time{}, nil, time.Time{}, time.Time{}, nil
	if fmt.Sprintf("%q", fields(&got)) != fmt.Sprintf("%q", fields(&want)) {
		t.Errorf("got %q, want %q", fields(&got), fields(&want))
	}
	found[0].Modes[0] = policy.TLS
	if again := find(t, s, policy.RecordQuery{Tenant: "one", Patients: []string{"p1"}}); again[0].Modes[0] != policy.Escrow {
		t.Error("a caller's change reaches the store")
	}
}

func fields(r *policy.Record) []string {
	return []string{r.ID, r.Tenant, r.Kind.String(), strconv.FormatBool(r.Withdrawn), r.Patient, r.Address, r.By, r.Wording, r.Source}
}

func addsOnce(t *testing.T, h Harness) {
	s := h.Open(t, t.TempDir())
	r := record(policy.OptIn, "one", "", "a@x.example", 1)
	r.ID = "rec-1"
	other := r
	other.Tenant = "two"
	second := record(policy.OptIn, "one", "", "a@x.example", 2)
	must(t, s.Add(t.Context(), r, r, other))
	must(t, s.Add(t.Context(), r, second, second))
	found := find(t, s, policy.RecordQuery{Tenant: "one", Addresses: []string{"a@x.example"}})
	if len(found) != 3 || found[0].ID != "rec-1" || found[1].ID == "" || found[1].ID == found[2].ID {
		t.Errorf("%d records", len(found))
	}
	if n := len(find(t, s, policy.RecordQuery{Tenant: "two", Addresses: []string{"a@x.example"}})); n != 1 {
		t.Errorf("%d records of another tenant with the same ID", n)
	}
}

func refuses(t *testing.T, h Harness) {
	s := h.Open(t, t.TempDir())
	good := record(policy.OptIn, "one", "p1", "a@x.example", 1)
	for name, change := range map[string]func(*policy.Record){
		"no kind":             func(r *policy.Record) { r.Kind = 0 },
		"an unknown kind":     func(r *policy.Record) { r.Kind = 99 },
		"nobody":              func(r *policy.Record) { r.Patient, r.Address = "", "" },
		"no time":             func(r *policy.Record) { r.At = time.Time{} },
		"no actor":            func(r *policy.Record) { r.By = "" },
		"consent, no wording": func(r *policy.Record) { r.Kind, r.Wording = policy.PlainEmail, "" },
		"no address":          func(r *policy.Record) { r.Address = "Ada" },
		"upper case":          func(r *policy.Record) { r.Address = "A@x.example" },
		"a mode that is none": func(r *policy.Record) { r.Kind, r.Modes = policy.Preference, []policy.Mode{policy.Refuse} },
		"a line end":          func(r *policy.Record) { r.Wording = "a\nb" },
		"a NUL":               func(r *policy.Record) { r.Source = "a\x00b" },
		"no UTF-8":            func(r *policy.Record) { r.Source = "a\xff" },
		"too long":            func(r *policy.Record) { r.Wording = strings.Repeat("x", 1<<16) },
		"an address as ID":    func(r *policy.Record) { r.ID = "a@x.example" },
	} {
		r := good
		change(&r)
		if err := s.Add(t.Context(), good, r); err == nil || strings.Contains(err.Error(), "x.example") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(find(t, s, policy.RecordQuery{Tenant: "one", Patients: []string{"p1"}})); n != 0 {
		t.Errorf("%d records were added beside one that was refused", n)
	}
}

func hostile(t *testing.T, h Harness) {
	s := h.Open(t, t.TempDir())
	for i, text := range []string{`'; DROP TABLE phimail_records; --`, `","kind":"opt-in","x":"`, `=1+1`, "\u202eabc", "日本語", `\u0000`, `%s%n`, "<script>", "a,b;c\"d"} {
		r := record(policy.Unsubscribe, text, text, fmt.Sprintf("a%d@x.example", i), 1)
		r.Wording, r.Source = text, text
		must(t, s.Add(t.Context(), r))
		found := find(t, s, policy.RecordQuery{Tenant: text, Patients: []string{text}})
		if len(found) != 1 || found[0].Wording != text || found[0].Patient != text || found[0].Tenant != text {
			t.Errorf("%q is not kept", text)
		}
	}
}

func endsWithContext(t *testing.T, h Harness) {
	s := h.Open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Find(ctx, policy.RecordQuery{Tenant: "one", Addresses: []string{"a@x.example"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Find: %v", err)
	}
}

func concurrent(t *testing.T, h Harness) {
	s := h.Open(t, t.TempDir())
	const workers, each = 8, 10
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := range each {
				if err := s.Add(t.Context(), record(policy.Unsubscribe, "one", "p", fmt.Sprintf("a%d-%d@x.example", w, i), 1)); err != nil {
					t.Error(err)
				}
				if _, err := s.Find(t.Context(), policy.RecordQuery{Tenant: "one", Patients: []string{"p"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(find(t, s, policy.RecordQuery{Tenant: "one", Patients: []string{"p"}})); n != workers*each {
		t.Errorf("%d records, want %d", n, workers*each)
	}
}

func durable(t *testing.T, h Harness) {
	dir := t.TempDir()
	must(t, h.Open(t, dir).Add(t.Context(), record(policy.OptIn, "one", "", "a@x.example", 1), record(policy.OptIn, "one", "", "b@x.example", 1)))
	if n := len(find(t, h.Open(t, dir), policy.RecordQuery{Tenant: "one", Addresses: []string{"a@x.example", "b@x.example"}})); n != 2 {
		t.Errorf("%d records after opening anew", n)
	}
}

func shared(t *testing.T, h Harness) {
	dir := t.TempDir()
	handles := []policy.RecordStore{h.Open(t, dir), h.Open(t, dir)}
	const each = 20
	var wait sync.WaitGroup
	for n, s := range handles {
		wait.Go(func() {
			for i := range each {
				if err := s.Add(t.Context(), record(policy.Unsubscribe, "one", "p", fmt.Sprintf("a%d-%d@x.example", n, i), 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	for _, s := range handles {
		if n := len(find(t, s, policy.RecordQuery{Tenant: "one", Patients: []string{"p"}})); n != len(handles)*each {
			t.Errorf("a handle sees %d records, want %d", n, len(handles)*each)
		}
	}
}
