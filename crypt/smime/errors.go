package smime

import (
	"context"
	"errors"

	"github.com/phimail/sdk/crypt"
)

// FieldError is one fault of a configuration. It matches crypt.ErrConfig.
type FieldError struct {
	// Field is the path of the field, such as "Forms[1].For".
	Field string
	// Problem is what is wrong and what to do.
	Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return "smime: " + e.Field + ": " + e.Problem }

// Unwrap returns crypt.ErrConfig.
func (e *FieldError) Unwrap() error { return crypt.ErrConfig }

func fail(r crypt.Reason) error { return &crypt.Error{Reason: r} }

// foreign returns what is shown of the error of somebody's source: nothing but
// that a context ended.
func foreign(r crypt.Reason, err error) error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &crypt.Error{Reason: crypt.ErrCanceled, Retry: true, Cause: cause}
		}
	}
	return &crypt.Error{Reason: r, Retry: true}
}

// reasonOf returns the reason of an error of ours.
func reasonOf(err error) crypt.Reason {
	if e, ok := errors.AsType[*crypt.Error](err); ok {
		return e.Reason
	}
	return ""
}

// guard turns a panic of somebody's source into the error of reason r.
func guard(r crypt.Reason, err *error) {
	if recover() != nil {
		*err = &crypt.Error{Reason: r}
	}
}
