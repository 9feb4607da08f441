package escrow_test

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"testing"
	"testing/iotest"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

const testID = "0123456789abcdef0123456789abcdef"

// sealedForm seals under keys of zeros.
func sealedForm(tb testing.TB, plain []byte, passcode string) []byte {
	tb.Helper()
	iterations := 0
	if passcode != "" {
		iterations = 1000
	}
	r, err := escrow.SealBytes(testID, [32]byte{}, escrow.Secret{}, escrow.Share{}, passcode, iterations, bytes.NewReader(plain), int64(len(plain)))
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(iotest.OneByteReader(r))
	if len(plain) > 100 {
		b, err = io.ReadAll(io.MultiReader(bytes.NewReader(b)))
	}
	if err != nil {
		tb.Fatal(err)
	}
	if int64(len(b)) != escrow.SealedSize(int64(len(plain))) {
		tb.Fatalf("sealed %d bytes, said %d", len(b), escrow.SealedSize(int64(len(plain))))
	}
	return b
}

func unseal(b []byte) ([]byte, error) {
	r, err := escrow.Open(bytes.NewReader(b), escrow.Secret{}, escrow.Share{}, "")
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 / 3)
	}
	return b
}

func TestEverySizeComesBack(t *testing.T) {
	t.Parallel()
	ways := map[string]func([]byte) io.Reader{
		"in memory": func(b []byte) io.Reader { return bytes.NewReader(b) },
		"read":      func(b []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(b)) },
		"in parts": func(b []byte) io.Reader {
			return io.MultiReader(bytes.NewReader(b[:len(b)/3]), iotest.HalfReader(bytes.NewReader(b[len(b)/3:])))
		},
	}
	for _, n := range []int{0, 1, 27, escrow.ChunkSize - 1, escrow.ChunkSize, escrow.ChunkSize + 1, 3 * escrow.ChunkSize, 3*escrow.ChunkSize + 5} {
		plain := pattern(n)
		got, err := unseal(sealedForm(t, plain, ""))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
		for name, source := range ways {
			for want, size := range map[string]int{"": n, "longer": n - 1, "shorter": n + 1} {
				if size < 0 {
					continue
				}
				r, err := escrow.SealBytes(testID, [32]byte{}, escrow.Secret{}, escrow.Share{}, "", 0, source(plain), int64(size))
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				_, err = io.Copy(&out, r)
				if want != "" {
					if !errors.Is(err, crypt.ErrEntity) {
						t.Errorf("%d bytes %s, %s than said: %v", n, name, want, err)
					}
					continue
				}
				if got, uerr := unseal(out.Bytes()); err != nil || uerr != nil || !bytes.Equal(got, plain) {
					t.Errorf("%d bytes %s: %v, %v", n, name, err, uerr)
				}
			}
		}
	}
}

