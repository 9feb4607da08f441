package ber_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/ber"
)

func TestBERBecomesDER(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("61", 200)
	for _, tt := range []struct{ name, in, want string }{
		{"indefinite sequence", "3080 0201 05 0000", "3003 020105"},
		{"nested indefinite", "3080 3080 0500 0000 0000", "3004 3002 0500"},
		{"indefinite inside definite", "3006 a080 0500 0000", "3004 a002 0500"},
		{"segments", "2409 0402 6162 2403 0401 63", "0403 616263"},
		{"no segments", "2480 0000", "0400"},
		{"empty segments", "2480 0400 0400 0000", "0400"},
		{"long segments", "2480 0481c8" + long + "0481c8" + long + "0000", "04820190" + long + long},
		{"implicit segments stay", "a080 0401 61 0401 62 0000", "a006 040161 040162"},
		{"length with a leading zero", "04820001 61", "0401 61"},
		{"short length in a long form", "048101 61", "0401 61"},
		{"long value in an indefinite one", "3080 0481c8" + long + "0000", "3081cb 0481c8" + long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ber.ToDER(unhex(t, tt.in), 1<<20)
			if err != nil || !bytes.Equal(got, unhex(t, tt.want)) {
				t.Errorf("%x, %v", got, err)
			}
		})
	}
}

func TestDERIsNotCopied(t *testing.T) {
	t.Parallel()
	in := unhex(t, "3009 a003 020105 0402 6162")
	got, err := ber.ToDER(in, len(in))
	if err != nil || &got[0] != &in[0] || len(got) != len(in) {
		t.Errorf("%x, %v", got, err)
	}
}

func TestWhatIsNotBERIsRefused(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing":                           "",
		"no length":                         "30",
		"value cut":                         "0403 6162",
		"member longer than its parent":     "3003 0402 6162",
		"member ends after its parent":      "3003 0402 61 62",
		"no end of contents":                "3080 0500",
		"half an end of contents":           "3080 0500 00",
		"end of contents alone":             "0000",
		"end of contents in definite":       "3002 0000",
		"indefinite primitive":              "0480 61 0000",
		"high tag":                          "1f8101 00",
		"length of nine bytes":              "0489 000000000000000001 61",
		"length beyond the address space":   "0488 ffffffffffffffff 61",
		"length cut":                        "0484 0000",
		"bytes after the element":           "0500 00",
		"another type among octet segments": "2405 0403 02 01",
		"integer among octet segments":      "2403 0201 05",
		"too deep":                          strings.Repeat("3080", 40) + strings.Repeat("0000", 40),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := ber.ToDER(unhex(t, in), 1<<20); !errors.Is(err, crypt.ErrMalformed) {
				t.Errorf("%x, %v", got, err)
			}
		})
	}
}

func TestInputOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := ber.ToDER(unhex(t, "0401 61"), 2); !errors.Is(err, crypt.ErrTooLarge) {
		t.Error(err)
	}
}

func TestImplicitSegmentsAreJoinedInPlace(t *testing.T) {
	t.Parallel()
	in := unhex(t, "040161 0400 04026263")
	got, ok := ber.Octets(in)
	if !ok || string(got) != "abc" || &got[0] != &in[0] {
		t.Errorf("%x, %v", got, ok)
	}
	for _, bad := range []string{"020161", "0402 61", "04", "2403 0401 61"} {
		if got, ok := ber.Octets(unhex(t, bad)); ok {
			t.Errorf("%s gave %x", bad, got)
		}
	}
}

func TestLengthsAreMinimal(t *testing.T) {
	t.Parallel()
	for length, want := range map[int64]string{
		0: "00", 127: "7f", 128: "8180", 255: "81ff", 256: "820100", 65535: "82ffff", 65536: "83010000", 10 << 20: "83a00000", 1 << 40: "86010000000000",
	} {
		if got := hex.EncodeToString(ber.AppendLength([]byte{0x30}, length)); got != "30"+want {
			t.Errorf("%d: %s", length, got)
		}
	}
}

func FuzzToDER(f *testing.F) {
	for _, seed := range []string{"3080 0201 05 0000", "2409 0402 6162 2403 0401 63", "a080 0401 61 0000", "04820001 61", "3009 a003 020105 0402 6162"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		der, err := ber.ToDER(in, 1<<16)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		if len(der) > 2*len(in) {
			t.Fatalf("%d bytes became %d", len(in), len(der))
		}
		again, err := ber.ToDER(der, 2<<16)
		if err != nil || !bytes.Equal(again, der) || &again[0] != &der[0] {
			t.Fatalf("%x is not DER: %v", der, err)
		}
	})
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
