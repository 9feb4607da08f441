// Package dkimtest verifies DKIM signatures in tests with verifiers that are
// not ours: emersion/go-msgauth, OpenDKIM and Perl's Mail::DKIM.
//
// OpenDKIM and Mail::DKIM are programs of the machine (Debian's opendkim and
// libmail-dkim-perl). Where one is missing the test is skipped, or fails if
// PHIMAIL_REAL_PEERS is 1. The public keys come from the test, no DNS is asked.
package dkimtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

// Records maps the name of each TXT record, without a final dot, to its text.
type Records map[string]string

// Status is what a verifier says of one signature.
type Status string

// The three answers.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	// Unsupported: the verifier does not know the algorithm, as Mail::DKIM
	// before 1.20240124 does not know Ed25519.
	Unsupported Status = "unsupported"
)

// Result is a verifier's answer for one signature.
type Result struct {
	Domain, Selector string
	// Algorithm is the a= tag.
	Algorithm string
	Status    Status
	// Detail is the verifier's own words.
	Detail string
}

// Passed returns "DOMAIN/SELECTOR/ALGORITHM" of the signatures that passed,
// sorted: what [dkim.Signer.Sign] returned as ids, if all is well.
//
// [dkim.Signer.Sign]: https://pkg.go.dev/github.com/phimail/sdk/dkim#Signer.Sign
func Passed(results []Result) []string {
	var ids []string
	for _, r := range results {
		if r.Status == Pass {
			ids = append(ids, r.Domain+"/"+r.Selector+"/"+r.Algorithm)
		}
	}
	slices.Sort(ids)
	return ids
}

// Msgauth verifies with emersion/go-msgauth, each signature by itself.
func Msgauth(tb testing.TB, message []byte, records Records) []Result {
	tb.Helper()
	var results []Result
	signatures, rest := split(tb, message)
	for _, s := range signatures {
		one := slices.Concat(s.field, rest)
		verifications, err := msgauth.VerifyWithOptions(bytes.NewReader(one), &msgauth.VerifyOptions{LookupTXT: records.lookup})
		if err != nil || len(verifications) != 1 {
			tb.Fatalf("go-msgauth gave %d answers: %v", len(verifications), err)
		}
		r := s.result(Pass, "")
		if err := verifications[0].Err; err != nil {
			r.Status, r.Detail = Fail, err.Error()
		}
		results = append(results, r)
	}
	return results
}

func (r Records) lookup(name string) ([]string, error) {
	if txt, ok := r[name]; ok {
		return []string{txt}, nil
	}
	return nil, errors.New("no such record")
}

// write stores the records as lines of a name, a separator and a text.
func (r Records) write(tb testing.TB, path, separator string) {
	tb.Helper()
	var b strings.Builder
	for name, txt := range r {
		b.WriteString(name + separator + txt + "\n")
	}
	writeFile(tb, path, []byte(b.String()))
}

func writeFile(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// signature is one DKIM-Signature field, raw, with its tags.
type signature struct {
	field []byte
	tags  map[string]string
}

func (s signature) result(status Status, detail string) Result {
	return Result{Domain: s.tags["d"], Selector: s.tags["s"], Algorithm: s.tags["a"], Status: status, Detail: detail}
}

// split takes the signatures off a message. No signature covers another, so
// that each can be verified with the rest alone.
func split(tb testing.TB, message []byte) (signatures []signature, rest []byte) {
	tb.Helper()
	head, body, found := bytes.Cut(message, []byte("\r\n\r\n"))
	if !found {
		tb.Fatal("the message has no end of header with CRLF line ends")
	}
	var field []byte
	flush := func() {
		name, value, _ := bytes.Cut(field, []byte(":"))
		if !strings.EqualFold(string(name), "DKIM-Signature") {
			rest = append(rest, field...)
			return
		}
		signatures = append(signatures, signature{field: field, tags: parse(string(value))})
	}
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if len(line) == 0 || line[0] != ' ' && line[0] != '\t' {
			flush()
			field = nil
		}
		field = slices.Concat(field, line, []byte("\r\n"))
	}
	flush()
	return signatures, slices.Concat(rest, []byte("\r\n"), body)
}

func parse(value string) map[string]string {
	tags := make(map[string]string)
	for spec := range strings.SplitSeq(value, ";") {
		name, v, _ := strings.Cut(spec, "=")
		tags[strings.TrimSpace(name)] = strings.TrimSpace(v)
	}
	return tags
}

// program finds a program of the machine, or ends the test.
func program(tb testing.TB, name, debianPackage string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		// A daemon's folder is often not in the PATH of a user.
		path, err = exec.LookPath(filepath.Join("/usr/sbin", name))
	}
	if err != nil {
		missing(tb, name, debianPackage)
	}
	return path
}

func missing(tb testing.TB, what, debianPackage string) {
	tb.Helper()
	if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
		tb.Fatalf("%s is missing; install Debian's %s", what, debianPackage)
	}
	tb.Skipf("%s is missing; install Debian's %s", what, debianPackage)
}
