// Package records keeps what is on file about people who get mail: consent,
// authorization, preference, verified addresses, and whom not to write to
// ([policy.Record]). Rules read it through [policy.Records].
//
// Stores are [Memory], recordfile (an append-only file) and recordsql
// (database/sql, for a fleet). [Merge] reads several as one. [WriteCSV] and
// [ReadCSV] move records to and from spreadsheets, [AppendLine] and [ParseLine]
// are the form of one record in a file: JSON on one line, which people may also
// write by hand:
//
//	{"kind":"unsubscribe","address":"ada@example.org","at":"2026-11-02"}
//	{"kind":"plain-email","patient":"pat-1001","address":"ada@example.org","at":"2026-10-05T09:30:00Z","by":"desk","wording":"warning 3"}
package records

import (
	"crypto/rand"
	"strings"
)

// NewID returns a random ID for a record.
func NewID() string { return "rec-" + strings.ToLower(rand.Text()) }
