package records_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
	"github.com/phimail/sdk/policy/records/recordtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	recordtest.Run(t, recordtest.Harness{Open: func(*testing.T, string) policy.RecordStore { return &records.Memory{} }})
}

func TestLinesPeopleWrite(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for line, want := range map[string]policy.Record{
		`{"kind":"unsubscribe","address":"Ada@Example.org"}`:                                                                  {Kind: policy.Unsubscribe, Address: "ada@example.org", At: time.Unix(0, 0).UTC(), By: "file"},
		`{"kind": "bounce", "address": "a@x.example", "at": "2026-11-02", "source": "relay"}`:                                 {Kind: policy.Bounce, Address: "a@x.example", At: day, By: "file", Source: "relay"},
		`{"kind":"plain-email","patient":"p1","at":"2026-11-02T00:00:00Z","by":"desk","wording":"w","expires":"2027-11-02"}`:  {Kind: policy.PlainEmail, Patient: "p1", At: day, By: "desk", Wording: "w", Expires: day.AddDate(1, 0, 0)},
		`{"kind":"preference","patient":"p1","modes":["escrow"],"at":"2026-11-02T01:00:00+01:00"}`:                            {Kind: policy.Preference, Patient: "p1", Modes: []policy.Mode{policy.Escrow}, At: day, By: "file"},
		`{"kind":"unsubscribe","withdrawn":true,"address":"a@x.example","at":"2026-11-02","id":"rec-1","tenant":"riverside"}`: {ID: "rec-1", Tenant: "riverside", Kind: policy.Unsubscribe, Withdrawn: true, Address: "a@x.example", At: day, By: "file"},
	} {
		got, err := records.ParseLine([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got.ID == "" || want.ID != "" && got.ID != want.ID {
			t.Errorf("%s: ID %q", line, got.ID)
		}
		again, err := records.ParseLine([]byte(line))
		if err != nil || again.ID != got.ID {
			t.Errorf("%s: another ID the second time", line)
		}
		want.ID = got.ID
		if a, b := records.AppendLine(nil, &got), records.AppendLine(nil, &want); !bytes.Equal(a, b) {
			t.Errorf("%s became %s, want %s", line, a, b)
		}
	}
}

func TestLinesThatAreNoRecords(t *testing.T) {
	t.Parallel()
	for line, field := range map[string]string{
		``:                          "line",
		`[]`:                        "line",
		`{"kind":"unsubscribe"`:     "line",
		`{"kind":"unsubscribe"} {}`: "line",
		`{"kind":"unsubscribe","mail":"marker@x.example"}`:                                                       "line",
		`{"kind":"marker","address":"a@x.example"}`:                                                              "kind",
		`{"kind":7,"address":"a@x.example"}`:                                                                     "kind",
		`{"kind":"unsubscribe","address":"marker"}`:                                                              "address",
		`{"kind":"unsubscribe","address":"Ada <marker@x.example>"}`:                                              "address",
		`{"kind":"unsubscribe","address":"a@x.example","at":"2.11.2026"}`:                                        "at",
		`{"kind":"opt-in","address":"a@x.example"}`:                                                              "record",
		`{"kind":"plain-email","patient":"p","at":"2026-11-02"}`:                                                 "record",
		`{"kind":"plain-email","address":"a@x.example","wording":"w","at":"2026-11-02"}`:                         "record",
		`{"kind":"opt-in","address":"a@x.example","at":"2026-11-02","expires":"2026-11-01"}`:                     "expires",
		`{"kind":"unsubscribe","address":"a@x.example","modes":["tls"]}`:                                         "modes",
		`{"kind":"preference","address":"a@x.example","modes":["marker"]}`:                                       "modes",
		`{"kind":"unsubscribe","address":"a@x.example","source":"` + strings.Repeat("marker", 100) + `"}`:        "source",
		`{"kind":"unsubscribe","address":"a@x.example","source":"` + strings.Repeat("x", records.MaxLine) + `"}`: "line",
		`{"kind":"unsubscribe","address":"a@x.example","source":"a\u0000"}`:                                      "source",
	} {
		_, err := records.ParseLine([]byte(line))
		var e *records.Error
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%.60s: %v; want a fault in %s", line, err, field)
		} else if strings.Contains(err.Error(), "marker") || strings.Contains(fmt.Sprintf("%+v %#v", err, err), "marker") {
			t.Errorf("the error repeats the line: %v", err)
		}
	}
}

func sample() []policy.Record {
	at := time.Date(2026, 11, 2, 9, 30, 0, 123000, time.UTC)
	return []policy.Record{
		{ID: "rec-1", Tenant: "riverside", Kind: policy.Unsubscribe, Address: "=cmd|'/c calc'!a1@x.example", By: "+desk", At: at, Wording: `@SUM(1,2)"x"`, Source: "-web"},
		{ID: "rec-2", Tenant: "riverside", Kind: policy.Preference, Withdrawn: true, Patient: "'p", Modes: []policy.Mode{policy.Escrow, policy.TLS}, By: "desk", At: at, Source: "'=x", Expires: at.AddDate(1, 0, 0)},
		{ID: "rec-3", Kind: policy.PlainEmail, Patient: "日本", By: "desk", At: at, Wording: "w, with; signs"},
	}
}

func each(list []policy.Record) iter.Seq2[policy.Record, error] {
	return func(yield func(policy.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestCSVComesBackAndHoldsNoFormula(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := records.WriteCSV(&out, each(sample())); err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(out.String()) {
		for cell := range strings.SplitSeq(strings.TrimSpace(row), ",") {
			if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.Contains("=+-@\t", cell[:1]) {
				t.Errorf("a spreadsheet would execute %s", cell)
			}
		}
	}
	for _, text := range []string{out.String(), "\xef\xbb\xbf" + out.String()} {
		var got []byte
		for r, err := range records.ReadCSV(strings.NewReader(text)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(records.AppendLine(got, &r), '\n')
		}
		var want []byte
		for _, r := range sample() {
			want = append(records.AppendLine(want, &r), '\n')
		}
		if !bytes.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestCSVOfPeople(t *testing.T) {
	t.Parallel()
	n := 0
	for r, err := range records.ReadCSV(strings.NewReader("Address, Kind\nAda@Example.org, unsubscribe\n\"b@x.example\",bounce\n")) {
		if err != nil || r.At.IsZero() || r.Address != strings.ToLower(r.Address) {
			t.Error(err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d records", n)
	}
	for text, want := range map[string]records.Error{
		"":                             {Field: "headings"},
		"marker,kind\nx,unsubscribe\n": {Field: "headings"},
		"kind,kind\n":                  {Field: "headings"},
		"kind,address\nunsubscribe\n":  {Field: "row"},
		"kind,address\nopt-in,a@x.example\nmarker,b@x.example\n":      {Field: "record"},
		"kind,address\nunsubscribe,a@x.example\nmarker,b@x.example\n": {Index: 1, Field: "kind"},
		"kind,address,withdrawn\nunsubscribe,a@x.example,marker\n":    {Field: "withdrawn"},
		"kind,address\nunsubscribe,\"a\n":                             {Field: "row"},
	} {
		var last error
		for _, err := range records.ReadCSV(strings.NewReader(text)) {
			last = err
		}
		var e *records.Error
		if !errors.As(last, &e) || e.Field != want.Field || e.Index != want.Index || strings.Contains(last.Error(), "marker") {
			t.Errorf("%q: %v; want %s of %d", text, last, want.Field, want.Index)
		}
	}
}

type failing struct{}

func (failing) Find(context.Context, policy.RecordQuery) ([]policy.Record, error) {
	return nil, errors.New("down")
}

func TestMergeReadsAllAndFailsWithAny(t *testing.T) {
	t.Parallel()
	a, b := &records.Memory{}, &records.Memory{}
	list := sample()
	if err := errors.Join(a.Add(t.Context(), list[1]), b.Add(t.Context(), list[0])); err != nil {
		t.Fatal(err)
	}
	q := policy.RecordQuery{Tenant: "riverside", Patients: []string{list[1].Patient}, Addresses: []string{list[0].Address}}
	found, err := records.Merge(a, b).Find(t.Context(), q)
	if err != nil || len(found) != 2 {
		t.Errorf("%d, %v", len(found), err)
	}
	if found, err = records.Merge(a, failing{}, b).Find(t.Context(), q); err == nil || found != nil {
		t.Errorf("%d, %v", len(found), err)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"kind":"unsubscribe","address":"ada@example.org","at":"2026-11-02"}`))
	for _, r := range sample() {
		f.Add(records.AppendLine(nil, &r))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := records.ParseLine(line)
		if err != nil {
			return
		}
		again, err := records.ParseLine(records.AppendLine(nil, &r))
		if err != nil || !bytes.Equal(records.AppendLine(nil, &again), records.AppendLine(nil, &r)) {
			t.Errorf("%s is not read as it was written: %v", records.AppendLine(nil, &r), err)
		}
	})
}

func FuzzReadCSV(f *testing.F) {
	var out bytes.Buffer
	if err := records.WriteCSV(&out, each(sample())); err != nil {
		f.Fatal(err)
	}
	f.Add(out.String())
	f.Add("kind,address\nunsubscribe,\"a@x.example\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		var list []policy.Record
		for r, err := range records.ReadCSV(strings.NewReader(text)) {
			var e *records.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("an untyped error: %v", err)
			}
			if err == nil {
				list = append(list, r)
			}
		}
		var csv bytes.Buffer
		if err := records.WriteCSV(&csv, each(list)); err != nil {
			t.Fatal(err)
		}
		n := 0
		for r, err := range records.ReadCSV(&csv) {
			if err != nil || !bytes.Equal(records.AppendLine(nil, &r), records.AppendLine(nil, &list[n])) {
				t.Errorf("record %d is not read as it was written: %v", n, err)
			}
			n++
		}
		if n != len(list) {
			t.Errorf("%d of %d records", n, len(list))
		}
	})
}

func ExampleReadCSV() {
	const table = "kind,address,at,source\nunsubscribe,ada@example.org,2026-11-02,letter\n"
	store := &records.Memory{}
	for r, err := range records.ReadCSV(strings.NewReader(table)) {
		if err == nil {
			err = store.Add(context.Background(), r)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	found, err := store.Find(context.Background(), policy.RecordQuery{Addresses: []string{"ada@example.org"}})
	fmt.Println(len(found), found[0].Kind, found[0].At.Format(time.DateOnly), err)
	// Output: 1 unsubscribe 2026-11-02 <nil>
}
