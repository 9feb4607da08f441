package phi_test

import (
	"context"
	"testing"
	"unicode/utf8"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// FuzzClassify feeds any text in any field: no panic, findings that lie within
// their field on whole characters, a score from 0 to 1, and the same answer
// twice.
func FuzzClassify(f *testing.F) {
	for _, p := range plainTexts {
		for _, way := range disguises() {
			f.Add("Re: results", way.apply(p.text), "<p>"+way.apply(p.text)+"</p>", "note.txt", "patient_name", "Ada Okafor")
		}
	}
	f.Add("", "=C3=8D =\n====C3", "<a href=&#x&;><!-- --", "\xff\xfe", "dob", "1 2 3 4 5 6 7 8 9 0 1 2")
	f.Add("A (", "Dear \u200b\u200b, Dr. . (((555", "<b", "", "", "")
	d, err := phi.New(phi.Options{Terms: []phi.Term{{Prefix: "rvc-"}, {Pattern: "[0-9]{4}x"}}, Allow: []string{"555-0100"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, subject, text, html, name, key, value string) {
		c := &policy.Content{
			Subject: subject, Text: text, HTML: html, Fields: map[string]string{key: value}, Names: []string{value},
			Attachments: []policy.Attachment{{Name: name, Text: text}},
		}
		v, err := d.Classify(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if !(v.Score >= 0 && v.Score <= 1) {
			t.Fatalf("score %v", v.Score)
		}
		for _, found := range v.Findings {
			src := map[string]string{"subject": subject, "text": text, "html": html, "attachments[0]": text, "attachments[0].name": name, "fields." + key: value}[found.Field]
			if found.Start < 0 || found.Start >= found.End || found.End > len(src) {
				t.Fatalf("%s %s from %d to %d of %d bytes", found.Field, found.Type, found.Start, found.End, len(src))
			}
			if utf8.ValidString(src) && (!utf8.RuneStart(src[found.Start]) || found.End < len(src) && !utf8.RuneStart(src[found.End])) {
				t.Fatalf("%s %s from %d to %d cuts a character", found.Field, found.Type, found.Start, found.End)
			}
		}
		again, err := d.Classify(context.Background(), c)
		if err != nil || again.Score != v.Score || again.NoPHI != v.NoPHI || len(again.Findings) != len(v.Findings) {
			t.Fatalf("another answer the second time: %v and %v", v.Score, again.Score)
		}
	})
}
