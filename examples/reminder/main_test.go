package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/idna"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outcome is what a run in this process left.
type outcome struct {
	code           int
	stdout, stderr string
	dir            string
}

func runIn(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if dir != "" {
		args = append([]string{"-dir", dir}, args...)
	}
	code := run(t.Context(), args, &stdout, &stderr, func(string) string { return "" })
	return outcome{code: code, stdout: stdout.String(), stderr: stderr.String(), dir: dir}
}

// number returns the number that stands behind what in the summary.
func (o outcome) number(t *testing.T, what string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(what) + ` +(\d+)$`).FindStringSubmatch(o.stdout)
	if m == nil {
		t.Fatalf("the summary says nothing about %q:\n%s%s", what, o.stdout, o.stderr)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEveryDeliverableReminderIsDelivered(t *testing.T) {
	t.Parallel()
	o := runIn(t, t.TempDir())
	if o.code != exitOK {
		t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	for what, want := range map[string]int{
		"skipped: cancelled": 17, "skipped: not confirmed": 6, "skipped: declined by the patient": 3,
		"skipped: patient deceased": 1, "skipped: no e-mail address in use": 31,
		"reminders": 262, "accepted by the relay": 260, "not accepted": 2,
		"messages":                     260,
		"clinic.example/s1/rsa-sha256": 260, "clinic.example/s2/ed25519-sha256": 260,
		"received by the relay in this process": 260, "all signatures valid there": 260,
		"intents": 260, "outcomes: accepted": 260, "intents without an outcome": 0,
		"records": 521,
	} {
		if got := o.number(t, what); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	for _, want := range []string{
		"320 appointments\n", "  2 refused: invalid To[0]  correct the address in the patient's record: ",
		" relay.clinic.example\n", " TLS 1.3\n", " pkix\n", " attested\n", "one unbroken chain, up to the signed checkpoint\n",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("the summary lacks %q:\n%s", want, o.stdout)
		}
	}
	if want := "100 of 262 done\n200 of 262 done\n262 of 262 done\n"; o.stderr != want {
		t.Errorf("progress %q, want %q", o.stderr, want)
	}

	want, got := deliverable(t), make(map[string]int)
	for _, m := range mailbox(t, o.dir) {
		to, err := m.Header.AddressList("To")
		if err != nil || len(to) != 1 {
			t.Fatalf("a message to %d: %v", len(to), err)
		}
		got[to[0].String()]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("the relay received other messages than the bundle calls for: %d addresses, want %d", len(got), len(want))
	}
	checkLogHoldsNobody(t, filepath.Join(o.dir, "audit.jsonl"))
}

// The bundle as this test reads it: in another way than the program does.
type (
	rawResource struct {
		ResourceType     string           `json:"resourceType"`
		ID               string           `json:"id"`
		Status           string           `json:"status"`
		DeceasedDateTime string           `json:"deceasedDateTime"`
		Participant      []rawParticipant `json:"participant"`
		Name             []rawName        `json:"name"`
		Telecom          []rawTelecom     `json:"telecom"`
	}
	rawParticipant struct {
		Status string            `json:"status"`
		Actor  map[string]string `json:"actor"`
	}
	rawName struct {
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
	}
	rawTelecom struct {
		System string          `json:"system"`
		Use    string          `json:"use"`
		Value  string          `json:"value"`
		Period json.RawMessage `json:"period"`
	}
)

func resources(t *testing.T) (patients map[string]rawResource, appointments []rawResource) {
	t.Helper()
	var b struct {
		Entry []struct {
			Resource rawResource `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(syntheticBundle, &b); err != nil {
		t.Fatal(err)
	}
	patients = make(map[string]rawResource)
	for _, e := range b.Entry {
		if e.Resource.ResourceType == "Patient" {
			patients["Patient/"+e.Resource.ID] = e.Resource
		} else {
			appointments = append(appointments, e.Resource)
		}
	}
	return patients, appointments
}

// deliverable says who should get how many reminders.
func deliverable(t *testing.T) map[string]int {
	t.Helper()
	patients, appointments := resources(t)
	want := make(map[string]int)
	for _, a := range appointments {
		who := a.Participant[0]
		p := patients[who.Actor["reference"]]
		if a.Status != "booked" || who.Status == "declined" || p.DeceasedDateTime != "" {
			continue
		}
		var address string
		for _, c := range p.Telecom {
			if c.System == "email" && c.Use != "old" && c.Use != "work" && c.Period == nil {
				address = c.Value
			}
		}
		local, domain, ok := strings.Cut(address, "@")
		if !ok || strings.Contains(domain, "..") {
			continue
		}
		if isASCII(local) {
			var err error
			if domain, err = idna.Lookup.ToASCII(domain); err != nil {
				t.Fatal(err)
			}
		}
		name := cmp.Or(p.Name[0].Text, p.Name[0].Given[0]+" "+p.Name[0].Family)
		want[(&mail.Address{Name: name, Address: local + "@" + domain}).String()]++
	}
	return want
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

func mailbox(t *testing.T, dir string) []*mail.Message {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "mailbox", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	var list []*mail.Message
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

// checkLogHoldsNobody looks for every patient of the bundle in the log.
func checkLogHoldsNobody(t *testing.T, path string) {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	patients, _ := resources(t)
	for ref, p := range patients {
		canaries := []string{p.ID, p.Name[0].Family + `"`}
		for _, c := range p.Telecom {
			local, _, _ := strings.Cut(c.Value, "@")
			canaries = append(canaries, c.Value, local+"@")
		}
		for _, c := range canaries {
			if bytes.Contains(log, []byte(c)) {
				t.Errorf("the log holds something of %s", ref)
			}
		}
	}
}

func TestAMessageSaysWhenAndWhereAndNoMore(t *testing.T) {
	t.Parallel()
	o := runIn(t, t.TempDir(), "-bundle", smallBundle(t), "-zone", "Europe/Berlin", "-phone", "+49 30 555 0100")
	if o.code != exitOK || o.number(t, "accepted by the relay") != 1 {
		t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	m := mailbox(t, o.dir)[0]
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "A reminder from Riverside Clinic" {
		t.Errorf("subject %q, %v", subject, err)
	}
	parts := alternatives(t, m)
	text, html := parts["text/plain"], parts["text/html"]
	// The day after the clocks went forward: 06:30 UTC is 08:30 there.
	for _, want := range []string{"Hello Ada <b>,", "Monday, March 29, 2027", "8:30 AM CEST", "Desk <A> & B", "+49 30 555 0100"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	for _, want := range []string{"Hello Ada &lt;b&gt;,", "Monday, March 29, 2027", "8:30 AM CEST", "Desk &lt;A&gt; &amp; B", "&#43;49 30 555 0100"} {
		if !strings.Contains(html, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, html)
		}
	}
	for _, never := range []string{"Oncology", "Dr. Adler", "a-1", "p-1"} {
		if strings.Contains(text+html, never) {
			t.Errorf("the message tells %q", never)
		}
	}
}

func alternatives(t *testing.T, m *mail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%q, %v", kind, err)
	}
	parts := make(map[string]string)
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(p)
		}
		data, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";")
		parts[kind] = string(data)
	}
}

