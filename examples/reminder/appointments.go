package main

import (
	"time"

	"github.com/phimail/sdk/examples/reminder/internal/fhir"
)

// reminder is one message to write: to whom, about which appointment.
type reminder struct {
	appointment *fhir.Appointment
	email       string
}

// reason says why an appointment needs no reminder, or can't have one.
type reason string

const (
	cancelled    reason = "cancelled"
	notConfirmed reason = "not confirmed"
	declined     reason = "declined by the patient"
	noPatient    reason = "patient not in the bundle"
	deceased     reason = "patient deceased"
	noEmail      reason = "no e-mail address in use"
)

// reasons in the order of the summary.
func reasons() []reason {
	return []reason{cancelled, notConfirmed, declined, noPatient, deceased, noEmail}
}

// choose splits the appointments into those to remind of and those not, with the
// reason. Every appointment is in one or the other.
func choose(appointments []fhir.Appointment, now time.Time) ([]reminder, map[reason]int) {
	var list []reminder
	skipped := make(map[reason]int)
	for i := range appointments {
		a := &appointments[i]
		if why := skip(a); why != "" {
			skipped[why]++
			continue
		}
		email := a.Patient.Email(now)
		if email == "" {
			skipped[noEmail]++
			continue
		}
		list = append(list, reminder{appointment: a, email: email})
	}
	return list, skipped
}

// skip goes by the codes of http://hl7.org/fhir/appointmentstatus: only "booked"
// is an appointment that will take place and has not begun.
func skip(a *fhir.Appointment) reason {
	switch {
	case a.Status == "cancelled":
		return cancelled
	case a.Status != "booked":
		return notConfirmed
	case a.Patient == nil:
		return noPatient
	case a.Patient.Deceased:
		return deceased
	case a.Declined:
		return declined
	}
	return ""
}
