// Package auditsink is an audit sink as an integrator would write one: each batch
// of records is one file in a directory. Any store that can create an object only
// if it isn't there yet, and list what there is, will do in its place.
package auditsink

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"

	"github.com/phimail/sdk/audit"
)

// Dir is an audit.Sink over a directory, which must exist and lie on a local
// disk. It is safe for concurrent use, also by other processes. It lists the
// directory at each call: keep an index where there are many thousand batches.
type Dir string

// Append writes a file and then links it to its name, the number of the first
// record. The link is the compare and swap: of two writers who follow the same
// head, one finds the name taken.
func (d Dir) Append(ctx context.Context, recs []audit.Record) error {
	if head, err := d.Head(ctx); err != nil || len(recs) == 0 || recs[0].Seq != head.Seq+1 || recs[0].Prev != head.Hash {
		return cmp.Or(err, audit.ErrConflict)
	}
	var lines []byte
	for _, r := range recs {
		lines = append(append(lines, r.Body...), '\n')
	}
	unfinished := filepath.Join(string(d), "."+rand.Text())
	defer func() { _ = os.Remove(unfinished) }()
	f, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	_, writeErr := f.Write(lines) // without a file this fails too
	if err = errors.Join(err, writeErr, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Link(unfinished, filepath.Join(string(d), name(recs[0].Seq))); errors.Is(err, fs.ErrExist) {
		return audit.ErrConflict
	}
	return errors.Join(err, d.sync())
}

// Head is the last record of the last batch.
func (d Dir) Head(ctx context.Context) (head audit.Head, err error) {
	for r, e := range d.read(ctx, math.MaxUint64, 0) {
		head, err = audit.Head{Seq: r.Seq, Hash: r.Hash}, e
	}
	return head, err
}

// Scan yields the records from number from on.
func (d Dir) Scan(ctx context.Context, from uint64) iter.Seq2[audit.Record, error] {
	return d.read(ctx, from, from)
}

// read yields the records of the batch that holds number start, or of the last,
// and of those after it; but none before number from.
func (d Dir) read(ctx context.Context, start, from uint64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		files, err := os.ReadDir(string(d)) // in the order of names
		// Another writer may have linked a name and not yet made it durable.
		err = errors.Join(err, d.sync(), ctx.Err())
		for i := 0; i < len(files) && err == nil; i++ {
			if files[i].Name()[0] == '.' || (i+1 < len(files) && files[i+1].Name() <= name(start)) {
				continue
			}
			data, readErr := os.ReadFile(filepath.Join(string(d), files[i].Name()))
			for line := range bytes.Lines(data) {
				r, err := audit.ParseRecord(bytes.TrimSuffix(line, []byte("\n")))
				if (err != nil || r.Seq >= from) && (!yield(r, err) || err != nil) {
					return
				}
			}
			err = errors.Join(readErr, ctx.Err())
		}
		if err != nil {
			yield(audit.Record{}, err)
		}
	}
}

func name(seq uint64) string { return fmt.Sprintf("%020d", seq) }

// sync makes the names in the directory durable.
func (d Dir) sync() error {
	f, err := os.Open(string(d))
	return errors.Join(err, f.Sync(), f.Close())
}
