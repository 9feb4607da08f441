package phimail

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/phimail/sdk/transport"
)

// Class is a class of failure. A Class is itself an error, so that
// errors.Is(err, phimail.ErrNoKey) asks for it.
type Class string

// Error returns what the class means.
func (c Class) Error() string { return "phimail: " + c.words() }

func (c Class) words() string { return string(c) }

// What became of a recipient who does not have the message.
const (
	ErrPolicy         Class = "refused by policy"
	ErrNoKey          Class = "no usable key for the recipient"
	ErrTLSNotVerified Class = "TLS could not be verified as far as the message needs"
	ErrRefused        Class = "refused; nothing left the process"
	ErrRejected       Class = "rejected by the peer"
	ErrDeferred       Class = "deferred; try again later"
	ErrUnknown        Class = "unknown; the recipient may have it"
	ErrHeld           Class = "held for review; nothing left the process"
)

// What stopped a whole call.
const (
	// ErrInvalidMessage: see MessageError.
	ErrInvalidMessage Class = "the message is not valid"
	// ErrConfig: see ConfigError.
	ErrConfig Class = "the configuration is not valid"
	// ErrAudit: the intent could not be made durable, so nothing was sent.
	ErrAudit Class = "the audit log did not take the record, so nothing was sent"
	// ErrOutcomeNotRecorded: the message was handed over and the record of the
	// outcome failed. The Client sends nothing more; the receipt is complete.
	ErrOutcomeNotRecorded Class = "the outcome could not be recorded; mend the audit log and make a new client"
	// ErrPlanStale: the plan expired, is another Client's, or its policy or
	// content changed. Nothing was sent; plan anew.
	ErrPlanStale Class = "the plan no longer holds; plan again"
	// ErrCanceled: the caller's context ended while planning. Nothing was sent.
	ErrCanceled Class = "the context ended before anything was sent"
	// ErrStopped: an earlier outcome could not be recorded.
	ErrStopped Class = "the client has stopped, since an outcome could not be recorded"
	// ErrClosed: Close was called.
	ErrClosed Class = "the client is closed"
)

// MessageError says which part of a message is wrong. It matches
// ErrInvalidMessage. Nothing was sent, and nothing recorded.
type MessageError struct {
	// Field is "To[0]", "Subject", "Header[2]", …; of a ready message the name
	// of a header field, "header[2]" for an unknown one, "header", "entity" or
	// "message".
	Field string
	// Reason is what is wrong and what to do. It repeats nothing of the field.
	Reason string
}

// Error names the field and the reason.
func (e *MessageError) Error() string { return "phimail: message: " + e.Field + ": " + e.Reason }

// Is matches ErrInvalidMessage.
func (e *MessageError) Is(target error) bool { return target == ErrInvalidMessage }

// ConfigError says which field of a Config is wrong. It matches ErrConfig.
type ConfigError struct {
	Field  string
	Reason string
}

// Error names the field and the reason.
func (e *ConfigError) Error() string { return "phimail: Config." + e.Field + ": " + e.Reason }

// Is matches ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

// RecipientError is why one recipient does not surely have the message. It
// holds no address: Index counts To, then Cc, then Bcc, from 0.
type RecipientError struct {
	Index     int
	Class     Class
	Status    Status
	Code      string
	Retryable bool
	// Cause is the transport's error, if that is what failed.
	Cause error
}

// Error names the recipient by number.
func (e *RecipientError) Error() string {
	return "recipient " + strconv.Itoa(e.Index) + ": " + e.Status.String() + ": " + e.Code
}

// stage is the transport's stage that failed, if one did.
func (e *RecipientError) stage() string {
	if te, ok := errors.AsType[*transport.Error](e.Cause); ok {
		return string(te.Stage)
	}
	return ""
}

// Unwrap returns the cause.
func (e *RecipientError) Unwrap() error { return e.Cause }

// Is matches the class, and ErrRefused for everything refused.
func (e *RecipientError) Is(target error) bool {
	return target == e.Class || target == ErrRefused && e.Status == Refused
}

// SendError wraps one error a recipient who was not accepted.
type SendError struct {
	MessageID  string
	Recipients []*RecipientError
	// Total counts the recipients of the message.
	Total int
}

// Error gives counts and the first reasons.
func (e *SendError) Error() string {
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "phimail: %d of %d recipients not accepted", len(e.Recipients), e.Total)
	for i, r := range e.Recipients {
		if i == shown {
			b.WriteString("; …")
			break
		}
		b.WriteString("; ")
		b.WriteString(r.Error())
	}
	return b.String()
}

// Unwrap returns the errors of the recipients.
func (e *SendError) Unwrap() []error {
	errs := make([]error, len(e.Recipients))
	for i, r := range e.Recipients {
		errs[i] = r
	}
	return errs
}

// SafeToRetry answers whether sending the whole message again can give nobody
// a second copy: no recipient has it or may have it. Nil is not safe, and
// neither is an error that this package does not know.
func SafeToRetry(err error) bool {
	if err == nil || errors.Is(err, ErrOutcomeNotRecorded) {
		return false
	}
	if send, ok := errors.AsType[*SendError](err); ok {
		if len(send.Recipients) < send.Total {
			return false
		}
		for _, r := range send.Recipients {
			if r.Status == Unknown || r.Status == Held { // somebody may yet release it
				return false
			}
		}
		return true
	}
	for _, c := range []Class{ErrInvalidMessage, ErrTemplate, ErrAudit, ErrPlanStale, ErrCanceled, ErrStopped, ErrClosed} {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}
