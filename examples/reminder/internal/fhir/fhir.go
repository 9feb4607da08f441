// Package fhir reads what a reminder needs from a FHIR R4 Bundle: its
// appointments and the patients that they are for.
//
// It decodes those elements only and ignores all others, but what it decodes it
// checks: a bundle that is one page of several, a resource without an id or an
// appointment whose start is no time is an error, not a reminder that is never
// sent. Its errors name the entry by number and hold no value.
package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxBundle bounds what Read takes, in bytes.
const maxBundle = 64 << 20

// Appointment is one Appointment resource, joined with its patient.
type Appointment struct {
	ID string
	// Status is the resource's: "booked", "cancelled", "waitlist", …
	Status string
	// Start is zero only where the status allows it to be missing.
	Start time.Time
	// Place is what the Location participant is called.
	Place string
	// Patient is nil if no participant is a patient of this bundle.
	Patient *Patient
	// Declined says that the patient answered that they won't come.
	Declined bool
}

// Patient is one Patient resource.
type Patient struct {
	ID       string
	Deceased bool

	names    []humanName
	telecoms []contactPoint
}

// The elements of the resources, under their names in
// https://hl7.org/fhir/R4/.
type (
	bundle struct {
		ResourceType string `json:"resourceType"`
		Link         []struct {
			Relation string `json:"relation"`
		} `json:"link"`
		Entry []entry `json:"entry"`
	}
	entry struct {
		FullURL  string          `json:"fullUrl"`
		Resource json.RawMessage `json:"resource"`
	}
	appointment struct {
		ID          string        `json:"id"`
		Status      string        `json:"status"`
		Start       string        `json:"start"`
		Participant []participant `json:"participant"`
	}
	participant struct {
		Status string `json:"status"`
		Actor  struct {
			Reference string `json:"reference"`
			Display   string `json:"display"`
		} `json:"actor"`
	}
	patient struct {
		ID               string         `json:"id"`
		DeceasedBoolean  bool           `json:"deceasedBoolean"`
		DeceasedDateTime string         `json:"deceasedDateTime"`
		Name             []humanName    `json:"name"`
		Telecom          []contactPoint `json:"telecom"`
	}
)

// Read decodes a Bundle of at most 64 MiB and returns its appointments in the
// order of the bundle.
func Read(r io.Reader) ([]Appointment, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBundle+1))
	if err != nil {
		return nil, fmt.Errorf("fhir: reading the bundle: %w", err)
	}
	if len(data) > maxBundle {
		return nil, fmt.Errorf("fhir: the bundle is larger than %d MiB; ask the server for smaller pages", maxBundle>>20)
	}
	var b bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, malformed("the bundle", err)
	}
	if b.ResourceType != "Bundle" {
		return nil, errors.New("fhir: the resource is not a Bundle")
	}
	for _, l := range b.Link {
		if l.Relation == "next" {
			return nil, errors.New("fhir: the bundle is one page of several; join the pages first")
		}
	}
	patients, err := readPatients(b.Entry)
	if err != nil {
		return nil, err
	}
	return readAppointments(b.Entry, patients)
}

// readPatients indexes the patients by every way that a reference names them.
func readPatients(entries []entry) (map[string]*Patient, error) {
	patients := make(map[string]*Patient)
	for i, e := range entries {
		kind, err := resourceType(i, e)
		if err != nil {
			return nil, err
		}
		if kind != "Patient" {
			continue
		}
		var p patient
		if err := json.Unmarshal(e.Resource, &p); err != nil {
			return nil, malformed(fmt.Sprintf("entry %d", i), err)
		}
		ref := "Patient/" + p.ID
		if p.ID == "" || patients[ref] != nil {
			return nil, fmt.Errorf("fhir: entry %d: a Patient without an id, or with one that stands twice", i)
		}
		found := &Patient{
			ID: p.ID, Deceased: p.DeceasedBoolean || p.DeceasedDateTime != "",
			names: p.Name, telecoms: p.Telecom,
		}
		patients[ref] = found
		if e.FullURL != "" {
			patients[e.FullURL] = found
		}
	}
	return patients, nil
}

func readAppointments(entries []entry, patients map[string]*Patient) ([]Appointment, error) {
	var list []Appointment
	seen := make(map[string]bool)
	for i, e := range entries {
		kind, err := resourceType(i, e)
		if err != nil {
			return nil, err
		}
		if kind != "Appointment" {
			continue
		}
		var a appointment
		if err := json.Unmarshal(e.Resource, &a); err != nil {
			return nil, malformed(fmt.Sprintf("entry %d", i), err)
		}
		if a.ID == "" || seen[a.ID] {
			return nil, fmt.Errorf("fhir: entry %d: an Appointment without an id, or with one that stands twice", i)
		}
		seen[a.ID] = true
		found := Appointment{ID: a.ID, Status: a.Status}
		// An instant always has a time zone, so RFC 3339 reads it.
		found.Start, err = time.Parse(time.RFC3339, a.Start)
		if err != nil && a.Start != "" || found.Start.IsZero() && a.Status == "booked" {
			return nil, fmt.Errorf("fhir: entry %d: the start of the Appointment is not an instant", i)
		}
		found.join(a.Participant, patients)
		list = append(list, found)
	}
	return list, nil
}

func (a *Appointment) join(participants []participant, patients map[string]*Patient) {
	for _, p := range participants {
		if found := patients[p.Actor.Reference]; found != nil {
			a.Patient, a.Declined = found, p.Status == "declined"
		}
		if strings.Contains(p.Actor.Reference, "Location/") {
			a.Place = p.Actor.Display
		}
	}
}

func resourceType(i int, e entry) (string, error) {
	var head struct {
		ResourceType string `json:"resourceType"`
	}
	if err := json.Unmarshal(e.Resource, &head); err != nil || head.ResourceType == "" {
		return "", fmt.Errorf("fhir: entry %d holds no resource", i)
	}
	return head.ResourceType, nil
}

// malformed keeps the text of a JSON error out, since it can quote a value.
func malformed(what string, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("fhir: %s is not JSON, at byte %d", what, syntax.Offset)
	}
	return fmt.Errorf("fhir: %s has an element of the wrong type", what)
}
