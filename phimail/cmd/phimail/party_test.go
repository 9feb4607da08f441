package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An agreement is judged beside every transport: the party may collect from a
// maildir as well as run a relay.
func TestAnAgreementIsJudgedBesideEveryTransport(t *testing.T) {
	t.Parallel()
	for expires, want := range map[string]int{"2020-01-01": 77, "2999-01-01": exitOK} {
		dir := t.TempDir()
		file := filepath.Join(dir, "phimail.yaml")
		text := "from: no-reply@clinic.example\ntransport:\n  maildir: {dir: out}\n" +
			"  baa: {party: \"Archive Inc\", signed: 2019-01-10, expires: " + expires + ", document: BAA-4}\nmodes: [escrow]\n" +
			"escrow: {store: escrow/, base_url: \"http://127.0.0.1:8080/m\"}\naudit: {file: audit.jsonl}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		message := "From: no-reply@clinic.example\nTo: ada@example.org\nSubject: s\n\nhello\n"
		got := world{stdin: message}.run(t, "send", "-config", file, "-t")
		if got.code != want || strings.Contains(got.stdout, `"status":"accepted"`) != (want == exitOK) {
			t.Errorf("expires %s: %d %s %s", expires, got.code, got.stdout, got.stderr)
		}
		sent, _ := filepath.Glob(filepath.Join(dir, "out", "new", "*"))
		if (len(sent) == 1) != (want == exitOK) {
			t.Errorf("expires %s: %d messages left", expires, len(sent))
		}
	}
}
