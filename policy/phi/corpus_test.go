package phi_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// corpusMail is a line of the development corpus, which lies outside the
// repository: the variable PHIMAIL_CORPUS names its folder.
type corpusMail struct {
	ID, Subject, Text, HTML, Feed, Group string

	Attachments []struct{ Filename, Text string }
	Fields      map[string]string
	PHI         bool
	Ambiguous   bool
	Spans       []struct {
		Field, Type, Value string
		Start, End         int // in characters
	}
}

// setAside is the rule by which a fifth of the corpus was kept from tuning: the
// first byte of the SHA-256 of the id is below 51.
func setAside(id string) bool { return sha256.Sum256([]byte(id))[0] < 51 }

func corpus(t *testing.T) []corpusMail {
	t.Helper()
	dir := os.Getenv("PHIMAIL_CORPUS")
	if dir == "" {
		t.Skip("PHIMAIL_CORPUS names no folder")
	}
	f, err := os.Open(filepath.Join(dir, "messages.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var list []corpusMail
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var m corpusMail
		if err := json.Unmarshal(in.Bytes(), &m); err != nil { //nolint:musttag // the corpus has the fields' names in small letters
			t.Fatalf("line %d of the corpus: %v", len(list)+1, err)
		}
		list = append(list, m)
	}
	if len(list) < 1000 {
		t.Fatalf("only %d messages", len(list))
	}
	return list
}

func (m *corpusMail) content() *policy.Content {
	c := &policy.Content{Subject: m.Subject, Text: m.Text, HTML: m.HTML, Fields: m.Fields}
	switch m.Feed {
	case "html":
		c.Text = ""
	case "both":
	default:
		c.HTML = ""
	}
	for _, a := range m.Attachments {
		c.Attachments = append(c.Attachments, policy.Attachment{Name: a.Filename, Text: a.Text})
	}
	return c
}

type tally struct{ tp, fp, fn, tn, spans, found, typed, names, namesFound, signed, signedFlagged int }

func (r *tally) add(t *testing.T, m *corpusMail, v policy.Classification) {
	t.Helper()
	if m.Ambiguous {
		return
	}
	switch {
	case m.PHI && !v.NoPHI:
		r.tp++
	case m.PHI:
		r.fn++
	case !v.NoPHI:
		r.fp++
	default:
		r.tn++
	}
	if strings.Contains(m.Group, "health_signed") {
		r.signed++
		if !v.NoPHI {
			r.signedFlagged++
		}
	}
	if !m.PHI || m.Feed == "html" {
		return // places in HTML are scored by score.py, which compares values
	}
	for _, s := range m.Spans {
		if s.Type == "FACILITY" {
			continue
		}
		if s.Field == "" {
			s.Field = "text"
		}
		r.spans++
		hit, right := overlap(m, s.Field, s.Start, s.End, s.Type, v.Findings)
		if hit {
			r.found++
		}
		if right {
			r.typed++
		}
		if s.Type == "NAME" {
			r.names++
			if right {
				r.namesFound++
			}
		}
	}
}

// overlap says whether a finding overlaps a place given in characters.
func overlap(m *corpusMail, field string, start, end int, kind string, found []policy.Finding) (hit, right bool) {
	text := m.Text
	switch {
	case field == "subject":
		text = m.Subject
	case strings.HasPrefix(field, "attachments[") && len(m.Attachments) > 0:
		text = m.Attachments[0].Text
	}
	runes := []rune(text)
	if end > len(runes) {
		return false, false
	}
	from := len(string(runes[:start]))
	to := from + len(string(runes[start:end]))
	for _, f := range found {
		if f.Field == field && f.Start < to && f.End > from {
			hit = true
			right = right || f.Type == kind || slices.Contains([]string{"PHONE", "FAX"}, f.Type) && slices.Contains([]string{"PHONE", "FAX"}, kind)
		}
	}
	return hit, right
}

func share(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func TestCorpusFigures(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	var tuned, aside tally
	for _, m := range corpus(t) {
		v := mustClassify(t, d, m.content())
		if setAside(m.ID) {
			aside.add(t, &m, v)
		} else {
			tuned.add(t, &m, v)
		}
	}
	aside.log(t, "set aside")
	tuned.log(t, "four fifths")
	for _, c := range []struct {
		name      string
		got, want float64
		atMost    bool
	}{
		{"recall", share(tuned.tp, tuned.tp+tuned.fn), 0.99, false},
		{"false-positive rate", share(tuned.fp, tuned.fp+tuned.tn), 0.04, true},
		{"F1", share(2*tuned.tp, 2*tuned.tp+tuned.fp+tuned.fn), 0.97, false},
		{"signed articles flagged", share(tuned.signedFlagged, tuned.signed), 0.15, true},
		{"spans found", share(tuned.found, tuned.spans), 0.95, false},
		{"spans of the right type", share(tuned.typed, tuned.spans), 0.90, false},
		{"names", share(tuned.namesFound, tuned.names), 0.85, false},
	} {
		if c.atMost && c.got > c.want || !c.atMost && c.got < c.want {
			t.Errorf("%s is %.4f, the bound %.4f", c.name, c.got, c.want)
		}
	}
}

func (r *tally) log(t *testing.T, name string) {
	t.Helper()
	t.Logf("%s: recall %.4f, false-positive rate %.4f, F1 %.4f; signed articles %.3f; spans %.4f, right type %.4f, names %.4f", name,
		share(r.tp, r.tp+r.fn), share(r.fp, r.fp+r.tn), share(2*r.tp, 2*r.tp+r.fp+r.fn), share(r.signedFlagged, r.signed),
		share(r.found, r.spans), share(r.typed, r.spans), share(r.namesFound, r.names))
}
