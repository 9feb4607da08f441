package pgp_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

// bitwise is the checksum as RFC 9580 section 6.1.1 computes it.
func bitwise(b []byte) uint32 {
	crc := uint32(0xb704ce)
	for _, c := range b {
		crc ^= uint32(c) << 16
		for range 8 {
			if crc <<= 1; crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return crc & 0xffffff
}

func TestTheChecksumIsThatOfTheStandard(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // only lengths and filling
	for n := range 100 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if got, want := pgp.CRC24(b), bitwise(b); got != want {
			t.Fatalf("%d bytes: %06x, want %06x", n, got, want)
		}
	}
}

// Messages of every length end in some other way: in a full line, after one byte.
func TestArmorOfEveryLengthIsRead(t *testing.T) {
	t.Parallel()
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	s := newSealer(t, pgp.Config{Keys: having(k)})
	for n := range 100 {
		body := strings.Repeat("x", n) + "\r\n"
		out, _ := seal(t, s, job(t, s, textHead+body, dana))
		_, rest, _ := strings.Cut(string(out), "octet-stream")
		block, err := armor.Decode(strings.NewReader(rest[strings.Index(rest, "-----BEGIN"):]))
		if err != nil {
			t.Fatal(n, err)
		}
		if _, err := io.Copy(io.Discard, block.Body); err != nil {
			t.Fatal(n, err)
		}
		for line := range bytes.SplitSeq(out, []byte("\r\n")) {
			if len(line) > 76 {
				t.Fatalf("%d: a line of %d", n, len(line))
			}
		}
	}
}
