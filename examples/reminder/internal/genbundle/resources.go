package main

import (
	"fmt"
	"strings"
)

// The resources as they are written, with elements that a reminder does not
// read. Their names are FHIR's, "cancelationReason" included.
type (
	entry struct {
		FullURL  string   `json:"fullUrl"`
		Resource resource `json:"resource"`
		Search   search   `json:"search"`
	}
	search struct {
		Mode string `json:"mode"`
	}
	appointment struct {
		ResourceType      string        `json:"resourceType"`
		ID                string        `json:"id"`
		Status            string        `json:"status"`
		CancelationReason *concept      `json:"cancelationReason,omitempty"`
		ServiceType       []concept     `json:"serviceType"`
		Start             string        `json:"start"`
		End               string        `json:"end"`
		MinutesDuration   int           `json:"minutesDuration"`
		Participant       []participant `json:"participant"`
	}
	participant struct {
		Actor    reference `json:"actor"`
		Required string    `json:"required"`
		Status   string    `json:"status"`
	}
	reference struct {
		Reference string `json:"reference"`
		Display   string `json:"display,omitempty"`
	}
	patient struct {
		ResourceType     string       `json:"resourceType"`
		ID               string       `json:"id"`
		Identifier       []identifier `json:"identifier"`
		Active           bool         `json:"active"`
		Name             []humanName  `json:"name"`
		Telecom          []telecom    `json:"telecom"`
		Gender           string       `json:"gender"`
		BirthDate        string       `json:"birthDate"`
		DeceasedDateTime string       `json:"deceasedDateTime,omitempty"`
	}
	identifier struct {
		Use    string  `json:"use"`
		Type   concept `json:"type"`
		System string  `json:"system"`
		Value  string  `json:"value"`
	}
	concept struct {
		Text string `json:"text"`
	}
	humanName struct {
		Use    string   `json:"use"`
		Text   string   `json:"text,omitempty"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
	}
	telecom struct {
		System string  `json:"system"`
		Value  string  `json:"value"`
		Use    string  `json:"use,omitempty"`
		Rank   int     `json:"rank,omitempty"`
		Period *period `json:"period,omitempty"`
	}
	period struct {
		Start string `json:"start,omitempty"`
		End   string `json:"end,omitempty"`
	}
)

func (a *appointment) reference() string { return "Appointment/" + a.ID }
func (p *patient) reference() string     { return "Patient/" + p.ID }

func patientRef(i int) string { return (&patient{ID: fmt.Sprintf("pat-%04d", 1001+i)}).reference() }

// unicodeLocal is a local part with the letters of the name.
func (p *patient) unicodeLocal() string {
	return strings.ToLower(p.Name[0].Given[0] + "." + strings.ReplaceAll(p.Name[0].Family, " ", "."))
}
