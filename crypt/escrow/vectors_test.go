package escrow_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

var updateVectors = flag.Bool("update-vectors", false, "make the vectors anew; needs node")

// minVectors is how many there are: a walk that finds fewer went wrong.
const minVectors = 34

// vector is one of testdata/vectors.json: what both sides must find of it.
type vector struct {
	Name       string   `json:"name"`
	By         string   `json:"by"` // "go" or "webcrypto"
	Link       string   `json:"link"`
	Share      string   `json:"share"`
	Passcode   string   `json:"passcode"`
	Iterations int      `json:"iterations"`
	Salt       string   `json:"salt"`
	Access     string   `json:"access"`
	Proof      string   `json:"proof"`
	Size       int      `json:"size"`
	File       string   `json:"file"`
	Pieces     [][2]int `json:"pieces"` // of the file, one after the other
	Flip       int      `json:"flip"`   // a byte whose lowest bit is changed, -1 for none
	Opens      bool     `json:"opens"`
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []vector `json:"vectors"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < minVectors {
		t.Fatalf("%d vectors, want %d", len(file.Vectors), minVectors)
	}
	return file.Vectors
}

func (v *vector) sealed(t testing.TB) []byte {
	t.Helper()
	stored, err := os.ReadFile(filepath.Join("testdata", v.File))
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, p := range v.Pieces {
		b = append(b, stored[p[0]:p[1]]...)
	}
	if v.Flip >= 0 {
		b[v.Flip] ^= 1
	}
	return b
}

func TestVectors(t *testing.T) {
	t.Parallel()
	if *updateVectors {
		makeVectors(t)
	}
	for _, v := range loadVectors(t) {
		link, err := escrow.ParseLink(v.Link)
		if err != nil {
			t.Fatal(err)
		}
		if got := b64(link.Access()); got != v.Access {
			t.Errorf("%s: access is %s", v.Name, got)
		}
		if v.Iterations > 0 {
			proof, err := link.Proof(&escrow.Challenge{Salt: unb64(t, v.Salt), Iterations: v.Iterations}, v.Passcode)
			if got := b64(proof); err != nil || got != v.Proof {
				t.Errorf("%s: proof is %s, %v", v.Name, got, err)
			}
		}
		var got []byte
		plain, err := escrow.Open(bytes.NewReader(v.sealed(t)), link.Secret, escrow.Share(unb64(t, v.Share)), v.Passcode)
		if err == nil {
			got, err = io.ReadAll(plain)
		}
		if v.Opens != (err == nil) || v.Opens && !bytes.Equal(got, pattern(v.Size)) {
			t.Errorf("%s: %d bytes, %v", v.Name, len(got), err)
		}
		if ce, ok := errors.AsType[*crypt.Error](err); err != nil && (!ok || ce.Retry) {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// TestVectorsInJavaScript has the page's own code open the same vectors.
func TestVectorsInJavaScript(t *testing.T) {
	t.Parallel()
	want := len(loadVectors(t))
	out, err := node(t, nil, "check", "testdata")
	var report struct {
		Checked int `json:"checked"`
		Failed  int `json:"failed"`
	}
	if jerr := json.Unmarshal(out, &report); err != nil || jerr != nil || report.Checked != want || report.Failed != 0 {
		t.Errorf("%s: %v", out, err)
	}
}

// node runs testdata/vectors.mjs with the page's script.
func node(t testing.TB, stdin []byte, args ...string) ([]byte, error) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			t.Fatal("node is missing; install nodejs")
		}
		t.Skip("node is missing")
	}
	script, err := os.ReadFile("portal/assets/escrow.js")
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(t.TempDir(), "escrow.mjs")
	if err := os.WriteFile(module, script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"testdata/vectors.mjs", args[0], module}, args[1:]...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if stderr.Len() > 0 {
		t.Log(stderr.String())
	}
	return out, err
}

// makeVectors seals by both sides, and derives from each what must not open.
func makeVectors(t *testing.T) {
	t.Helper()
	const cell = escrow.ChunkSize + escrow.Overhead
	var list []vector
	for i, c := range []struct {
		by, passcode string
		iterations   int
		size         int
	}{
		{"go", "", 0, 0}, {"go", "0A1B2-C3D4E", 1000, 1}, {"go", "", 0, escrow.ChunkSize}, {"go", "ZZZZZ-99999", 2000, 2*escrow.ChunkSize + 7},
		{"webcrypto", "", 0, 0}, {"webcrypto", "oil-soup ÄÖ", 1000, 300}, {"webcrypto", "7K7K7-7K7K7", 1500, escrow.ChunkSize + 1},
	} {
		link := escrow.Link{ID: strings.Repeat(string("0123456789abcdef"[i]), 32), Secret: escrow.Secret{byte(i + 1), 2, 3}}
		share, salt := escrow.Share{9, byte(i)}, [32]byte{byte(i), 0xff, 8}
		v := vector{
			Name: c.by + " " + string(rune('a'+i)), By: c.by, Link: link.Text("https://mail.clinic.example/m"), Share: b64(share[:]), Passcode: c.passcode,
			Iterations: c.iterations, Salt: b64(salt[:]), Access: b64(link.Access()), Size: c.size,
			File: c.by + "-" + string(rune('a'+i)) + ".bin", Flip: -1, Opens: true,
		}
		if c.iterations > 0 {
			proof, err := link.Proof(&escrow.Challenge{Salt: salt[:], Iterations: c.iterations}, c.passcode)
			if err != nil {
				t.Fatal(err)
			}
			v.Proof = b64(proof)
		}
		var sealed []byte
		if c.by == "go" {
			r, err := escrow.SealBytes(link.ID, salt, link.Secret, share, c.passcode, c.iterations, bytes.NewReader(pattern(c.size)), int64(c.size))
			if err == nil {
				sealed, err = io.ReadAll(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else {
			request, err := json.Marshal(v)
			if err == nil {
				sealed, err = node(t, request, "make")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join("testdata", v.File), sealed, 0o600); err != nil {
			t.Fatal(err)
		}
		n := len(sealed)
		v.Pieces = [][2]int{{0, n}}
		list = append(list, v)
		bad := func(what string, flip int, pieces ...[2]int) {
			b := v
			b.Name, b.Flip, b.Pieces, b.Opens = v.Name+": "+what, flip, pieces, false
			list = append(list, b)
		}
		bad("last byte changed", n-1, [2]int{0, n})
		bad("one byte short", -1, [2]int{0, n - 1})
		bad("goes on", -1, [2]int{0, n}, [2]int{0, 1})
		if n > escrow.HeaderSize+2*cell {
			first, second, last := [2]int{76, 76 + cell}, [2]int{76 + cell, 76 + 2*cell}, [2]int{76 + 2*cell, n}
			bad("ends early", -1, [2]int{0, 76 + 2*cell})
			bad("chunks swapped", -1, [2]int{0, 76}, second, first, last)
			bad("a chunk twice", -1, [2]int{0, 76}, first, first, last)
			bad("a chunk left out", -1, [2]int{0, 76}, second, last)
			bad("salt changed", 40, [2]int{0, n})
			bad("size changed", 75, [2]int{0, n})
		}
	}
	out, err := json.MarshalIndent(map[string]any{"vectors": list}, "", " ")
	if err == nil {
		err = os.WriteFile("testdata/vectors.json", append(out, '\n'), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
