package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/phimail/sdk/phimail"
)

// flagOf names the flag that a field of a message comes from.
func flagOf(field string) string {
	name, _, _ := strings.Cut(field, "[")
	switch name {
	case "Actor.ID":
		return "-actor"
	case "Actor.Role":
		return "-role"
	case "Label":
		return "-label"
	case "Patients":
		return "-patient"
	case "IdempotencyKey":
		return "-key"
	}
	return ""
}

// messageFailure says what is wrong with the message. Where all of it came from
// flags, it is the command line that is wrong.
func messageFailure(err error) error {
	code := exitUsage
	var lines []error
	walk(err, func(e error) {
		fault, ok := errors.AsType[*phimail.MessageError](e)
		if !ok {
			code = exitData
			lines = append(lines, e)
			return
		}
		if name := flagOf(fault.Field); name != "" {
			lines = append(lines, errors.New(name+": "+fault.Reason))
			return
		}
		code = exitData
		where := "the message: "
		if fault.Field != "message" {
			where += fault.Field + ": "
		}
		lines = append(lines, errors.New(where+fault.Reason))
	})
	return &failure{code, inFileWords(errors.Join(lines...))}
}

// walk visits the leaves of joined errors.
func walk(err error, visit func(error)) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree is walked here
		for _, e := range joined.Unwrap() {
			walk(e, visit)
		}
		return
	}
	visit(err)
}

// explained puts the receipt's reasons in the place of a *SendError: a line for
// each recipient who was not accepted, by number.
func explained(receipt *phimail.Receipt, err error) error {
	const shown = 10
	var lines []error
	walk(err, func(e error) {
		if _, ok := errors.AsType[*phimail.RecipientError](e); !ok {
			lines = append(lines, e)
		}
	})
	hidden := 0
	for i := range receipt.Recipients {
		r := &receipt.Recipients[i]
		switch {
		case r.Err == nil:
		case i >= shown:
			hidden++
		default:
			lines = append(lines, fmt.Errorf("recipient %d of %d: %s: %s (%s)", i+1, len(receipt.Recipients), r.Status, r.Reason, r.Code))
		}
	}
	if hidden > 0 {
		lines = append(lines, fmt.Errorf("and %d more; the receipt lists them all", hidden))
	}
	return errors.Join(lines...)
}

// inFileWords says "policy.on_partial" where the library says
// "Config.OnPartial": the user has a file, not a struct.
func inFileWords(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(fileWords(err.Error()))
}

func fileWords(s string) string {
	return strings.NewReplacer(
		"Config.Senders", "senders in the configuration file",
		"Config.OnPartial", "policy.on_partial in the configuration file",
		"Config.HostSecret", "host_secret_file in the configuration file",
		"Config.MaxRecipients", "the library's limit",
		"Config.From", "from in the configuration file",
		"Config.", "the configuration's ",
	).Replace(s)
}
