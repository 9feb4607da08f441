// Package wycheproof brings the test vectors of project Wycheproof
// (github.com/google/wycheproof, Apache-2.0) to the tests of cms and sign. They are
// a module of 10 MB that the go command downloads, and no part of this one.
package wycheproof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The module, and the hash of its content that the go command computes.
const (
	module = "github.com/google/wycheproof@v0.0.0-20191219022705-2196000605e4"
	sum    = "h1:/jhsqtCSTRK25HsqYePIHeLbPIDBwVOANhQmWRdgsyA="
)

// File is one file of vectors, with the fields that our tests look at.
type File struct {
	Algorithm     string  `json:"algorithm"`
	NumberOfTests int     `json:"numberOfTests"`
	Groups        []Group `json:"testGroups"`
}

// Group is vectors with a key, or with sizes, in common. Sizes are in bits.
type Group struct {
	IVSize     int      `json:"ivSize"`
	TagSize    int      `json:"tagSize"`
	SaltLength int      `json:"sLen"` // in bytes
	Hash       string   `json:"sha"`
	MaskHash   string   `json:"mgfSha"`
	PublicKey  Hex      `json:"keyDer"`
	PrivateKey Hex      `json:"privateKeyPkcs8"`
	Tests      []Vector `json:"tests"`
}

// Vector is one test.
type Vector struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Result  Result `json:"result"`
	Key     Hex    `json:"key"`
	IV      Hex    `json:"iv"`
	AAD     Hex    `json:"aad"`
	Message Hex    `json:"msg"`
	Cipher  Hex    `json:"ct"`
	Tag     Hex    `json:"tag"`
	Label   Hex    `json:"label"`
	Sig     Hex    `json:"sig"`
	Public  Hex    `json:"public"`
	Private Hex    `json:"private"`
	Shared  Hex    `json:"shared"`
}

// Result is what an implementation has to say. Acceptable is either.
type Result string

// The results.
const (
	Valid      Result = "valid"
	Acceptable Result = "acceptable"
	Invalid    Result = "invalid"
)

// Agrees reports whether taking a vector for valid, or not, is right.
func (r Result) Agrees(valid bool) bool {
	return r == Acceptable || valid == (r == Valid)
}

// Hex is bytes. JSON has their digits, of numbers an odd count too.
type Hex []byte

// UnmarshalText decodes the digits.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	if len(text)%2 == 1 {
		text = append([]byte("0"), text...)
	}
	*h, err = hex.DecodeString(string(text))
	return err
}

// Dir downloads the vectors, once a machine, and returns their folder. Without
// them the test is skipped, or fails where PHIMAIL_REAL_PEERS is 1.
func Dir(tb testing.TB) string {
	tb.Helper()
	stop := tb.Skip
	if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
		stop = tb.Fatal
	}
	cmd := exec.CommandContext(tb.Context(), "go", "mod", "download", "-json", module)
	cmd.Dir = tb.TempDir() // so that no go.mod of ours is touched
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var diagnostics bytes.Buffer
	cmd.Stderr = &diagnostics
	out, err := cmd.Output()
	var got struct {
		Dir   string `json:"Dir"`
		Sum   string `json:"Sum"`
		Error string `json:"Error"`
	}
	if jsonErr := json.Unmarshal(out, &got); err != nil || jsonErr != nil || got.Error != "" {
		stop("the vectors could not be downloaded: ", err, jsonErr, got.Error, diagnostics.String())
	}
	if got.Sum != sum {
		tb.Fatalf("the vectors are %s, not %s", got.Sum, sum)
	}
	return filepath.Join(got.Dir, "testvectors")
}

// Read reads a file of Dir, such as "kw", and fails if it has another number of
// vectors than count.
func Read(tb testing.TB, dir, name string, count int) *File {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name+"_test.json"))
	if err != nil {
		tb.Fatal(err)
	}
	f := &File{}
	if err := json.Unmarshal(data, f); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	n := 0
	for _, g := range f.Groups {
		n += len(g.Tests)
	}
	if n != count || n != f.NumberOfTests {
		tb.Errorf("%s: %d vectors, not %d", name, n, count)
	}
	return f
}
