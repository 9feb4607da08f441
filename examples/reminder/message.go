package main

import (
	_ "embed"
	htmltemplate "html/template"
	"net/mail"
	"strings"
	"text/template"
	"time"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
)

//go:embed templates/reminder.txt
var textSource string

//go:embed templates/reminder.html
var htmlSource string

var (
	textTemplate = template.Must(template.New("reminder.txt").Parse(textSource))
	htmlTemplate = htmltemplate.Must(htmltemplate.New("reminder.html").Parse(htmlSource))
)

// writer turns reminders into messages. It is safe for concurrent use.
type writer struct {
	clinic string
	phone  string
	zone   *time.Location
	now    time.Time
}

// page is what the templates may show. It is the least that serves the purpose
// (45 CFR 164.502(b)): neither the practitioner nor the kind of visit is in it,
// since either can tell what somebody is treated for.
type page struct {
	Greeting, Clinic, Phone string
	Date, Time, Place       string
}

func (w *writer) message(r *reminder) (*phimail.Message, error) {
	a := r.appointment
	name, greeting := a.Patient.Name(w.now)
	// Servers send instants in any zone; the patient comes by the clinic's clock.
	start := a.Start.In(w.zone)
	p := page{
		Greeting: greeting, Clinic: w.clinic, Phone: w.phone, Place: a.Place,
		Date: start.Format("Monday, January 2, 2006"), Time: start.Format("3:04 PM MST"),
	}
	var text, html strings.Builder
	if err := textTemplate.Execute(&text, p); err != nil {
		return nil, err
	}
	if err := htmlTemplate.Execute(&html, p); err != nil {
		return nil, err
	}
	return &phimail.Message{
		To: []phimail.Recipient{{
			Address: mail.Address{Name: name, Address: r.email},
			Patient: a.Patient.ID,
		}},
		// It stands on lock screens and in logs of servers, so it says no more
		// than the sender's name does.
		Subject:  "A reminder from " + w.clinic,
		Text:     text.String(),
		HTML:     html.String(),
		Header:   []phimail.HeaderField{{Name: "Auto-Submitted", Value: "auto-generated"}},
		Patients: []string{a.Patient.ID},
		Actor:    phimail.Actor{ID: "svc-reminder", Role: "system"},
		Purpose:  policy.Treatment,
		Label:    "reminder-24h",
		// A second run after a lost reply repeats the Message-ID, so that the
		// patient's mail program can tell that it is the same message.
		IdempotencyKey: "reminder-24h/" + a.ID,
	}, nil
}
