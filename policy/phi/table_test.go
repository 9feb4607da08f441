package phi_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// mails reads a table of mails: each begins with a line of %% and its subject.
func mails(t *testing.T, name string) []policy.Content {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var list []policy.Content
	for _, m := range strings.Split(string(b), "\n%% ")[1:] {
		subject, text, ok := strings.Cut(m, "\n")
		if !ok {
			t.Fatalf("%s: mail %d has no text", name, len(list))
		}
		list = append(list, policy.Content{Subject: subject, Text: text})
	}
	return list
}

func TestBusinessMailIsNotPHI(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	list, wrong := mails(t, "business.txt"), 0
	if len(list) < 200 {
		t.Fatalf("only %d mails", len(list))
	}
	for i := range list {
		r, err := d.Report(t.Context(), &list[i])
		if err != nil {
			t.Fatal(err)
		}
		if !r.NoPHI {
			wrong++
			t.Logf("counts as PHI (%.2f): %s %q", r.Score, list[i].Subject, r.Reasons)
		}
	}
	if share := float64(wrong) / float64(len(list)); share > 0.04 {
		t.Errorf("%d of %d business mails count as PHI, more than 4 %%", wrong, len(list))
	}
}

func TestMailOfClinicsIsPHI(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	list, missed := mails(t, "clinic.txt"), 0
	if len(list) < 80 {
		t.Fatalf("only %d mails", len(list))
	}
	for i := range list {
		v, err := d.Classify(t.Context(), &list[i])
		if err != nil {
			t.Fatal(err)
		}
		if v.NoPHI {
			missed++
			t.Logf("missed (%.2f): %s", v.Score, list[i].Subject)
		}
	}
	if share := float64(missed) / float64(len(list)); share > 0.03 {
		t.Errorf("%d of %d mails of clinics are missed, more than 3 %%", missed, len(list))
	}
}

// disguise is a way in which text is written otherwise than it is meant.
type disguise struct {
	name  string
	apply func(string) string
	html  bool
}

func replaceAll(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }

// between puts s into the middle of each word of five letters or more.
func between(s string) func(string) string {
	return func(text string) string {
		words := strings.Split(text, " ")
		for i, w := range words {
			if len(w) >= 5 && !strings.ContainsAny(w, "0123456789@") {
				words[i] = w[:2] + s + w[2:]
			}
		}
		return strings.Join(words, " ")
	}
}

func digitsWith(sep string) func(string) string {
	return func(text string) string {
		var b strings.Builder
		runes := []rune(text)
		for i, r := range runes {
			b.WriteRune(r)
			if r >= '0' && r <= '9' && i+1 < len(runes) && runes[i+1] >= '0' && runes[i+1] <= '9' {
				b.WriteString(sep)
			}
		}
		return b.String()
	}
}

func quotedPrintable(text string) string {
	var b strings.Builder
	for i, c := range []byte(text) {
		if c == ' ' && i%7 == 0 || c == '=' {
			fmt.Fprintf(&b, "=%02X", c)
		} else {
			b.WriteByte(c)
		}
		if i%60 == 59 {
			b.WriteString("=\n")
		}
	}
	return b.String()
}

func disguises() []disguise {
	return []disguise{
		{"as it is", func(s string) string { return s }, false},
		{"lower case", strings.ToLower, false},
		{"upper case", strings.ToUpper, false},
		{"zero-width spaces", between("\u200b"), false},
		{"soft hyphens", between("\u00ad"), false},
		{"word joiners", between("\u2060"), false},
		{"byte order marks", between("\ufeff"), false},
		{"no-break spaces", replaceAll(" ", "\u00a0"), false},
		{"Cyrillic look-alikes", replaceAll("a", "а", "e", "е", "o", "о", "p", "р", "c", "с"), false},
		{"Greek look-alikes", replaceAll("o", "ο", "A", "Α", "E", "Ε", "M", "Μ", "T", "Τ"), false},
		{"full width", fullWidth, false},
		{"typographic dashes and quotes", replaceAll("-", "–", "'", "’"), false},
		{"accents", replaceAll("e", "é", "a", "á", "o", "ö"), false},
		{"spread digits", digitsWith(" "), false},
		{"quoted-printable", quotedPrintable, false},
		{"line breaks at every 40th place", wrapped, false},
		{"quoted mail", func(s string) string { return "> " + strings.ReplaceAll(s, "\n", "\n> ") }, false},
		{"doubled spaces", replaceAll(" ", "  "), false},
		{"letters misread", replaceAll("l", "1"), false},
		{"tags in words", between("<b></b>"), true},
		{"comments in words", between("<!-- x -->"), true},
		{"entities", replaceAll("a", "&#97;", "e", "&#x65;"), true},
		{"a table", func(s string) string {
			return "<table><tr><td>" + strings.ReplaceAll(s, "\n", "</td></tr><tr><td>") + "</td></tr></table>"
		}, true},
		{"hidden", func(s string) string { return `<p>Hello</p><div style="display:none">` + s + "</div>" }, true},
		{"an alternative text", func(s string) string {
			return `<p>Hello</p><img alt="` + strings.ReplaceAll(s, `"`, "&quot;") + `" src="x.png">`
		}, true},
	}
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r + 0xfee0
		}
		return r
	}, s)
}

