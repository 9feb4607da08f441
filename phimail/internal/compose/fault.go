package compose

import (
	"errors"
	"strconv"
)

// FaultError says which part of a message is wrong, why, and what to do. It
// repeats nothing of the message.
type FaultError struct {
	// Field is the field of a Message ("To[0]", "Subject", "Header[2]",
	// "Attachments[0].Name"), or in a ready message the name of a header field
	// ("To[0]", "Reply-To[1]", "Date"), "header[3]" for a field without a known
	// name, "header" or "message" for the whole, or "entity" for the body.
	Field  string
	Reason string
}

// Error names the field and the reason.
func (e *FaultError) Error() string { return "compose: " + e.Field + ": " + e.Reason }

// entityFault is a fault of a ready body.
func entityFault(reason string) error { return &FaultError{Field: "entity", Reason: reason} }

// indexed returns name[i].
func indexed(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

// faults collects what is wrong.
type faults []error

func (f *faults) add(field, reason string) {
	if reason != "" {
		*f = append(*f, &FaultError{Field: field, Reason: reason})
	}
}

func (f faults) err() error { return errors.Join(f...) }
