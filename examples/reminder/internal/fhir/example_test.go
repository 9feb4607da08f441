package fhir_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/phimail/sdk/examples/reminder/internal/fhir"
)

func ExampleRead() {
	const bundle = `{"resourceType": "Bundle", "type": "searchset", "entry": [
	  {"resource": {"resourceType": "Appointment", "id": "a-1", "status": "booked", "start": "2027-03-09T15:40:00Z",
	    "participant": [{"actor": {"reference": "Patient/p-1"}, "status": "accepted"},
	                    {"actor": {"reference": "Location/l-1", "display": "Main building"}, "status": "accepted"}]}},
	  {"resource": {"resourceType": "Patient", "id": "p-1", "name": [{"family": "Day", "given": ["Ada"]}],
	    "telecom": [{"system": "email", "use": "old", "value": "ada@example.com"},
	                {"system": "email", "use": "home", "value": "ada.day@example.org"}]}}]}`
	list, err := fhir.Read(strings.NewReader(bundle))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range list {
		name, _ := a.Patient.Name(time.Now())
		fmt.Println(a.ID, a.Status, a.Start.UTC().Format(time.TimeOnly), a.Place, "-", name, a.Patient.Email(time.Now()))
	}
	// Output: a-1 booked 15:40:00 Main building - Ada Day ada.day@example.org
}
