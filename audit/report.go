package audit

import (
	"strconv"
	"time"
)

// Report is what a chain that verifies holds. The counts and the first and last
// times are of what was read.
type Report struct {
	// Head is the last record that was verified.
	Head Head
	// Records counts all records, Intents and Outcomes those kinds, and Kinds
	// every kind (above MaxKinds of them as "other").
	Records  uint64
	Intents  uint64
	Outcomes map[string]uint64 // by status
	Kinds    map[Kind]uint64
	// Open counts the intents that have no outcome yet, of runs that are alive
	// or were not recovered.
	Open uint64
	// Runs counts the runs that opened.
	Runs uint64
	// First and Last are the times of the first and the last record; zero for
	// an empty chain.
	First, Last time.Time
	// ClockBacks counts the records whose time lies before the record before.
	ClockBacks uint64
	// Checkpoint is the one that the chain was held against, or nil.
	Checkpoint *Checkpoint
	// Findings are the records that are linked as they should be but say what
	// can't be, the first MaxFindings of them; FindingCount counts all.
	Findings     []Finding
	FindingCount uint64
}

// What bounds a Report, whatever the chain holds.
const (
	MaxFindings = 100
	MaxKinds    = 100
)

// Finding is a record that contradicts others.
type Finding struct {
	Seq  uint64
	Code FindingCode
}

// FindingCode says what a finding is.
type FindingCode string

// The findings. None of them can come from a Log; they tell of another writer.
const (
	// FindingNoIntent: an outcome accepted or unknown without an intent.
	FindingNoIntent FindingCode = "outcome-without-intent"
	// FindingSecondOutcome: an attempt and item with two outcomes.
	FindingSecondOutcome FindingCode = "second-outcome"
	// FindingSecondIntent: an attempt and item with two intents.
	FindingSecondIntent FindingCode = "second-intent"
	// FindingIncomplete: an intent or outcome without attempt, item or a known
	// status.
	FindingIncomplete FindingCode = "incomplete"
	// FindingTime: the time is not of the form that a Log writes.
	FindingTime FindingCode = "time"
)

// ChainReason is a stable code for how a chain is broken: the simplest change
// that explains what was found.
type ChainReason string

// How a chain is broken.
const (
	ReasonMalformed  ChainReason = "malformed"  // not a record
	ReasonAltered    ChainReason = "altered"    // the record or its link was changed
	ReasonRemoved    ChainReason = "removed"    // a record is missing
	ReasonReordered  ChainReason = "reordered"  // it stands later
	ReasonDuplicated ChainReason = "duplicated" // it stands twice, or was inserted
	ReasonTruncated  ChainReason = "truncated"  // the chain ends before the checkpoint, or before its own head
	ReasonForeign    ChainReason = "foreign"    // not the record that the checkpoint names: another chain, or all of it was written anew
)

// ChainError tells where a chain is broken. It matches ErrBroken.
type ChainError struct {
	// Seq is the number of the first record that is not as it was written. All
	// before it are an unbroken chain (which for ReasonForeign may be another
	// one).
	Seq    uint64
	Reason ChainReason
}

// Error names the record and the reason.
func (e *ChainError) Error() string {
	return "audit: the chain is broken at record " + strconv.FormatUint(e.Seq, 10) + ": " + string(e.Reason)
}

// Is matches ErrBroken, and ErrRolledBack where records are gone from the end.
func (e *ChainError) Is(target error) bool {
	return target == ErrBroken || (target == ErrRolledBack && (e.Reason == ReasonTruncated || e.Reason == ReasonForeign))
}
