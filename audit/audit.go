// Package audit is a tamper-evident record of what was about to be sent and of
// what became of it (45 CFR 164.312(b)).
//
// A [Log] numbers events, chains each [Record] to the one before it by SHA-256
// and writes them through a [Sink] that is durable when it returns. Concurrent
// appends share one write (group commit), and several processes may share one
// sink. [Verify] finds any altered, removed, reordered or duplicated record,
// and, against an exported [Checkpoint], truncation and rollback.
//
// Records hold codes, counts, digests and keyed pseudonyms, never an address, a
// subject, content, a key or a peer's text.
//
// audit/auditfile is the sink for one machine; a sink of one's own proves
// itself with audit/audittest.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
)

// Errors that a Sink or a Log returns. They hold no text of a record.
var (
	// ErrConflict: the batch does not follow the sink's head, because somebody
	// else has appended. Nothing was written; read Head and chain anew.
	ErrConflict = errors.New("audit: the batch does not follow the head of the chain")
	// ErrSinkFailed: the sink can't vouch for what it wrote (a failed fsync).
	// It is final: open the sink anew after the cause is mended.
	ErrSinkFailed = errors.New("audit: the sink failed and accepts nothing more; mend the storage, then restart")
	// ErrBroken: what the sink holds is not an unbroken chain.
	ErrBroken = errors.New("audit: the chain is broken; keep the log as it is and run phimail audit verify")
	// ErrRolledBack: the chain ends before a record that was known to be
	// durable. It matches ErrBroken too.
	ErrRolledBack = fmt.Errorf("audit: the chain is shorter or other than it was known to be, as after "+
		"restoring an old copy; bring back the newest copy: %w", ErrBroken)
	// ErrClosed: the log or sink is closed.
	ErrClosed = errors.New("audit: closed")
)

// Hash is a SHA-256 digest. Its zero value stands before the first record.
type Hash [sha256.Size]byte

// String returns h in lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns h in lower-case hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// Record is one link of the chain, as it is stored.
type Record struct {
	// Seq numbers records from 1 without a gap.
	Seq uint64
	// Prev is the Hash of the record before, zero for the first.
	Prev Hash
	// Body is the exact bytes that Hash is taken over: one line of JSON,
	// {"seq":…,"prev":"…","event":{…}}. See DecodeBody.
	Body []byte
	// Hash is the SHA-256 of Body.
	Hash Hash
}

// Head is the last record of a chain. Its zero value is the empty chain's.
type Head struct {
	Seq  uint64
	Hash Hash
}

// Sink stores a chain. It is the whole contract that a database, a file or a
// service must keep:
//
//   - Append stores all of recs or none, also across a crash, and returns nil
//     only when they would survive a power loss. recs are consecutive and never
//     empty. If recs[0] does not follow the head it stores nothing and returns
//     an error that matches ErrConflict. It must not keep recs after it returns.
//   - An Append whose context ended either stored all or nothing and says
//     which: nil means stored.
//   - Head returns the last durable record.
//   - Scan yields records in order, starting with the first whose Seq is at
//     least from (0 or 1 for all), ends after the head as it stood at some
//     moment during the scan, and yields an error, once, as its last pair: it
//     never just stops early. The caller may keep each Body and may stop at any
//     record.
//
// A failed Append may be retried with the same or other records, unless its
// error matches ErrSinkFailed or ErrBroken, which are final. Where an Append
// can't know whether it stored the records (a connection lost in the middle of
// a commit), it returns any other error: the Log then asks Head and Scan.
//
// All methods are safe for concurrent use, also by other processes where the
// storage is shared. Errors hold no text of a record. [ParseRecord] turns a
// stored Body back into a Record.
type Sink interface {
	Append(ctx context.Context, recs []Record) error
	Head(ctx context.Context) (Head, error)
	Scan(ctx context.Context, from uint64) iter.Seq2[Record, error]
}

// Runs tells which of the runs that share a sink are alive, so that a starting
// Log can close the open intents of the dead. A run is one opened Log; its
// liveness must end with its process, however that dies.
//
// A sink without Runs is used by passing nil: the open intents of other runs
// are then reported and not closed.
type Runs interface {
	// Begin marks run as alive. Its intents all follow record number from.
	Begin(ctx context.Context, run string, from uint64) error
	// End forgets a run that has no open intents, or whose open intents were
	// closed; also one of a process that died. A run that is not known, because
	// another process ended it first, is no error.
	End(ctx context.Context, run string) error
	// List returns every run that has begun and not ended.
	List(ctx context.Context) ([]Run, error)
}

// Run is one opened Log.
type Run struct {
	// ID is random, 32 hex digits.
	ID string
	// From is the Seq that Begin was given.
	From uint64
	// Alive is false once the process that began the run is gone.
	Alive bool
}
