package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	re2 "github.com/wasilibs/go-re2"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// phiPatterns are what a user would write for the same identifiers and a few of
// the words: regular expressions. They find candidates only; the detector also
// knows 120,000 words, checks digits and weighs sentences.
var phiPatterns = []string{
	`\b\d{3}-\d{2}-\d{4}\b`, `\b(?:\+?1[-. ]?)?\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b`, `[\w.+-]+@[\w-]+\.[\w.-]+`, `\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b`,
	`\b\d{4}-\d{2}-\d{2}\b`, `\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?(?:, \d{4})?\b`,
	`\b(?:MRN|mrn)[:# ]*[A-Z]{0,4}-?\d{4,10}\b`, `\b(?:Member|Policy|Insurance) (?:ID|number)[:# ]*[A-Z0-9-]{5,}\b`, `\b[A-Z]\d{2}(?:\.\d{1,4})\b`,
	`\b\d{5}(?:-\d{4})?\b`, `\bhttps?://\S+`, `\b(?:\d{1,3}\.){3}\d{1,3}\b`, `\b(?:\d{4}[- ]?){3}\d{4}\b`, `\b[A-HJ-NPR-Z0-9]{17}\b`,
	`\b(?:Mr|Mrs|Ms|Dr)\.? [A-Z][a-z]+\b`, `\b(?:Dear|Hi|Hello) [A-Z][a-z]+\b`, `\b[A-Z][a-z]+ [A-Z]\. [A-Z][a-z]+\b`, `\b\d{1,3}[- ]year[- ]old\b`,
	`\b\d+ [A-Z][a-z]+ (?:Street|Avenue|Road|Drive|Lane|Boulevard)\b`, `\b\d+(?:\.\d+)? ?(?:mg|mcg|mL|g/dL|mmol/L)\b`,
	`(?i)\b(?:diabetes|hypertension|cancer|asthma|pneumonia|depression|stroke|fracture|melanoma|hepatitis|epilepsy|arthritis)\b`,
	`(?i)\b(?:metformin|lisinopril|atorvastatin|warfarin|insulin|sertraline|amoxicillin|prednisone|methadone|ibuprofen)\b`,
	`(?i)\b(?:biopsy|surgery|mammogram|colonoscopy|ultrasound|dialysis|chemotherapy|vaccine|x-ray|mri)\b`,
}

// benchPHI compares the detector with regular expressions, one by one with
// package regexp and as one alternation with go-re2.
func benchPHI(w io.Writer) error {
	text, err := phiText(256 << 10)
	if err != nil {
		return err
	}
	detector, err := phi.New(phi.Options{})
	if err != nil {
		return err
	}
	content := &policy.Content{Text: text}
	var single []*regexp.Regexp
	for _, p := range phiPatterns {
		single = append(single, regexp.MustCompile(p))
	}
	union := re2.MustCompile("(?:" + strings.Join(phiPatterns, ")|(?:") + ")")
	costs, err := fastestOf(12,
		contender{"phi.Detector", func(n int) error {
			for range n {
				if v, err := detector.Classify(context.Background(), content); err != nil || v.NoPHI {
					return errors.Join(err, errors.New("the text is not PHI"))
				}
			}
			return nil
		}},
		contender{"go-re2, one alternation", func(n int) error {
			for range n {
				if len(union.FindAllStringIndex(text, -1)) == 0 {
					return errors.New("nothing found")
				}
			}
			return nil
		}},
		contender{"regexp, one by one", func(n int) error {
			for range n {
				for _, re := range single {
					re.FindAllStringIndex(text, -1)
				}
			}
			return nil
		}},
	)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nFinding PHI in %d KiB of text, least CPU time of 12 turns\n", len(text)>>10)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range []string{"phi.Detector", "go-re2, one alternation", "regexp, one by one"} {
		c := costs[name]
		fmt.Fprintf(table, "%s\t%v\t%.1f MB/s\n", name, c.Round(time.Microsecond), float64(len(text))/c.Seconds()/1e6)
	}
	return table.Flush()
}

// fastestOf returns the least CPU time of each contender's turns, of one unit.
func fastestOf(turns int, contenders ...contender) (map[string]time.Duration, error) {
	least := map[string]time.Duration{}
	for range turns {
		for _, c := range contenders {
			one, err := lap(1, c)
			if err != nil {
				return nil, err
			}
			if best, ok := least[c.name]; !ok || one.cpu < best {
				least[c.name] = one.cpu
			}
		}
	}
	return least, nil
}

// phiText is the text of the detector's own tables, repeated to n bytes.
func phiText(n int) (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the source's place is not known")
	}
	var all strings.Builder
	for _, name := range []string{"business.txt", "clinic.txt"} {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "..", "..", "policy", "phi", "testdata", name))
		if err != nil {
			return "", err
		}
		all.Write(b)
	}
	return strings.Repeat(all.String(), n/all.Len()+1)[:n], nil
}
