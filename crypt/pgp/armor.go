package pgp

import (
	"encoding/base64"
	"io"
)

const (
	// lineBytes make lines of 64 characters, as every program writes them. RFC
	// 9580 section 6.2 allows 76.
	lineBytes = 48
	lineChars = 64
	// blockLines are encoded at a time.
	blockLines = 512
)

// armored writes ASCII armor (RFC 9580 section 6) with CRLF line ends and the
// checksum that RNP wants: go-crypto's writer has LF alone and computes the
// checksum bit by bit, which takes as long as encrypting.
type armored struct {
	w    io.Writer
	in   []byte // not written yet, whole lines fit it
	out  []byte
	crc  uint32
	kind string
	err  error
}

// newArmor begins a block, with room for about size bytes, at most for some lines.
func newArmor(w io.Writer, kind string, size int64) *armored {
	n := int(min(size/lineBytes+1, blockLines))
	a := &armored{w: w, in: make([]byte, 0, n*lineBytes), out: make([]byte, 0, n*(lineChars+2)), crc: crcInit, kind: kind}
	a.put([]byte("-----BEGIN " + kind + "-----\r\n\r\n"))
	return a
}

// Write encodes p. Its error is that of the writer below, at once or later.
func (a *armored) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && a.err == nil {
		taken := min(cap(a.in)-len(a.in), len(p))
		a.in = append(a.in, p[:taken]...)
		p = p[taken:]
		if len(a.in) == cap(a.in) {
			a.flush()
		}
	}
	return n - len(p), a.err
}

// Close writes the rest and the checksum.
func (a *armored) Close() error {
	a.flush()
	sum := []byte{byte(a.crc >> 16), byte(a.crc >> 8), byte(a.crc)} //nolint:gosec // 24 bits
	a.put([]byte("=" + base64.StdEncoding.EncodeToString(sum) + "\r\n-----END " + a.kind + "-----\r\n"))
	return a.err
}

func (a *armored) flush() {
	a.crc = crc24(a.crc, a.in)
	a.out = a.out[:0]
	for in := a.in; len(in) > 0; {
		n := min(lineBytes, len(in))
		a.out = append(base64.StdEncoding.AppendEncode(a.out, in[:n]), "\r\n"...)
		in = in[n:]
	}
	a.in = a.in[:0]
	a.put(a.out)
}

func (a *armored) put(b []byte) {
	if a.err == nil && len(b) > 0 {
		_, a.err = a.w.Write(b)
	}
}

// RFC 9580 section 6.1.
const (
	crcInit = 0xb704ce
	crcPoly = 0x1864cfb
)

// crcTables take four bytes at a time.
var crcTables = func() *[4][256]uint32 {
	var t [4][256]uint32
	for i := range t[0] {
		c := uint32(i) << 16
		for range 8 {
			if c <<= 1; c&0x1000000 != 0 {
				c ^= crcPoly
			}
		}
		t[0][i] = c
	}
	for i := range t[0] {
		for n := 1; n < len(t); n++ {
			c := t[n-1][i]
			t[n][i] = t[0][c>>16] ^ c<<8&0xffffff
		}
	}
	return &t
}()

func crc24(crc uint32, b []byte) uint32 {
	t := crcTables
	for ; len(b) >= 4; b = b[4:] {
		crc = t[3][byte(crc>>16)^b[0]] ^ t[2][byte(crc>>8)^b[1]] ^ t[1][byte(crc)^b[2]] ^ t[0][b[3]] //nolint:gosec // 24 bits
	}
	for _, c := range b {
		crc = crc<<8&0xffffff ^ t[0][byte(crc>>16)^c] //nolint:gosec // 24 bits
	}
	return crc
}
