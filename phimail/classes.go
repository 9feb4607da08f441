package phimail

import (
	"context"
	"errors"
	"fmt"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// needOf maps the policy's word for the least assurance to the transport's. A
// value that is not known asks for the most.
func needOf(a policy.Assurance) transport.Assurance {
	switch a {
	case policy.Recipient:
		return transport.Recipient
	case policy.Attested:
		return transport.Attested
	case policy.Relay:
		return transport.Relay
	}
	return transport.Recipient
}

// assuranceOf maps the transport's word to the policy's. A value that is not known
// is the least.
func assuranceOf(a transport.Assurance) policy.Assurance {
	switch a {
	case transport.Recipient:
		return policy.Recipient
	case transport.Attested:
		return policy.Attested
	case transport.Relay:
		return policy.Relay
	}
	return policy.Relay
}

// statusOf maps the transport's status to ours. A value that is not known may
// have been anything.
func statusOf(s transport.Status) Status {
	switch s {
	case transport.Unknown:
		return Unknown
	case transport.Accepted:
		return Accepted
	case transport.Deferred:
		return Deferred
	case transport.Rejected:
		return Rejected
	case transport.Refused:
		return Refused
	}
	return Unknown
}

// classOf is the class of a recipient who was not accepted.
func classOf(s Status, err error) Class {
	switch s {
	case Deferred:
		return ErrDeferred
	case Rejected:
		return ErrRejected
	case Held:
		return ErrHeld
	case Refused:
		if errors.Is(err, transport.ErrTLSNotVerified) || errors.Is(err, transport.ErrNotSealed) {
			return ErrTLSNotVerified
		}
		return ErrRefused
	case Unknown, Planned, Accepted:
	}
	return ErrUnknown
}

// recipientError is what a transport's error means for recipient i. The text of
// an error that is not the transport package's own goes no further.
func recipientError(i int, err error) RecipientError {
	if ce, ok := errors.AsType[*crypt.Error](err); ok {
		why := sealError(ce)
		why.Index = i
		return why
	}
	te, ok := errors.AsType[*transport.Error](err)
	if !ok {
		return RecipientError{Index: i, Class: ErrDeferred, Status: Deferred, Code: CodeTransport, Retryable: true, Cause: ownError(err)}
	}
	status := statusOf(te.Status)
	if status == Accepted {
		status = Unknown // an error can't mean accepted
	}
	code := string(te.Reason)
	if ce, ok := errors.AsType[*transport.CertificateError](te.Cause); ok {
		code += "-" + string(ce.Reason)
	}
	if !isToken(code) {
		code = CodeTransport
	}
	return RecipientError{
		Index: i, Class: classOf(status, te), Status: status, Code: code,
		Retryable: te.Retry && status != Unknown, Cause: te,
	}
}

// sealError is what a sealer's error means for a recipient. The text of an error
// that is not package crypt's goes no further.
func sealError(err error) RecipientError {
	ce, ok := errors.AsType[*crypt.Error](err)
	if !ok {
		return RecipientError{Class: ErrRefused, Status: Refused, Code: CodeSealer, Retryable: true, Cause: ownError(err)}
	}
	why := RecipientError{Class: ErrRefused, Status: Refused, Code: string(ce.Reason), Retryable: ce.Retry, Cause: ce}
	if errors.Is(ce, crypt.ErrNoKey) {
		why.Class = ErrNoKey
	}
	if !isToken(why.Code) {
		why.Code = CodeSealer
	}
	return why
}

// ownError keeps err only if its text is known to hold nothing foreign.
func ownError(err error) error {
	if te, ok := errors.AsType[*transport.Error](err); ok {
		return te
	}
	if de, ok := errors.AsType[*dkim.Error](err); ok {
		return de
	}
	if ce, ok := errors.AsType[*crypt.Error](err); ok {
		return ce
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

// callError stops a whole call. It prints its class only; errors.Is and As reach
// the cause.
type callError struct {
	class Class
	cause error
}

func (e *callError) Error() string { return e.class.Error() }

func (e *callError) Unwrap() []error { return []error{e.class, e.cause} }

// Format prints the class only, whatever the verb.
func (e *callError) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Error()) }
