package auditfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/phimail/sdk/audit"
)

// BreakError says where a file stops being part of the chain. It matches
// audit.ErrBroken, and audit.ErrRolledBack where records are gone that this
// process knew to be durable.
type BreakError struct {
	// File is the base name of the file.
	File string
	// Offset is where its readable part ends, in bytes.
	Offset int64
	// Seq is the number of the first record that is missing or altered.
	Seq uint64
	// Reason says what was found there.
	Reason string

	rolledBack bool
}

// Error names the place and the reason, and no text of a record.
func (e *BreakError) Error() string {
	return fmt.Sprintf("auditfile: record %d, %s at byte %d: %s; keep the files as they are and run phimail audit verify",
		e.Seq, e.File, e.Offset, e.Reason)
}

// Is matches audit.ErrBroken or audit.ErrRolledBack.
func (e *BreakError) Is(target error) bool {
	return target == audit.ErrBroken || e.rolledBack && target == audit.ErrRolledBack
}

// Reasons of a BreakError.
const (
	whyLine    = "this is not a record, or it was altered"
	whyLink    = "this record does not follow the one before it"
	whyCount   = "a record of its batch is missing"
	whyTail    = "what follows is not the beginning of a write that was cut short"
	whyArchive = "a rotated file ends in the middle of a batch"
	whyName    = "the file's name is not the number of its first record"
	whyGone    = "records that were stored are gone"
	whyMissing = "the file before this one is missing"
)

// walker reads records in order and checks the chain as it goes.
type walker struct {
	src  *bufio.Reader
	long []byte // a line that is longer than src's buffer
	// lenient passes over records that can be read but are not part of the
	// chain, for audit.Verify to say what is wrong with them.
	lenient bool

	off   int64      // the end of the last good line
	head  audit.Head // the last good record
	known bool       // head is known; else the first record is believed

	end     int64      // the end of the last good batch
	endHead audit.Head // the last record of it
	pending uint64     // good lines since
	whole   bool       // the start of the batch that is being read is known
	seen    bool       // a batch was read from its start to its end
}

// walk reads f from a line's start at from up to the offset to. With known, the
// line must follow head, and whole says that it begins a batch.
func walk(f io.ReaderAt, from, to int64, head audit.Head, known, whole bool) *walker {
	return &walker{
		src:  bufio.NewReaderSize(io.NewSectionReader(f, from, to-from), int(min(64<<10, to-from))),
		off:  from,
		head: head, known: known,
		end: from, endHead: head, whole: whole,
	}
}

// stop is why a walker went no further, a break unless it is io.EOF or the
// storage's error.
type stop string

func (s stop) Error() string { return "auditfile: " + string(s) }

// next returns the next record. Its errors are io.EOF after the last whole
// line, a stop, and the storage's own.
func (w *walker) next() (audit.Record, error) {
	text, err := w.readLine()
	if err != nil {
		return audit.Record{}, err
	}
	l, err := parseLine(text[:len(text)-1])
	linked := !w.known || follows(&l.rec, w.head)
	switch {
	case err != nil, !l.sound && !w.lenient:
		return audit.Record{}, stop(whyLine)
	case !linked && !w.lenient:
		return audit.Record{}, stop(whyLink)
	case !l.sound || !linked:
		w.whole = false // The count of this batch says nothing new.
	case l.batch > 0 && w.whole && l.batch != w.pending+1:
		return audit.Record{}, stop(whyCount)
	}
	w.off += int64(len(text))
	w.head, w.known = headOf(&l.rec), true
	w.pending++
	if l.batch > 0 {
		w.seen = w.seen || w.whole
		w.end, w.endHead, w.pending, w.whole = w.off, w.head, 0, true
	}
	return l.rec, nil
}

// readLine returns the next line with its LF. It stays valid until the next
// call.
func (w *walker) readLine() ([]byte, error) {
	part, err := w.src.ReadSlice('\n')
	if err == nil {
		return part, nil
	}
	w.long = w.long[:0]
	for errors.Is(err, bufio.ErrBufferFull) {
		w.long = append(w.long, part...)
		if len(w.long) > maxLine {
			return nil, stop(whyLine)
		}
		part, err = w.src.ReadSlice('\n')
	}
	w.long = append(w.long, part...)
	switch {
	case errors.Is(err, io.EOF) && len(w.long) > 0, len(w.long) > maxLine:
		return nil, stop(whyLine)
	case err != nil:
		return nil, err
	}
	return w.long, nil
}

// run reads to the end. It returns nil there, a stop, or the storage's error.
func (w *walker) run() error {
	for {
		if _, err := w.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// skipLine passes over the rest of a line, to start at the next one. It is
// false if no line ends.
func (w *walker) skipLine() bool {
	for {
		part, err := w.src.ReadSlice('\n')
		w.off += int64(len(part))
		w.end = w.off
		if err == nil {
			return true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return false
		}
	}
}
