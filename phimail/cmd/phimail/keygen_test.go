package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/dkim"
)

func TestKeygenMakesAKeyWhoseRecordMatches(t *testing.T) {
	t.Parallel()
	for algorithm, want := range map[string][]string{
		"rsa": {"s1"}, "ed25519": {"s1"}, "both": {"s1", "s1-ed25519"},
	} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "dkim.pem")
			r := world{}.run(t, "keygen", "dkim", "-domain", "clinic.example", "-selector", "s1", "-algorithm", algorithm, "-out", out)
			r.want(t, exitOK, "Publish this DNS record")
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			if len(lines) != len(want) {
				t.Fatalf("got %d lines, want %d", len(lines), len(want))
			}
			for i, line := range lines {
				var k keyJSON
				if err := json.Unmarshal([]byte(line), &k); err != nil {
					t.Fatal(err)
				}
				checkKey(t, &k, want[i])
				if strings.Contains(r.stdout+r.stderr, "PRIVATE") {
					t.Error("the private key was printed")
				}
			}
		})
	}
}

func checkKey(t *testing.T, k *keyJSON, selector string) {
	t.Helper()
	info, err := os.Stat(k.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", info.Mode().Perm())
	}
	data, err := os.ReadFile(k.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := dkim.ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	key := dkim.Key{Domain: "clinic.example", Selector: selector, Signer: signer}
	if k.Name != selector+"._domainkey.clinic.example" || k.Type != "TXT" || strings.Join(k.Strings, "") != k.Value {
		t.Errorf("the record is %q %q, its strings %q", k.Name, k.Type, k.Strings)
	}
	if err := dkim.CheckRecord(k.Value, key); err != nil {
		t.Errorf("the record does not match the key: %v", err)
	}
	for _, s := range k.Strings {
		if len(s) > 255 {
			t.Errorf("a string of %d octets", len(s))
		}
	}
}

func TestKeygenNeverReplacesAFile(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "dkim.pem")
	writeFile(t, out, "a key in use", 0o600)
	r := world{}.run(t, "keygen", "dkim", "-domain", "clinic.example", "-selector", "s1", "-algorithm", "ed25519", "-out", out)
	r.want(t, exitConfig, "exists already and is not replaced")
	if data, err := os.ReadFile(out); err != nil || string(data) != "a key in use" {
		t.Errorf("the file now holds %q (%v)", data, err)
	}
}
