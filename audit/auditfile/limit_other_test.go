//go:build !linux

package auditfile

import "errors"

func childLimit(string) error { return errors.ErrUnsupported }
