package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
)

// MaxBody is the most bytes that the Body of a Record may have, so that a
// reader of untrusted storage can bound its lines.
const MaxBody = 64 << 10

// ErrMalformed: the bytes are not the Body of a Record as this package writes
// it. It matches ErrBroken too.
var ErrMalformed = fmt.Errorf("audit: not a record of this format: %w", ErrBroken)

// The frame around the event. A Body is exactly
// seqPrefix N prevPrefix HEX eventPrefix OBJECT }.
const (
	seqPrefix   = `{"seq":`
	prevPrefix  = `,"prev":"`
	eventPrefix = `","event":`
	hexLen      = 2 * sha256.Size
	// frameRoom bounds the bytes of a Body beside what a caller of Append and
	// Config.Library bring.
	frameRoom = 512
)

// appendFrame opens a Body, up to its event.
func appendFrame(b []byte, seq uint64, prev Hash) []byte {
	b = append(b, seqPrefix...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, prevPrefix...)
	b = hex.AppendEncode(b, prev[:])
	return append(b, eventPrefix...)
}

// EncodeBody returns the Body of a record. A Log does this itself; it is for
// tests of sinks and for tools.
func EncodeBody(seq uint64, prev Hash, e *Event) ([]byte, error) {
	event, err := json.Marshal(e)
	if err != nil {
		return nil, ErrMalformed
	}
	b := appendFrame(make([]byte, 0, len(event)+frameRoom), seq, prev)
	b = append(append(b, event...), '}')
	if seq == 0 || len(b) > MaxBody {
		return nil, ErrMalformed
	}
	return b, nil
}

// ParseRecord reads the frame of a Body and computes its Hash, for a sink that
// stores only bodies. It doesn't look into the event; see DecodeBody. The
// Record keeps body. Its only error is ErrMalformed.
func ParseRecord(body []byte) (Record, error) {
	rec, _, err := cutFrame(body)
	if err != nil {
		return Record{}, err
	}
	rec.Body, rec.Hash = body, sha256.Sum256(body)
	return rec, nil
}

// cutFrame reads the number and the link, and returns the bytes of the event.
func cutFrame(body []byte) (Record, []byte, error) {
	var rec Record
	if len(body) > MaxBody {
		return rec, nil, ErrMalformed
	}
	rest, ok := bytes.CutPrefix(body, []byte(seqPrefix))
	if !ok {
		return rec, nil, ErrMalformed
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	seq, err := strconv.ParseUint(string(rest[:digits]), 10, 64)
	if err != nil || seq == 0 || rest[0] == '0' {
		return rec, nil, ErrMalformed
	}
	rest, ok = bytes.CutPrefix(rest[digits:], []byte(prevPrefix))
	if !ok || len(rest) < hexLen {
		return rec, nil, ErrMalformed
	}
	for _, c := range rest[:hexLen] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return rec, nil, ErrMalformed
		}
	}
	if _, err := hex.Decode(rec.Prev[:], rest[:hexLen]); err != nil {
		return rec, nil, ErrMalformed
	}
	event, ok := bytes.CutPrefix(rest[hexLen:], []byte(eventPrefix))
	if !ok || len(event) < len("{}}") || event[0] != '{' || event[len(event)-1] != '}' {
		return rec, nil, ErrMalformed
	}
	rec.Seq = seq
	return rec, event[:len(event)-1], nil
}

// DecodeBody reads the Body of a record: its number, the hash of the record
// before it and its event. It takes at most MaxBody bytes of the one form that
// a Log writes. Fields that a later version added are ignored; anything that
// two readers could understand differently, such as a name that stands twice, is
// refused. Its only error is ErrMalformed.
func DecodeBody(body []byte) (seq uint64, prev Hash, event Event, err error) {
	rec, raw, err := cutFrame(body)
	if err != nil {
		return 0, Hash{}, Event{}, err
	}
	if event, err = decodeEvent(raw); err != nil {
		return 0, Hash{}, Event{}, err
	}
	if event.Version < 1 || event.Kind == "" || event.Time == "" {
		return 0, Hash{}, Event{}, ErrMalformed
	}
	return rec.Seq, rec.Prev, event, nil
}

// decodeRecord decodes rec and holds its fields against its Body.
func decodeRecord(rec *Record) (Event, error) {
	seq, prev, event, err := DecodeBody(rec.Body)
	if err != nil {
		return Event{}, err
	}
	if seq != rec.Seq || prev != rec.Prev || rec.Hash != sha256.Sum256(rec.Body) {
		return Event{}, ErrMalformed
	}
	return event, nil
}
