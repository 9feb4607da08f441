package phimail_test

import (
	"archive/zip"
	"bytes"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

func fileOf(name, content string) phimail.Attachment {
	return phimail.Attachment{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

// endless yields one byte again and again.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func zipBomb(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("note.txt")
	if err == nil {
		_, err = io.Copy(f, io.LimitReader(endless('0'), 100<<20))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Bombs and huge files make a message PHI, with the reason in the record, and cost
// no more memory than the limits say.
func TestHostileAttachmentsAreBoundedAndPHI(t *testing.T) { //nolint:paralleltest // it measures memory
	detector, err := phi.New(phi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string]phimail.Attachment{
		"attachment-size": {Name: "export.csv", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(endless('7'), 100<<20)), nil
		}},
		"attachment-kind":      fileOf("export.zip", zipBomb(t)),
		"attachment-malformed": fileOf("ccd.xml", `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><l>&c;</l>`),
		"attachment-depth":     fileOf("bundle.json", strings.Repeat(`{"a":`, 1_000_000)),
		"attachment-embedded":  fileOf("page.html", `<img src="data:image/png;base64,iVBORw0KGgo=">`),
	} {
		var saw policy.Classification
		w := newWorld(t, func(c *phimail.Config) {
			c.Classifier, c.MaxSize = detector, 200<<20
			c.Policy = &rules{decide: func(f *policy.Facts) (policy.Decision, error) {
				saw = f.Classification
				return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}}), nil
			}}
		})
		w.relay.send = nil
		msg := reminder("a@patient.example")
		msg.Subject, msg.Text, msg.Attachments = "Hello", "Our office is closed on Monday.\n", []phimail.Attachment{file}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		plan, err := w.client.Plan(t.Context(), msg)
		runtime.ReadMemStats(&after)
		if err != nil || plan.Err() != nil {
			t.Errorf("%s: %v", want, err)
		}
		if saw.NoPHI || !slices.Contains(saw.Codes, want) {
			t.Errorf("%s: codes %v, PHI %t", want, saw.Codes, !saw.NoPHI)
		}
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 128 {
			t.Errorf("%s: %d MiB allocated", want, n)
		}
		if n := len(w.events(t, audit.KindOutcome)); n != 0 {
			t.Errorf("%s: %d outcomes of a plan", want, n)
		}
	}
}
