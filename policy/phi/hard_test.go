package phi_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// hardMail is a mail of testdata/hard.jsonl: 556 that were made up by somebody who
// had not seen the detector, to be hard for one. With PHI: notes of a few words,
// hand-overs, scans, one line in a long mail. Without: staff and supplies of
// hospitals, lessons, animals, novels and figures of speech.
type hardMail struct {
	Subject   string `json:"subject"`
	Text      string `json:"text"`
	PHI       bool   `json:"phi"`
	Ambiguous bool   `json:"ambiguous"`
}

// What is held here is far below the corpus's figures: these are the worst mails,
// not the usual ones.
const (
	hardRecall = 0.88
	hardFalse  = 0.22
)

func TestHardMail(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/hard.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d := newDetector(t, phi.Options{})
	var phiMails, found, others, flagged int
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var m hardMail
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		v := mustClassify(t, d, &policy.Content{Subject: m.Subject, Text: m.Text})
		switch {
		case m.Ambiguous:
		case m.PHI:
			phiMails++
			if !v.NoPHI {
				found++
			}
		default:
			others++
			if !v.NoPHI {
				flagged++
			}
		}
	}
	if phiMails < 200 || others < 300 {
		t.Fatalf("only %d mails with PHI and %d without", phiMails, others)
	}
	recall, falseAlarms := share(found, phiMails), share(flagged, others)
	t.Logf("recall %.3f, false-positive rate %.3f", recall, falseAlarms)
	if recall < hardRecall || falseAlarms > hardFalse {
		t.Errorf("recall %.3f and false-positive rate %.3f, worse than %.2f and %.2f", recall, falseAlarms, hardRecall, hardFalse)
	}
}

// TestOneParagraphOfALongMailCounts puts each mail of a clinic between other text:
// most must be found as they are alone.
func TestOneParagraphOfALongMailCounts(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	var around strings.Builder
	for _, m := range mails(t, "business.txt")[:30] {
		around.WriteString(m.Text + "\n\n")
	}
	text := around.String()[:1000]
	if v := mustClassify(t, d, contentOf(text+text)); !v.NoPHI {
		t.Fatalf("the other text is PHI by itself: %.2f", v.Score)
	}
	clinic, missed := mails(t, "clinic.txt"), 0
	for _, m := range clinic {
		if v := mustClassify(t, d, contentOf(text+"\n\n"+m.Text+"\n\n"+text)); v.NoPHI {
			missed++
		}
	}
	t.Logf("%d of %d missed", missed, len(clinic))
	if share(missed, len(clinic)) > 0.3 {
		t.Errorf("%d of %d missed between other text", missed, len(clinic))
	}
}
