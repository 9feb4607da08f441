package policy

import (
	"context"
	"iter"
)

// RecordStore is where records are written too. Implementations are safe for
// concurrent use, also by several processes where they say so.
type RecordStore interface {
	Records
	// Add makes the records durable, in their order. If it fails nothing was
	// added, unless the process died within it: then it may be the first of
	// them. One whose ID its tenant has already is left out, so that an import
	// may be repeated; one without ID gets one. If a record fails
	// [Record.Check], none is added.
	Add(ctx context.Context, records ...Record) error
	// All yields a tenant's records in the order in which they were added. It
	// ends with the first error.
	All(ctx context.Context, tenant string) iter.Seq2[Record, error]
}
