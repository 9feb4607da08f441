package recordsql

import (
	"context"
	"slices"
	"strings"

	"github.com/phimail/sdk/policy"
)

// finder asks for many values in a few queries.
type finder struct {
	store  *Store
	tenant string
	asked  map[string][]any // by column
	count  int
	seen   map[int64]bool
	found  []row
}

// ask adds a value that a column may have.
func (f *finder) ask(ctx context.Context, column, value string) error {
	if f.asked == nil {
		f.asked = map[string][]any{}
	}
	f.asked[column] = append(f.asked[column], value)
	if f.count++; f.count < maxAsked {
		return nil
	}
	return f.flush(ctx)
}

// flush asks what was added.
func (f *finder) flush(ctx context.Context) error {
	if f.count == 0 {
		return nil
	}
	args := []any{f.tenant}
	var either []string
	for _, column := range []string{"address", "patient"} {
		if len(f.asked[column]) == 0 {
			continue
		}
		var places []string
		for _, v := range f.asked[column] {
			args = append(args, v)
			places = append(places, f.store.parameter(len(args)))
		}
		either = append(either, column+" IN ("+strings.Join(places, ", ")+")")
	}
	f.asked, f.count = nil, 0
	rows, err := f.store.query(ctx, "SELECT seq, "+columns+" FROM phimail_records WHERE tenant = "+f.store.parameter(1)+
		" AND ("+strings.Join(either, " OR ")+")", args...)
	for i := range rows {
		if !f.seen[rows[i].seq] {
			f.seen[rows[i].seq] = true
			f.found = append(f.found, rows[i])
		}
	}
	return err
}

// sorted returns the records, the oldest first.
func (f *finder) sorted() []policy.Record {
	slices.SortFunc(f.found, func(a, b row) int {
		if c := a.record.At.Compare(b.record.At); c != 0 {
			return c
		}
		return int(a.seq - b.seq)
	})
	var list []policy.Record
	for i := range f.found {
		list = append(list, f.found[i].record)
	}
	return list
}