func wrapped(s string) string {
	var b strings.Builder
	n := 0
	for w := range strings.SplitSeq(s, " ") {
		if n > 0 && n+len(w) > 40 {
			b.WriteByte('\n')
			n = 0
		} else if n > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		n += len(w) + 1
	}
	return b.String()
}

// plainTexts are PHI, each in a way of its own, with the identifiers that must be
// found however it is written.
var plainTexts = []struct {
	text  string
	types []string
}{
	{"Patient: Margaret Holloway, MRN: 00481216. Diagnosis: type 2 diabetes, started metformin 500 mg daily.", []string{"NAME", "MRN"}},
	{"Dear Mrs. Holloway, your appointment at the oncology clinic with Dr. Brandt is on March 14, 2024 at 9:30.", []string{"NAME", "DATE"}},
	{"Robert Keller, DOB 04/17/1961, was admitted on 02/11/2024 with pneumonia and treated with ceftriaxone.", []string{"NAME", "DATE"}},
	{"Name: Susan Albright\nDate of Birth: June 3, 1970\nSSN: 219-09-9999\nReason for visit: chest pain and shortness of breath", []string{"NAME", "DATE", "SSN"}},
	{"Member ID: XQZ771290045. The prior authorization of Thomas Becker for adalimumab was denied. Call (312) 555-0142.", []string{"HEALTH_PLAN", "PHONE"}},
	{"Please call Jennifer Morales at 415-555-0134: her biopsy shows melanoma, and surgery is on May 2, 2024.", []string{"NAME", "PHONE"}},
	{"Medicare number 1EG4-TE5-MK73 of Harold Simmons: claim for dialysis on 01/15/2024.", []string{"HEALTH_PLAN", "DATE"}},
}

func TestDisguisedTextIsStillPHI(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	cases, missed, blind := 0, 0, 0
	for _, way := range disguises() {
		for i, plain := range plainTexts {
			cases++
			c := policy.Content{Text: way.apply(plain.text)}
			if way.html {
				c = policy.Content{HTML: way.apply(strings.ReplaceAll(plain.text, "&", "&amp;"))}
			}
			v, err := d.Classify(t.Context(), &c)
			if err != nil {
				t.Fatal(err)
			}
			if v.NoPHI {
				missed++
				t.Errorf("%s, text %d: not PHI (%.2f)", way.name, i, v.Score)
			}
			for _, want := range plain.types {
				if !slices.ContainsFunc(v.Findings, func(f policy.Finding) bool { return f.Type == want }) {
					blind++
					t.Logf("%s, text %d: no %s", way.name, i, want)
				}
			}
		}
	}
	if cases < 150 {
		t.Fatalf("only %d cases", cases)
	}
	if blind > cases/10 {
		t.Errorf("%d identifiers of %d cases are not found", blind, cases)
	}
	t.Logf("%d cases, %d missed, %d identifiers not found", cases, missed, blind)
}

// contentOf is a message of a text.
func contentOf(text string) *policy.Content { return &policy.Content{Text: text} }

func mustClassify(t testing.TB, d *phi.Detector, c *policy.Content) policy.Classification {
	t.Helper()
	v, err := d.Classify(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
