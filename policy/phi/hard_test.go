package phi_test

import (
	"bufio"
	"encoding/json"
	"os"
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
	hardRecall = 0.87
	hardFalse  = 0.20
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
