// Command genbundle writes the reminder example's test bundle: what a clinic's
// server answers to a search for tomorrow's appointments with their patients. It
// always writes the same bytes.
//
//	go run ./internal/genbundle -o testdata/bundle.json
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

const (
	patients     = 250
	appointments = 320
	server       = "https://ehr.clinic.example/fhir/"
)

func main() {
	out := flag.String("o", "testdata/bundle.json", "the file to write")
	flag.Parse()
	data, err := generate()
	if err == nil {
		err = os.WriteFile(*out, data, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "genbundle:", err)
		os.Exit(1)
	}
}

// generate returns the bundle with one entry a line, so that a change of the
// generator shows as a readable difference.
func generate() ([]byte, error) {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, `{"resourceType":"Bundle","id":"appointments-2027-03-09","type":"searchset",`+
		`"timestamp":"2027-03-08T18:00:00-06:00","total":%d,`+"\n"+
		`"link":[{"relation":"self","url":"%sAppointment?date=2027-03-09&_include=Appointment:patient"}],`+"\n"+
		`"entry":[`, appointments, server)
	for i := range appointments {
		if err := writeEntry(&buf, i == 0, newAppointment(i), "match"); err != nil {
			return nil, err
		}
	}
	for i := range patients {
		if err := writeEntry(&buf, false, newPatient(i), "include"); err != nil {
			return nil, err
		}
	}
	buf.WriteString("\n]}\n")
	return buf.Bytes(), nil
}

type resource interface{ reference() string }

func writeEntry(buf *bytes.Buffer, first bool, r resource, mode string) error {
	if !first {
		buf.WriteByte(',')
	}
	buf.WriteByte('\n')
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(entry{FullURL: server + r.reference(), Resource: r, Search: search{mode}})
	buf.Truncate(buf.Len() - 1) // the encoder's line end
	return err
}

func newAppointment(i int) *appointment {
	doctor, slot := i%len(practitioners), i/len(practitioners)
	place := doctor % len(locations)
	start := time.Date(2027, time.March, 9, 8, 0, 0, 0, time.FixedZone("", -6*60*60)).
		Add(time.Duration(slot)*25*time.Minute + time.Duration(doctor%5)*5*time.Minute)
	if slot >= 9 {
		start = start.Add(45 * time.Minute) // lunch
	}
	end := start.Add(20 * time.Minute)
	if i%3 == 0 { // some systems write UTC
		start, end = start.UTC(), end.UTC()
	}
	a := &appointment{
		ResourceType: "Appointment", ID: fmt.Sprintf("appt-%04d", 4001+i), Status: "booked",
		ServiceType: []concept{{Text: services[i*5%len(services)]}},
		Start:       start.Format(time.RFC3339), End: end.Format(time.RFC3339), MinutesDuration: 20,
		Participant: []participant{
			accepted(patientRef(patientOf(i)), ""),
			accepted(fmt.Sprintf("Practitioner/pract-%02d", doctor+1), practitioners[doctor]),
			accepted(fmt.Sprintf("Location/loc-%d", place+1), locations[place]),
		},
	}
	switch {
	case i%19 == 11:
		a.Status = "cancelled"
		a.CancelationReason = &concept{Text: "Cancelled by the patient"}
	case i%107 == 40:
		a.Status = "entered-in-error"
	case i%79 == 30:
		a.Status = "waitlist"
	case i%101 == 60:
		a.Participant[0].Status = "declined"
	}
	return a
}

func accepted(ref, display string) participant {
	return participant{Actor: reference{ref, display}, Required: "required", Status: "accepted"}
}

// patientOf gives each patient an appointment, and some a second.
func patientOf(i int) int { return i * 37 % patients }

func newPatient(i int) *patient {
	p := &patient{
		ResourceType: "Patient", ID: fmt.Sprintf("pat-%04d", 1001+i), Active: true,
		Identifier: []identifier{{
			Use: "usual", Type: concept{Text: "Medical record number"}, System: server + "mrn",
			Value: fmt.Sprintf("%06d", 100003+i*7919%899981),
		}},
		Gender:    []string{"female", "male", "female", "male", "other", "unknown"}[i%6],
		BirthDate: time.Date(1934+i*31%88, time.Month(1+i*5%12), 1+i*11%28, 0, 0, 0, 0, time.UTC).Format(time.DateOnly),
	}
	local := p.setName(i)
	domain := domains[i*3%len(domains)]
	p.Telecom = append(p.Telecom, telecom{System: "phone", Value: fmt.Sprintf("(555) 555-01%02d", i%100), Use: "home"})
	current := telecom{System: "email", Value: local + "@" + domain, Use: "home"}
	old := telecom{System: "email", Value: local + "@old." + domain, Use: "old", Period: &period{End: "2023-06"}}
	switch {
	case i%14 == 5: // no e-mail at all
		return p
	case i%31 == 9:
		p.Telecom = append(p.Telecom, old)
		return p
	case i%41 == 20: // ended without a use
		p.Telecom = append(p.Telecom, telecom{System: "email", Value: current.Value, Period: &period{Start: "2015", End: "2024-11-30"}})
		return p
	case i%9 == 2:
		p.Telecom = append(p.Telecom, old, current)
		return p
	case i%11 == 4:
		work := telecom{System: "email", Value: local + "@work.example", Use: "work", Rank: 2}
		current.Rank = 1
		p.Telecom = append(p.Telecom, work, current)
		return p
	case i == 97: // typed in wrongly at the desk
		current.Value = local + "@example..com"
	case i == 188:
		current.Value = local + "(at)example.org"
	case i == 66 || i == 190: // a mailbox whose name is not ASCII (RFC 6531)
		current.Value = p.unicodeLocal() + "@bücher.example"
	case i == 210:
		p.DeceasedDateTime = "2027-02-20"
	}
	p.Telecom = append(p.Telecom, current)
	return p
}

// setName gives p a name and returns how it is written in an address.
func (p *patient) setName(i int) string {
	if i%40 == 17 {
		s := scripts[i/40%len(scripts)]
		p.Name = []humanName{{Use: "official", Text: s.text, Family: s.family, Given: []string{s.given}}}
		return s.ascii
	}
	g, f := given[i*17%len(given)], family[i*29%len(family)]
	p.Name = []humanName{{Use: "official", Family: f.name, Given: []string{g.name}}}
	if i%23 == 6 {
		p.Name = append(p.Name, humanName{Use: "maiden", Family: family[(i+9)%len(family)].name, Given: []string{g.name}})
	}
	return g.ascii + "." + f.ascii
}
