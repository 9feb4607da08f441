// Package compose builds RFC 5322 messages and reads ready ones.
package compose

// Entity is a ready MIME body.
type Entity struct{}
