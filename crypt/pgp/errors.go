package pgp

import (
	"strconv"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
)

// FieldError is one fault of a configuration. It matches crypt.ErrConfig.
type FieldError struct {
	// Field is the path of the field, such as "Forms[1].For".
	Field string
	// Problem is what is wrong and what to do.
	Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return "pgp: " + e.Field + ": " + e.Problem }

// Unwrap returns crypt.ErrConfig.
func (e *FieldError) Unwrap() error { return crypt.ErrConfig }

func fail(r crypt.Reason) error { return fault.New(r) }

func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }
