package auditfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"

	"github.com/phimail/sdk/audit"
)

const (
	// maxLine bounds a line with its LF, and so the memory of a reader: a Body
	// and a frame, which is at most 105 bytes.
	maxLine = audit.MaxBody + 128
	// maxBatch bounds the bytes of one Append, and so what a repair looks at.
	maxBatch = 64 << 20

	bodyStart = `{"seq":`
	bodyEnd   = `}}`

	frameBatch = `,"batch":`
	frameHash  = `,"hash":"`
	frameEnd   = `"}`

	hexLen = 2 * sha256.Size
)

var errLine = errors.New("not a line of the log")

// line is one parsed line: batch is zero unless the line ends a batch.
type line struct {
	rec   audit.Record // Hash is the one that stands in the line
	batch uint64
	sound bool // Hash is that of Body
}

// appendLine appends rec as a line; batch is zero unless rec ends a batch.
func appendLine(dst []byte, rec *audit.Record, batch int) []byte {
	dst = append(dst, rec.Body[:len(rec.Body)-1]...)
	if batch > 0 {
		dst = append(dst, frameBatch...)
		dst = strconv.AppendInt(dst, int64(batch), 10)
	}
	dst = append(dst, frameHash...)
	dst = hex.AppendEncode(dst, rec.Hash[:])
	return append(dst, frameEnd+"\n"...)
}

// parseLine reads a line without its LF. The record's Body is a copy. A line that
// is sound is one that appendLine writes, byte for byte.
func parseLine(b []byte) (line, error) {
	rest, hash, ok := cutHash(b)
	if !ok {
		return line{}, errLine
	}
	rest, batch, ok := cutBatch(rest)
	if !ok {
		return line{}, errLine
	}
	body := make([]byte, len(rest)+1)
	copy(body, rest)
	body[len(rest)] = '}'
	rec, err := parseBody(body)
	if err != nil {
		return line{}, err
	}
	sound := rec.Hash == hash
	rec.Hash = hash
	return line{rec: rec, batch: batch, sound: sound}, nil
}

// parseSound is parseLine for a line that must be sound.
func parseSound(b []byte) (line, error) {
	l, err := parseLine(b)
	if err != nil || !l.sound {
		return line{}, errLine
	}
	return l, nil
}

// parseBody is audit.ParseRecord and what this format asks beyond it: that a
// Body ends in two braces, so that its frame is told from it, and stays on its
// line.
func parseBody(body []byte) (audit.Record, error) {
	rec, err := audit.ParseRecord(body)
	if err != nil || !bytes.HasSuffix(body, []byte(bodyEnd)) || hasControl(body) {
		return audit.Record{}, errLine
	}
	return rec, nil
}

// cutHash takes the hash and the end off a line.
func cutHash(b []byte) (rest []byte, hash audit.Hash, ok bool) {
	b, ok = bytes.CutSuffix(b, []byte(frameEnd))
	if !ok || len(b) < hexLen {
		return nil, hash, false
	}
	hash, ok = parseHash(b[len(b)-hexLen:])
	if !ok {
		return nil, hash, false
	}
	rest, ok = bytes.CutSuffix(b[:len(b)-hexLen], []byte(frameHash))
	return rest, hash, ok
}

// cutBatch takes the batch off what cutHash left. A Body's last byte but one is
// a brace, so a digit here is always the frame's.
func cutBatch(b []byte) (rest []byte, batch uint64, ok bool) {
	if len(b) == 0 || b[len(b)-1] == '}' {
		return b, 0, true
	}
	i := bytes.LastIndex(b, []byte(frameBatch))
	if i < 0 {
		return nil, 0, false
	}
	batch, digits := parseNumber(b[i+len(frameBatch):])
	return b[:i], batch, digits > 0 && digits == len(b)-i-len(frameBatch)
}

// parseSeq reads the number at the start of a Body or a line.
func parseSeq(b []byte) (seq uint64, rest []byte, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(bodyStart))
	if !ok {
		return 0, nil, false
	}
	seq, n := parseNumber(b)
	return seq, b[n:], n > 0
}

// parseNumber reads the decimal number that b starts with: positive, without
// leading zeros. digits is zero if there is none.
func parseNumber(b []byte) (n uint64, digits int) {
	const longest = 20
	for digits < len(b) && digits <= longest && b[digits] >= '0' && b[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseUint(string(b[:digits]), 10, 64)
	if err != nil || b[0] == '0' {
		return 0, 0
	}
	return n, digits
}

// parseHash reads 64 lower-case hex digits.
func parseHash(b []byte) (h audit.Hash, ok bool) {
	if _, err := hex.Decode(h[:], b); err != nil {
		return h, false
	}
	return h, !slices.ContainsFunc(b, func(c byte) bool { return c >= 'A' && c <= 'F' })
}

// startOf is how the line that follows head must start.
func startOf(head audit.Head) string {
	return bodyStart + strconv.FormatUint(head.Seq+1, 10) + `,"prev":"` + head.Hash.String() + `","event":{`
}

func hasControl(b []byte) bool {
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return false
}

func headOf(rec *audit.Record) audit.Head { return audit.Head{Seq: rec.Seq, Hash: rec.Hash} }

// follows says whether rec is the record after head.
func follows(rec *audit.Record, head audit.Head) bool {
	return rec.Seq == head.Seq+1 && rec.Prev == head.Hash
}
