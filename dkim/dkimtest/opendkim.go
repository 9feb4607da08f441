package dkimtest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// OpenDKIM verifies with Debian's opendkim in its test mode, each signature by
// itself: by default it stops after three.
func OpenDKIM(tb testing.TB, message []byte, records Records) []Result {
	tb.Helper()
	path := program(tb, "opendkim", "opendkim")
	dir := tb.TempDir()
	keys, conf := filepath.Join(dir, "keys"), filepath.Join(dir, "opendkim.conf")
	records.write(tb, keys, " ")
	writeFile(tb, conf, []byte("TestPublicKeys "+keys+"\nTemporaryDirectory "+dir+"\n"))
	var results []Result
	signatures, rest := split(tb, message)
	for _, s := range signatures {
		eml := filepath.Join(dir, "message.eml")
		writeFile(tb, eml, slices.Concat(s.field, rest))
		// The exit code says whether any signature held; what it says of this
		// one is in the field that it would add.
		out, err := exec.CommandContext(tb.Context(), path, "-x", conf, "-vvv", "-t", eml).CombinedOutput()
		results = append(results, s.result(opendkimStatus(string(out), err)))
	}
	return results
}

var opendkimAnswer = regexp.MustCompile(`\bdkim=([a-z]+)`)

func opendkimStatus(out string, err error) (Status, string) {
	var words []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, ": mlfi_") { // the steps of the message
			words = append(words, strings.TrimSpace(line))
		}
	}
	detail := strings.Join(words, " ")
	m := opendkimAnswer.FindStringSubmatch(out)
	if err == nil && len(m) == 2 && m[1] == "pass" && strings.Contains(out, "succeeded") {
		return Pass, detail
	}
	return Fail, detail
}
