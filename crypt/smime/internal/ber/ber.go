// Package ber turns BER, the loose encoding that other mail programs write CMS
// in, into DER, which cryptobyte reads (ITU-T X.690).
//
// Programs that stream use indefinite lengths and cut octet strings into
// segments (RFC 5652 section 1 allows both). The rest of crypt/smime never sees
// either.
package ber

import (
	"bytes"
	"encoding/binary"

	"github.com/phimail/sdk/crypt"
)

// maxDepth bounds nesting. A signed message with its certificates needs about
// fifteen levels.
const maxDepth = 32

const (
	constructed    = 0x20
	highTag        = 0x1f
	endOfContents  = 0x00
	octetString    = 0x04
	octetSegments  = octetString | constructed
	indefinite     = 0x80
	maxLengthBytes = 8
)

// ToDER returns in with definite, minimal lengths and with universal octet
// strings in one piece. It returns in itself if that is so already. It reads
// exactly one element, and refuses bytes after it.
//
// What only a schema can tell stays: an implicitly tagged octet string in
// segments remains a constructed element (see [Octets]), the order of a SET and
// the bytes of values are those of in.
//
// Its errors are [*crypt.Error]: ErrTooLarge if in is longer than limit bytes,
// ErrMalformed if it is not BER, or deeper than 32 levels. Time and memory are
// proportional to the length of in.
func ToDER(in []byte, limit int) ([]byte, error) {
	if len(in) > limit {
		return nil, &crypt.Error{Reason: crypt.ErrTooLarge}
	}
	end, exact, ok := check(in, 0)
	if !ok || end != len(in) {
		return nil, &crypt.Error{Reason: crypt.ErrMalformed}
	}
	if exact {
		return in, nil
	}
	out, _ := rewrite(make([]byte, 0, len(in)+len(in)/16), in)
	return out, nil
}

// Octets returns the octets of an implicitly tagged octet string in segments:
// the value of its element, as ToDER leaves it, with the headers of the segments
// taken out. It works in place, so value is worth nothing afterwards.
func Octets(value []byte) ([]byte, bool) {
	out := value[:0]
	for len(value) > 0 {
		h, ok := header(value)
		if !ok || h.tag != octetString || h.size+h.length > len(value) {
			return nil, false
		}
		out = append(out, value[h.size:h.size+h.length]...)
		value = value[h.size+h.length:]
	}
	return out, true
}

// head is what precedes the value of an element.
type head struct {
	tag    byte
	size   int // of the head itself
	length int // of the value, unless endless
	// endless is an indefinite length; minimal is a length as DER writes it.
	endless, minimal bool
}

func header(in []byte) (h head, ok bool) {
	if len(in) < 2 || in[0]&highTag == highTag {
		return h, false // CMS has no tag above 30
	}
	h = head{tag: in[0], size: 2, length: int(in[1])}
	switch {
	case in[1] < indefinite:
		h.minimal = true
	case in[1] == indefinite:
		h.endless = true
		return h, h.tag&constructed != 0
	default:
		n := int(in[1] &^ indefinite)
		if n > maxLengthBytes || len(in) < 2+n {
			return h, false
		}
		var padded [maxLengthBytes]byte
		copy(padded[maxLengthBytes-n:], in[2:2+n])
		length := binary.BigEndian.Uint64(padded[:])
		if length > uint64(len(in)) {
			return h, false
		}
		h.size, h.length = 2+n, int(length) //nolint:gosec // not longer than in
		h.minimal = length >= indefinite && in[2] != 0
	}
	return h, h.length <= len(in)-h.size
}

// check reads one element and says where it ends, and whether rewrite would
// change it.
func check(in []byte, depth int) (end int, exact, ok bool) {
	h, ok := header(in)
	if !ok || depth > maxDepth || h.tag == endOfContents {
		return 0, false, false
	}
	if h.tag&constructed == 0 {
		return h.size + h.length, h.minimal, true
	}
	exact = h.minimal && h.tag != octetSegments
	limit := len(in)
	if !h.endless {
		limit = h.size + h.length
	}
	at := h.size
	for at < limit {
		if h.endless && ended(in[at:]) {
			return at + 2, false, true
		}
		if h.tag == octetSegments && in[at]&^constructed != octetString {
			return 0, false, false
		}
		n, same, ok := check(in[at:limit], depth+1)
		if !ok {
			return 0, false, false
		}
		at += n
		exact = exact && same
	}
	return at, exact, !h.endless
}

func ended(in []byte) bool {
	return len(in) >= 2 && in[0] == endOfContents && in[1] == 0
}

// rewrite appends the DER of the element that in begins with, which check has
// passed, and returns what follows the element.
func rewrite(out, in []byte) (to, rest []byte) {
	h, _ := header(in)
	tag := h.tag
	if tag == octetSegments {
		tag = octetString
	}
	out = append(out, tag, 0)
	start := len(out)
	switch {
	case h.tag&constructed == 0:
		out = append(out, in[h.size:h.size+h.length]...)
		rest = in[h.size+h.length:]
	case h.endless:
		for rest = in[h.size:]; !ended(rest); {
			out, rest = member(out, rest, h.tag)
		}
		rest = rest[2:]
	default:
		for value := in[h.size : h.size+h.length]; len(value) > 0; {
			out, value = member(out, value, h.tag)
		}
		rest = in[h.size+h.length:]
	}
	return setLength(out, start), rest
}

// member appends one member of a constructed element. A segment of an octet
// string gives only its octets.
func member(out, in []byte, parent byte) (to, rest []byte) {
	if parent != octetSegments {
		return rewrite(out, in)
	}
	start := len(out)
	out, rest = rewrite(out, in)
	h, _ := header(out[start:])
	copy(out[start:], out[start+h.size:])
	return out[:len(out)-h.size], rest
}

// setLength puts the length of the value out[start:] before it, in place of the
// one byte that is kept free for it.
func setLength(out []byte, start int) []byte {
	length := len(out) - start
	var room [1 + maxLengthBytes]byte
	before := AppendLength(room[:0], int64(length))
	more := len(before) - 1
	out = append(out, before[:more]...) // only to grow it
	copy(out[start+more:], out[start:start+length])
	copy(out[start-1:], before)
	return out
}

// AppendLength appends a length, which is not negative, as DER writes it.
func AppendLength(out []byte, length int64) []byte {
	if length < indefinite {
		return append(out, byte(length)) //nolint:gosec // it fits
	}
	var long [maxLengthBytes]byte
	binary.BigEndian.PutUint64(long[:], uint64(length)) //nolint:gosec // not negative
	digits := bytes.TrimLeft(long[:], "\x00")
	return append(append(out, indefinite|byte(len(digits))), digits...) //nolint:gosec // eight at most
}
