package fhir_test

import (
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/examples/reminder/internal/fhir"
)

func TestReadRefusesWhatWouldLoseAReminder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ bundle, want string }{
		"not JSON":             {`{"resourceType":`, "not JSON"},
		"text after the end":   {`{"resourceType":"Bundle"} x`, "not JSON"},
		"another resource":     {`{"resourceType":"Patient"}`, "not a Bundle"},
		"one page of several":  {`{"resourceType":"Bundle","link":[{"relation":"next"}]}`, "one page of several"},
		"an empty entry":       {bundleOf(`null`), "entry 0 holds no resource"},
		"a patient without id": {bundleOf(`{"resourceType":"Patient"}`), "without an id"},
		"a patient twice":      {bundleOf(`{"resourceType":"Patient","id":"p"}`, `{"resourceType":"Patient","id":"p"}`), "stands twice"},
		"an appointment without id": {
			bundleOf(`{"resourceType":"Appointment","status":"booked","start":"2027-03-09T09:00:00Z"}`), "without an id",
		},
		"booked for no time": {bundleOf(`{"resourceType":"Appointment","id":"a","status":"booked"}`), "not an instant"},
		"a start without a zone": {
			bundleOf(`{"resourceType":"Appointment","id":"a","status":"booked","start":"2027-03-09T09:00:00"}`), "not an instant",
		},
		"a number for a name": {bundleOf(`{"resourceType":"Patient","id":"p","name":[{"family":7}]}`), "wrong type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := fhir.Read(strings.NewReader(tc.bundle))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want an error that says %q", err, tc.want)
			}
		})
	}
}

func TestReadErrorsHoldNoValue(t *testing.T) {
	t.Parallel()
	_, err := fhir.Read(strings.NewReader(bundleOf(`{"resourceType":"Patient","id":{"Marker":"Marker"}}`)))
	if err == nil || strings.Contains(err.Error(), "Marker") {
		t.Fatalf("got %v", err)
	}
}

func TestEmailPicksTheOneInUse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ telecom, want string }{
		"none":             {`[]`, ""},
		"phone only":       {`[{"system":"phone","value":"555-0100"}]`, ""},
		"old only":         {`[{"system":"email","use":"old","value":"a@example.org"}]`, ""},
		"old and new":      {`[{"system":"email","use":"old","value":"a@example.org"},{"system":"email","value":"b@example.org"}]`, "b@example.org"},
		"rank 1 first":     {`[{"system":"email","value":"a@example.org"},{"system":"email","rank":2,"value":"b@example.org"},{"system":"email","rank":1,"value":"c@example.org"}]`, "c@example.org"},
		"the first of two": {`[{"system":"email","value":"a@example.org"},{"system":"email","value":"b@example.org"}]`, "a@example.org"},
		"ended":            {`[{"system":"email","value":"a@example.org","period":{"end":"2027-02"}}]`, ""},
		"ends this month":  {`[{"system":"email","value":"a@example.org","period":{"end":"2027-03"}}]`, "a@example.org"},
		"not yet":          {`[{"system":"email","value":"a@example.org","period":{"start":"2027-03-09"}}]`, ""},
		"unreadable end":   {`[{"system":"email","value":"a@example.org","period":{"end":"soon"}}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := readPatient(t, `"telecom":`+tc.telecom)
			if got := p.Email(now()); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNamePicksTheOneInUse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ names, full, greeting string }{
		"none":          {`[]`, "", ""},
		"given, family": {`[{"use":"official","family":"Day","given":["Ada","Lou"]}]`, "Ada Lou Day", "Ada"},
		"usual first":   {`[{"use":"official","family":"Day","given":["Ada"]},{"use":"usual","family":"Day","given":["Addy"]}]`, "Addy Day", "Addy"},
		"not maiden":    {`[{"use":"maiden","family":"Roe","given":["Ada"]},{"use":"official","family":"Day","given":["Ada"]}]`, "Ada Day", "Ada"},
		"text":          {`[{"use":"official","text":"山田 花子","family":"山田","given":["花子"]}]`, "山田 花子", "山田 花子"},
		"family only":   {`[{"family":"Day"}]`, "Day", "Day"},
		"ended":         {`[{"use":"official","family":"Roe","period":{"end":"2020"}}]`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full, greeting := readPatient(t, `"name":`+tc.names).Name(now())
			if full != tc.full || greeting != tc.greeting {
				t.Errorf("got %q and %q, want %q and %q", full, greeting, tc.full, tc.greeting)
			}
		})
	}
}

func TestReferencesAreResolvedByIDAndByFullURL(t *testing.T) {
	t.Parallel()
	const bundle = `{"resourceType":"Bundle","entry":[
		{"resource":{"resourceType":"Appointment","id":"a","status":"booked","start":"2027-03-09T09:00:00Z","participant":[{"actor":{"reference":"Patient/p"}}]}},
		{"resource":{"resourceType":"Appointment","id":"b","status":"booked","start":"2027-03-09T09:00:00Z","participant":[{"status":"declined","actor":{"reference":"urn:uuid:1"}}]}},
		{"resource":{"resourceType":"Appointment","id":"c","status":"booked","start":"2027-03-09T09:00:00Z","participant":[{"actor":{"reference":"Patient/other"}}]}},
		{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"p","deceasedBoolean":true}}]}`
	list, err := fhir.Read(strings.NewReader(bundle))
	if err != nil || len(list) != 3 {
		t.Fatalf("got %d appointments, %v", len(list), err)
	}
	if list[0].Patient == nil || list[0].Patient != list[1].Patient || list[2].Patient != nil {
		t.Error("the references were not resolved")
	}
	if list[0].Declined || !list[1].Declined || !list[0].Patient.Deceased {
		t.Error("declined or deceased was not read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(bundleOf(`{"resourceType":"Patient","id":"p","name":[{"given":["A"]}],"telecom":[{"system":"email","value":"a@example.org","rank":1,"period":{"end":"2027"}}]}`))
	f.Add(bundleOf(`{"resourceType":"Appointment","id":"a","status":"booked","start":"2027-03-09T09:00:00Z","participant":[{"actor":{"reference":"Patient/p"}}]}`))
	f.Fuzz(func(t *testing.T, bundle string) {
		list, err := fhir.Read(strings.NewReader(bundle))
		if err != nil {
			return
		}
		for _, a := range list {
			if a.ID == "" || a.Status == "booked" && a.Start.IsZero() {
				t.Errorf("an appointment without an id or a time was read")
			}
			if a.Patient != nil {
				a.Patient.Email(now())
				a.Patient.Name(now())
			}
		}
	})
}

func now() time.Time { return time.Date(2027, time.March, 8, 18, 0, 0, 0, time.UTC) }

func bundleOf(resources ...string) string {
	entries := make([]string, len(resources))
	for i, r := range resources {
		entries[i] = `{"resource":` + r + `}`
	}
	return `{"resourceType":"Bundle","entry":[` + strings.Join(entries, ",") + `]}`
}

func readPatient(t *testing.T, elements string) *fhir.Patient {
	t.Helper()
	list, err := fhir.Read(strings.NewReader(bundleOf(
		`{"resourceType":"Patient","id":"p",`+elements+`}`,
		`{"resourceType":"Appointment","id":"a","status":"waitlist","participant":[{"actor":{"reference":"Patient/p"}}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	return list[0].Patient
}