// smallBundle is one appointment whose names are markup.
func smallBundle(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.json")
	const bundle = `{"resourceType":"Bundle","entry":[
		{"resource":{"resourceType":"Appointment","id":"a-1","status":"booked","start":"2027-03-29T06:30:00Z",
			"serviceType":[{"text":"Oncology"}],"participant":[
			{"actor":{"reference":"Patient/p-1"},"status":"accepted"},
			{"actor":{"reference":"Practitioner/d-1","display":"Dr. Adler"},"status":"accepted"},
			{"actor":{"reference":"Location/l-1","display":"Desk <A> & B"},"status":"accepted"}]}},
		{"resource":{"resourceType":"Patient","id":"p-1","name":[{"family":"Day","given":["Ada <b>"]}],
			"telecom":[{"system":"email","value":"ada@example.org"}]}}]}`
	if err := os.WriteFile(path, []byte(bundle), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestASecondRunRepeatsTheMessageIDs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var ids []string
	for range 2 {
		if o := runIn(t, dir, "-bundle", smallBundle(t)); o.code != exitOK {
			t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
		}
		ids = append(ids, mailbox(t, dir)[0].Header.Get("Message-ID"))
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("got %q", ids)
	}
}

func TestABrokenLogIsReportedAndFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// So many that the altered record is far behind what opening a log checks.
	if o := runIn(t, dir); o.code != exitOK {
		t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	path := filepath.Join(dir, "audit.jsonl")
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(log, []byte("svc-reminder"))
	log[at] = 'x'
	if err := os.WriteFile(path, log, 0o600); err != nil {
		t.Fatal(err)
	}
	o := runIn(t, dir, "-bundle", smallBundle(t))
	if o.code != exitFailed || !strings.Contains(o.stdout, "NOT VERIFIED  audit: the chain is broken at record 2: altered") {
		t.Errorf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
}

func TestAnInterruptedRunSaysWhatWasNotSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	// The first line of progress is the moment of the interrupt.
	w := writerFunc(func(p []byte) (int, error) {
		cancel()
		return stderr.Write(p)
	})
	code := run(ctx, []string{"-dir", t.TempDir()}, &stdout, w, func(string) string { return "" })
	o := outcome{code: code, stdout: stdout.String(), stderr: stderr.String()}
	accepted, failed := o.number(t, "accepted by the relay"), o.number(t, "not accepted")
	if code != exitFailed || accepted < every || accepted+failed != 262 || failed < 262-every-2*workers {
		t.Errorf("exit %d:\n%s%s", code, o.stdout, o.stderr)
	}
	if !strings.Contains(o.stdout, "one unbroken chain") || o.number(t, "intents without an outcome") != 0 {
		t.Errorf("the log:\n%s", o.stdout)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWrongUseIsToldApartFromFailure(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"unknown flag":          {"-relay", "x"},
		"an argument":           {"bundle.json"},
		"config without bundle": {"-config", "relay.yaml"},
		"config with dir":       {"-config", "relay.yaml", "-bundle", "b.json", "-dir", "d"},
		"unknown zone":          {"-zone", "Mars/Olympus"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if o := runIn(t, "", args...); o.code != exitUsage || o.stderr == "" || o.stdout != "" {
				t.Errorf("exit %d: %q, %q", o.code, o.stdout, o.stderr)
			}
		})
	}
	if o := runIn(t, t.TempDir(), "-bundle", filepath.Join(t.TempDir(), "missing.json")); o.code != exitFailed {
		t.Errorf("a missing bundle: exit %d", o.code)
	}
	if o := runIn(t, "", "-h"); o.code != exitOK {
		t.Errorf("-h: exit %d", o.code)
	}
}

func TestProgressDrawsOneLineOnATerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := newProgress(&b, 3)
	p.terminal = true
	for range 3 {
		p.step()
	}
	p.end()
	lines := strings.Split(b.String(), "\r")
	last := lines[len(lines)-1]
	if strings.Count(b.String(), "\n") != 1 || !strings.HasPrefix(last, "["+strings.Repeat("#", barWidth)+"] 3 of 3 in ") {
		t.Errorf("got %q", b.String())
	}
	if slices.Contains(lines, "") && lines[0] != "" {
		t.Errorf("an empty drawing in %q", lines)
	}
}