// Whatever is changed of the sealed form, nothing of the changed part is released,
// and the end is never reached.
func TestWhatWasAlteredDoesNotOpen(t *testing.T) {
	t.Parallel()
	const cell = escrow.ChunkSize + escrow.Overhead
	plain := pattern(3*escrow.ChunkSize + 100)
	good := sealedForm(t, plain, "")
	chunk := func(b []byte, i int) []byte { return b[escrow.HeaderSize+i*cell:][:cell] }
	other := sealedForm(t, plain, "") // another sealing of the same: other nonces, the same key
	tests := map[string]func(b []byte) []byte{
		"nothing":         func([]byte) []byte { return nil },
		"half a header":   func(b []byte) []byte { return b[:40] },
		"header only":     func(b []byte) []byte { return b[:escrow.HeaderSize] },
		"one byte less":   func(b []byte) []byte { return b[:len(b)-1] },
		"one byte more":   func(b []byte) []byte { return append(b, 0) },
		"last chunk gone": func(b []byte) []byte { return b[:escrow.HeaderSize+3*cell] },
		"first chunk gone": func(b []byte) []byte {
			return append(b[:escrow.HeaderSize:escrow.HeaderSize], b[escrow.HeaderSize+cell:]...)
		},
		"chunk twice": func(b []byte) []byte { copy(chunk(b, 1), chunk(b, 0)); return b },
		"chunks swapped": func(b []byte) []byte {
			c := bytes.Clone(chunk(b, 0))
			copy(chunk(b, 0), chunk(b, 1))
			copy(chunk(b, 1), c)
			return b
		},
		"shorter by header": func(b []byte) []byte { b[escrow.HeaderSize-2]--; return b[:escrow.HeaderSize+2*cell] },
	}
	for i := range escrow.HeaderSize {
		tests["header byte "+string(rune('A'+i/10))+string(rune('0'+i%10))] = func(b []byte) []byte { b[i] ^= 1; return b }
	}
	for _, at := range []int{0, 11, 12, 13, 5000, cell - 1, cell, 3*cell + 5, len(good) - escrow.HeaderSize - 1} {
		tests["content byte "+string(rune('0'+at%10))+string(rune('A'+at%26))] = func(b []byte) []byte { b[escrow.HeaderSize+at] ^= 0x80; return b }
	}
	for name, change := range tests {
		b := change(bytes.Clone(good))
		got, err := unseal(b)
		if ce, ok := errors.AsType[*crypt.Error](err); !ok || ce.Retry {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(plain, got) || len(got) == len(plain) && name != "one byte more" {
			t.Errorf("%s: released %d bytes that were not sealed so", name, len(got))
		}
	}
	mixed := bytes.Clone(good)
	copy(chunk(mixed, 1), chunk(other, 1))
	if got, err := unseal(mixed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("the same chunk of another sealing of the same item is the same chunk: %v", err)
	}
}

// A chunk of another item does not open in its place, and neither does another
// item under this item's keys.
func TestItemsCanNotBeSwapped(t *testing.T) {
	t.Parallel()
	plain := pattern(2 * escrow.ChunkSize)
	of := func(id string, salt, secret, share byte) []byte {
		r, err := escrow.SealBytes(id, [32]byte{salt}, escrow.Secret{secret}, escrow.Share{share}, "", 0, bytes.NewReader(plain), int64(len(plain)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := of(testID, 0, 0, 0)
	for name, b := range map[string][]byte{
		"id": of("1123456789abcdef0123456789abcdef", 0, 0, 0), "salt": of(testID, 1, 0, 0), "secret": of(testID, 0, 1, 0), "share": of(testID, 0, 0, 1),
	} {
		swapped := append(bytes.Clone(good[:escrow.HeaderSize]), b[escrow.HeaderSize:]...)
		if _, err := unseal(swapped); !errors.Is(err, crypt.ErrIntegrity) {
			t.Errorf("chunks of another %s opened: %v", name, err)
		}
		if name == "secret" || name == "share" {
			if _, err := unseal(b); !errors.Is(err, crypt.ErrIntegrity) {
				t.Errorf("another %s opened: %v", name, err)
			}
		}
	}
}

func TestThePlaintextMustBeOfItsSize(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		plain string
		size  int64
	}{"shorter": {"abc", 4}, "longer": {"abcde", 4}, "empty": {"", 1}} {
		r, err := escrow.SealBytes(testID, [32]byte{}, escrow.Secret{}, escrow.Share{}, "", 0, bytes.NewReader([]byte(tt.plain)), tt.size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, crypt.ErrEntity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPasscodesAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	b := sealedForm(t, []byte("x"), "01AB-C0FGH")
	for code, ok := range map[string]bool{
		"01ABC0FGH": true, "oiab cofgh": true, "OLAB\u2011C0FGH ": true, "01ABC0FG": false, "01ABD0FGH": false, "": false,
	} {
		r, err := escrow.Open(bytes.NewReader(b), escrow.Secret{}, escrow.Share{}, code)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); (err == nil) != ok {
			t.Errorf("%q: %v", code, err)
		}
	}
}

func TestLinksAreReadAsMailSystemsLeaveThem(t *testing.T) {
	t.Parallel()
	link := escrow.Link{ID: testID, Secret: escrow.Secret{1, 2, 3, 250}}
	text := link.Text("https://mail.clinic.example/m/")
	if got := len(text); got != len("https://mail.clinic.example/m/")+32+4+43 {
		t.Errorf("%q", text)
	}
	for name, s := range map[string]string{
		"as it is":          text,
		"spaces around":     " " + text + "\r\n",
		"percent-encoded":   "https://mail.clinic.example/m/" + testID + "%23" + text[len(text)-46:],
		"query added":       "https://mail.clinic.example/m/" + testID + "?utm_source=mail#" + text[len(text)-46:],
		"slash added":       "https://mail.clinic.example/m/" + testID + "/#" + text[len(text)-46:],
		"appended":          text + "&utm_source=mail",
		"wrapped":           "https://safe.example/?url=" + url.QueryEscape(text) + "&data=1",
		"wrapped twice":     "https://track.example/c?u=" + url.QueryEscape("https://safe.example/?url="+url.QueryEscape(text)),
		"fragment carried":  "https://safe.example/?url=" + url.QueryEscape(text[:len(text)-47]) + "#" + text[len(text)-46:],
		"dot percent-coded": "https://mail.clinic.example/m/" + testID + "#s1%2E" + text[len(text)-43:],
	} {
		got, err := escrow.ParseLink(s)
		if err != nil || got != link {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "no fragment": text[:len(text)-47], "cut": text[:len(text)-1], "other version": "https://m.example/" + testID + "#s2." + text[len(text)-43:],
		"bad id": "https://m.example/xyz#" + text[len(text)-46:], "longer": text + "A", "loop": "https://a.example/?u=https://a.example/?u=https://a.example/",
	} {
		if _, err := escrow.ParseLink(s); !errors.Is(err, crypt.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
