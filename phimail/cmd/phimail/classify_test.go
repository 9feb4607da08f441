package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const patientMail = "From: a@clinic.example\nTo: b@example.org\nSubject: Lab results\nMessage-ID: <m-1@clinic.example>\n\n" +
	"Patient: Margaret Holloway\nMRN: 00481216\n\nHbA1c 8.1 %, start metformin 500 mg.\n"

const lunchMail = "From: a@clinic.example\nTo: b@example.org\nSubject: Lunch\n\nLunch on Monday, Tom?\n"

func classified(t *testing.T, r result) []classification {
	t.Helper()
	var out []classification
	for line := range strings.SplitSeq(strings.TrimSpace(r.stdout), "\n") {
		var c classification
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		out = append(out, c)
	}
	return out
}

func TestClassifyReadsOneMessage(t *testing.T) {
	t.Parallel()
	r := world{stdin: patientMail}.run(t, "classify", "-values")
	r.want(t, exitOK, "")
	c := classified(t, r)
	if len(c) != 1 || !c[0].PHI || c[0].Score < 0.9 || c[0].ID != "m-1@clinic.example" || len(c[0].Reasons) == 0 {
		t.Fatalf("got %s", r.stdout)
	}
	found := map[string]string{}
	for _, s := range c[0].Spans {
		found[s.Type] = *s.Value
	}
	if found["NAME"] != "Margaret Holloway" || found["MRN"] != "00481216" {
		t.Errorf("spans are %v", found)
	}
	quiet := world{stdin: patientMail}.run(t, "classify")
	if strings.Contains(quiet.stdout, "Holloway") || strings.Contains(quiet.stdout, "00481216") {
		t.Errorf("without -values the text is shown: %s", quiet.stdout)
	}
}

func TestClassifyReadsLinesInOrder(t *testing.T) {
	t.Parallel()
	in := `{"id":"a","text":"Lunch at noon?"}
{"id":7,"subject":"Results","html":"<p>Dear Ms. Hollo<b></b>way, your biopsy results are in.</p>","kind":"ignored"}

{"id":"c","attachments":[{"filename":"n.txt","text":"Patient: Ann Lee, DOB: 3/4/1960, asthma"}],"fields":{"mrn":"00481216","age":61,"none":null}}
`
	r := world{stdin: in}.run(t, "classify", "-jsonl", "-values")
	r.want(t, exitOK, "")
	c := classified(t, r)
	if len(c) != 3 || c[0].ID != "a" || c[1].ID != "7" || c[2].ID != "c" || c[0].PHI || !c[1].PHI || !c[2].PHI {
		t.Fatalf("got %s", r.stdout)
	}
	if !strings.Contains(r.stdout, `"value":"Ms. Holloway"`) {
		t.Errorf("the value of HTML holds its tags, or is missing: %s", r.stdout)
	}
	var fields []string
	for _, s := range c[2].Spans {
		fields = append(fields, s.Field)
	}
	if !slices.Contains(fields, "attachments[0]") || !slices.Contains(fields, "fields.mrn") {
		t.Errorf("fields are %v", fields)
	}
	if !strings.Contains(r.stdout, `"special":[]`) || !strings.Contains(r.stdout, `"spans":[]`) {
		t.Errorf("an empty list is null: %s", r.stdout)
	}
}

func TestClassifyDryRunOverFolderAndMailbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub", "cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "1.eml"), patientMail, 0o600)
	writeFile(t, filepath.Join(dir, "sub", "cur", "9:2,S"), lunchMail, 0o600)
	writeFile(t, filepath.Join(dir, "broken.eml"), "no header at all", 0o600)
	writeFile(t, filepath.Join(dir, "notes.txt"), patientMail, 0o600)
	writeFile(t, filepath.Join(dir, "box.mbox"), "From a@x Mon Jan 1 00:00:00 2024\n"+lunchMail+"\n>From here on we talk.\n\nFrom b@x Mon Jan 1 00:00:00 2024\n"+patientMail+"\n", 0o600)
	r := world{}.run(t, "classify", dir)
	r.want(t, exitOK, "")
	got := map[string]bool{}
	for _, c := range classified(t, r) {
		got[c.ID] = c.PHI
	}
	want := map[string]bool{"1.eml": true, "broken.eml": true, "box.mbox#1": false, "box.mbox#2": true, "sub/cur/9:2,S": false}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for id, phi := range want {
		if v, ok := got[id]; !ok || v != phi {
			t.Errorf("%s: %t, %t", id, v, ok)
		}
	}
	if !strings.Contains(r.stderr, "5 messages, 3 with PHI, 1 not readable") {
		t.Errorf("standard error holds %q", r.stderr)
	}
	sums := world{}.run(t, "classify", "-summary", filepath.Join(dir, "box.mbox"))
	sums.want(t, exitOK, "")
	var sum struct {
		Messages int            `json:"messages"`
		PHI      int            `json:"phi"`
		Types    map[string]int `json:"types"`
	}
	if err := json.Unmarshal([]byte(sums.stdout), &sum); err != nil || sum.Messages != 2 || sum.PHI != 1 || sum.Types["MRN"] != 1 {
		t.Errorf("%v, %s", err, sums.stdout)
	}
	world{}.run(t, "classify", filepath.Join(dir, "sub", "missing")).want(t, exitData, "the path")
	world{}.run(t, "classify", t.TempDir()).want(t, exitData, "no .eml file")
}

func TestClassifyMistakes(t *testing.T) {
	t.Parallel()
	world{stdin: "not JSON\n"}.run(t, "classify", "-jsonl").want(t, exitData, "line 1 is not a JSON object")
	world{}.run(t, "classify", "-jsonl", "x").want(t, exitUsage, "leave out the path")
	world{}.run(t, "classify", "-config", filepath.Join(t.TempDir(), "none.yaml")).want(t, exitConfig, "configuration file")
	r := world{stdin: "Subject: secretmarker\n no colon secretmarker\nbroken secretmarker\n\nx"}.run(t, "classify")
	if strings.Contains(r.stderr, "secretmarker") {
		t.Errorf("standard error repeats the message: %s", r.stderr)
	}
}

func TestClassifierPHIDecidesHowAMessageTravels(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: "policy:\n  classifier: phi\n  threshold: 0.4\n  allow: ['(555) 010-2000', '@clinic.example']\n  terms: [{exact: Lotus programme, type: PHI}]\n"})
	data, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	// What is left is a relay of which nothing is known beyond itself.
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "tls_assurance: attested\n", ""), "    enforces_tls: {signed: 2026-01-10, document: \"relay TLS policy 7\"}\n", "")
	writeFile(t, f.config, text, 0o600)
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"PHI":               {"Subject: Results\n\nPatient: Margaret Holloway\nMRN: 00481216\n\nHbA1c 8.1 %, start metformin.\n", 77},
		"none":              {"Subject: Lunch\n\nLunch on Monday? Call (555) 010-2000.\n", exitOK},
		"a term":            {"Subject: Lunch\n\nNews of the lotus programme\n", 77},
		"unread attachment": {"Subject: Scan\nMIME-Version: 1.0\nContent-Type: application/pdf; name=scan.pdf\nContent-Disposition: attachment; filename=scan.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjcKAAE=\n", 77},
	} {
		r := world{stdin: "To: Ana <ana@example.org>\n" + c.body}.run(t, "plan", "-config", f.config, "-t")
		if r.code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s %s", name, r.code, c.code, r.stdout, r.stderr)
		}
	}
	r := world{stdin: "To: Ana <ana@example.org>\nSubject: Lunch\n\nLunch on Monday? Call (555) 010-2000.\n"}.run(t, "send", "-config", f.config, "-t")
	r.want(t, exitOK, "")
	dry := world{stdin: "Subject: x\n\nNews of the lotus programme\n"}.run(t, "classify", "-config", f.config)
	if c := classified(t, dry); !c[0].PHI {
		t.Errorf("classify -config does not use the terms: %s", dry.stdout)
	}
}
