package parts_test

import (
	"bytes"
	"testing"

	"github.com/phimail/sdk/crypt/internal/parts"
)

func TestPartsAreExactlyAsMany(t *testing.T) {
	t.Parallel()
	const two = "preamble\r\n--b\r\none\r\n--bogus\r\n--b \r\ntwo\r\n--b--\r\nepilogue"
	got, ok := parts.Split([]byte(two), "b", 2)
	if !ok || string(got[0]) != "one\r\n--bogus" || string(got[1]) != "two" {
		t.Errorf("%q, %t", got, ok)
	}
	for name, n := range map[string]int{"too few": 3, "too many": 1} {
		if _, ok := parts.Split([]byte(two), "b", n); ok {
			t.Error(name)
		}
	}
	for _, in := range []string{"", "--b--", "--b\r\none\r\n--b\r\ntwo", "x--b\r\none\r\n--b\r\ntwo\r\n--b--"} {
		if _, ok := parts.Split([]byte(in), "b", 2); ok {
			t.Errorf("%q has two parts", in)
		}
	}
	if _, ok := parts.Split([]byte(two), "", 2); ok {
		t.Error("no boundary")
	}
}

func TestLinesEndWithCRLF(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a\nb\r\nc": "a\r\nb\r\nc", "a\r\n": "a\r\n", "": "", "\n": "\r\n"} {
		if got := parts.Canonical([]byte(in)); !bytes.Equal(got, []byte(want)) {
			t.Errorf("%q: %q", in, got)
		}
	}
}
