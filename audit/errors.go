package audit

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// Errors of a Log's Append and Close. They hold no text of an event.
var (
	// ErrStopped: an earlier fault of the sink was final, so that the Log takes
	// nothing more. It comes joined with that fault.
	ErrStopped = errors.New("audit: the log has stopped; mend its storage, then open it anew")
	// ErrEvent: an event lacks what its kind needs, or is too large for a record.
	ErrEvent = errors.New("audit: the event is not valid")
	// ErrDuplicateIntent: this attempt and item already has an intent.
	ErrDuplicateIntent = errors.New("audit: the attempt and item already has an intent; begin another attempt")
	// ErrDuplicateOutcome: this attempt and item already has an outcome, or one
	// that is being written.
	ErrDuplicateOutcome = errors.New("audit: the attempt and item already has an outcome")
	// ErrNoIntent: an outcome accepted or unknown for which this Log has no
	// durable intent.
	ErrNoIntent = errors.New("audit: the outcome has no durable intent in this run")
	// ErrOpenIntents: the Log was closed before all its intents had an outcome.
	// The next Log on the sink records them as unknown.
	ErrOpenIntents = errors.New("audit: closed with intents open; the next start records them as unknown")
)

// errPanic stands for the value of a panic, which may hold anything.
var errPanic = errors.New("audit: a panic in the sink")

// SinkError tells that a sink failed. Its text names the operation and, where
// it is known to be safe, the cause; what the sink itself said is behind Unwrap.
type SinkError struct {
	// Op is append, head, scan, begin, end or list.
	Op    string
	cause error
}

// Error names the operation and a cause that holds no text of the sink.
func (e *SinkError) Error() string {
	return "audit: the sink's " + e.Op + " failed: " + safeCause(e.cause)
}

// Unwrap returns the sink's own error.
func (e *SinkError) Unwrap() error { return e.cause }

// Format keeps the sink's own text out of every verb.
func (e *SinkError) Format(f fmt.State, _ rune) {
	if e == nil {
		_, _ = fmt.Fprint(f, "<nil>")
		return
	}
	_, _ = fmt.Fprint(f, e.Error())
}

// safeCause describes err by what is known to hold no foreign text.
func safeCause(err error) string {
	for _, known := range []error{
		ErrRolledBack, ErrMalformed, ErrBroken, ErrSinkFailed, ErrConflict, ErrClosed, errPanic,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return "its cause is behind errors.Unwrap; see the storage"
}

// final says whether a sink's error means that it must not be used again.
func final(err error) bool {
	return errors.Is(err, ErrSinkFailed) || errors.Is(err, ErrBroken) || errors.Is(err, ErrClosed) || errors.Is(err, errPanic)
}

// ConfigError is one fault of a Config.
type ConfigError struct {
	// Field is the name of the field.
	Field string
	// Problem says what is wrong and what to do.
	Problem string
}

// Error names the field and the remedy.
func (e *ConfigError) Error() string { return "audit: Config." + e.Field + ": " + e.Problem }
