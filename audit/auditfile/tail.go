package auditfile

import (
	"bytes"
	"errors"
	"io"

	"github.com/phimail/sdk/audit"
)

// sector is the unit in which storage loses what was not yet synced.
const sector = 512

// tail is how a file ends.
type tail struct {
	end  int64      // of the last whole batch
	head audit.Head // its last record, or the base of a file without one
	torn int64      // bytes after end, left by a write that was cut short
}

// findTail checks the last batch of a file, reading from its end no more than
// that needs. base is the record before the file's first, believed only if
// known. Its error is a *BreakError or the storage's; with a *BreakError the
// tail says what comes before.
func findTail(f io.ReaderAt, name string, size int64, base audit.Head, known bool) (tail, error) {
	for chunk := int64(64 << 10); ; chunk *= 4 {
		from := max(0, size-chunk)
		w := walk(f, from, size, base, known, true)
		if from > 0 {
			w.known, w.whole = false, false
			if !w.skipLine() {
				continue
			}
		}
		cause := w.run()
		if why := stop(""); cause != nil && !errors.As(cause, &why) {
			return tail{}, cause
		}
		if from > 0 && !w.seen {
			continue
		}
		t := tail{end: w.end, head: w.endHead, torn: size - w.end}
		if t.torn == 0 {
			return t, nil
		}
		return t, judge(f, name, w, cause, size)
	}
}

// judge tells a write that was cut short from a break. w has read f up to size
// and stopped for cause, if any.
func judge(f io.ReaderAt, name string, w *walker, cause error, size int64) error {
	broken := &BreakError{File: name, Offset: w.off, Seq: w.head.Seq + 1, Reason: whyTail}
	if why := stop(""); errors.As(cause, &why) && why != whyLine {
		broken.Reason = string(why)
		return broken
	}
	if size-w.end > maxBatch {
		return broken
	}
	rest := make([]byte, size-w.end)
	if _, err := f.ReadAt(rest, w.end); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !tornWrite(rest, w.end, w.endHead) {
		return broken
	}
	return nil
}

// tornWrite says whether rest, which follows head at the offset base, can be
// what an unfinished write of one batch left: a beginning of that batch, in
// which sectors that never reached the disk read as zeros.
func tornWrite(rest []byte, base int64, head audit.Head) bool {
	t := tornScan{head: head, batchHead: head}
	for pos := 0; pos < len(rest); {
		if rest[pos] == 0 {
			n := zeros(rest[pos:])
			if !onSector(base, pos) && pos > 0 || !onSector(base, pos+n) && pos+n < len(rest) {
				return false
			}
			pos += n
			t.holes, t.midLine = true, true
			continue
		}
		part, ended := cutPart(rest[pos:])
		pos += len(part)
		if ended {
			pos++
		}
		if !t.part(part, ended, pos == len(rest)) {
			return false
		}
	}
	return true
}

func onSector(base int64, pos int) bool { return (base+int64(pos))%sector == 0 }

// zeros counts the zero bytes that b begins with.
func zeros(b []byte) int {
	for i, c := range b {
		if c != 0 {
			return i
		}
	}
	return len(b)
}

// cutPart returns b up to an LF or a zero byte; ended says that it was an LF.
func cutPart(b []byte) (part []byte, ended bool) {
	if i := bytes.IndexAny(b, "\n\x00"); i >= 0 {
		return b[:i], b[i] == '\n'
	}
	return b, false
}

// tornScan follows the parts of a torn write.
type tornScan struct {
	head, batchHead audit.Head // the last record seen in order; that before the write
	holes           bool       // a hole was passed: the order can't be followed
	midLine         bool       // the next part may begin in the middle of a line
}

// part takes the next stretch between line ends and holes. last says that
// nothing follows it.
func (t *tornScan) part(b []byte, ended, last bool) bool {
	mid := t.midLine
	t.midLine = false
	switch {
	case len(b) >= maxLine || hasControl(b):
		return false
	case mid:
		// A batch ends only where the write ended: anything after that would
		// be a later write, which a torn one can't precede.
		return !ended || last || !endsBatch(b)
	case !ended:
		return t.holes || begins(b, t.head)
	}
	l, err := parseSound(b)
	switch {
	case err != nil:
		return false
	case t.holes:
		// The end of the batch is there, so its number of records tells
		// whether the holes hide more than this batch.
		return l.batch == 0 || last && l.rec.Seq-l.batch == t.batchHead.Seq
	case l.batch > 0 || !follows(&l.rec, t.head):
		return false
	}
	t.head = headOf(&l.rec)
	return true
}

// endsBatch says whether b, the end of a line, has a batch in its frame.
func endsBatch(b []byte) bool {
	rest, _, ok := cutHash(b)
	if !ok {
		return false
	}
	_, batch, ok := cutBatch(rest)
	return ok && batch > 0
}

// begins says whether b is a beginning of the line that follows head.
func begins(b []byte, head audit.Head) bool {
	want := []byte(startOf(head))
	n := min(len(b), len(want))
	if !bytes.Equal(b[:n], want[:n]) {
		return false
	}
	// A whole line with something other than LF behind it was not torn.
	if i := bytes.LastIndex(b, []byte(frameHash)); i >= 0 {
		if end := i + len(frameHash) + hexLen + len(frameEnd); end < len(b) {
			_, err := parseSound(b[:end])
			return err != nil
		}
	}
	return true
}
