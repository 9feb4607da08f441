package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func (f *office) record(t *testing.T, name string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	withRecords = "policy: {consent_file: consent.jsonl, suppress_file: suppress.jsonl}\n"
	letter      = "To: Ana <ana@example.org>\nSubject: Your appointment\n\nSee you.\n"
)

func TestRecordsOnFileDecide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		consent, suppress []string
		args              []string
		code              int
		why               string
	}{
		"nothing on file":                {nil, nil, nil, exitOK, ""},
		"a bounce":                       {nil, []string{`{"kind":"bounce","address":"Ana@Example.org"}`}, nil, exitRefused, "suppressed-bounce"},
		"of another address":             {nil, []string{`{"kind":"bounce","address":"bea@example.org"}`}, nil, exitOK, ""},
		"of another tenant":              {nil, []string{`{"kind":"bounce","address":"ana@example.org","tenant":"hillside"}`}, nil, exitOK, ""},
		"taken back":                     {nil, []string{`{"kind":"bounce","address":"ana@example.org","at":"2026-01-02"}`, `{"kind":"bounce","withdrawn":true,"address":"ana@example.org","at":"2026-01-03"}`}, nil, exitOK, ""},
		"an unsubscribe, transactional":  {nil, []string{`{"kind":"unsubscribe","address":"ana@example.org"}`}, []string{"-purpose", "treatment"}, exitOK, ""},
		"an unsubscribe, marketing":      {nil, []string{`{"kind":"unsubscribe","address":"ana@example.org"}`}, []string{"-purpose", "marketing", "-stream", "marketing"}, exitRefused, ""},
		"no e-mail at all":               {[]string{`{"kind":"preference","address":"ana@example.org"}`}, nil, nil, exitRefused, "preference-no-email"},
		"only what is not set up":        {[]string{`{"kind":"preference","address":"ana@example.org","modes":["escrow"]}`}, nil, nil, exitRefused, ""},
		"an expired preference is none":  {[]string{`{"kind":"preference","address":"ana@example.org","at":"2025-01-02","expires":"2025-01-03"}`}, nil, nil, exitOK, ""},
		"a bounce that names a patient":  {nil, []string{`{"kind":"bounce","patient":"p-1","address":"ana@example.org"}`}, nil, exitRefused, "suppressed-bounce"},
		"of another patient":             {nil, []string{`{"kind":"bounce","patient":"p-1","address":"ana@example.org"}`}, []string{"-patient", "p-2"}, exitRefused, "suppressed-bounce"},
		"taken back, but not yet":        {nil, []string{`{"kind":"bounce","address":"ana@example.org","at":"2026-01-02"}`, `{"kind":"bounce","withdrawn":true,"address":"ana@example.org","at":"2999-01-03"}`}, nil, exitRefused, "suppressed-bounce"},
		"taken back for another":         {nil, []string{`{"kind":"bounce","patient":"p-1","address":"ana@example.org","at":"2026-01-02"}`, `{"kind":"bounce","withdrawn":true,"patient":"p-2","address":"ana@example.org","at":"2026-01-03"}`}, nil, exitRefused, "suppressed-bounce"},
		"taken back by who may not":      {[]string{`{"kind":"preference","address":"ana@example.org","at":"2026-01-02"}`}, []string{`{"kind":"preference","withdrawn":true,"address":"ana@example.org","at":"2026-01-03"}`}, nil, exitRefused, "preference-no-email"},
		"a bounce on the other file":     {[]string{`{"kind":"bounce","address":"ana@example.org","at":"2026-01-02"}`}, []string{`{"kind":"bounce","withdrawn":true,"address":"ana@example.org","at":"2026-01-03"}`}, nil, exitRefused, "suppressed-bounce"},
		"taken back by who may":          {[]string{`{"kind":"bounce","withdrawn":true,"address":"ana@example.org","at":"2026-01-03"}`}, []string{`{"kind":"bounce","address":"ana@example.org","at":"2026-01-02"}`}, nil, exitOK, ""},
		"comments, blanks, no last line": {[]string{"# ours", "", `{"kind":"preference","address":"ana@example.org"}`}, []string{"#"}, nil, exitRefused, "preference-no-email"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, officeOptions{more: withRecords})
			f.record(t, "consent.jsonl", c.consent...)
			f.record(t, "suppress.jsonl", c.suppress...)
			for _, command := range []string{"plan", "send"} {
				r := world{stdin: letter}.run(t, append([]string{command, "-config", f.config, "-t"}, c.args...)...)
				if r.code != c.code || !strings.Contains(r.stdout, c.why) {
					t.Errorf("%s: exit code %d, want %d; %s%s", command, r.code, c.code, r.stdout, r.stderr)
				}
			}
		})
	}
}

func TestPlainEMailNeedsTheRecord(t *testing.T) {
	t.Parallel()
	const consent = `{"kind":"plain-email","patient":"p-1","address":"ana@example.org","at":"2026-01-02","by":"desk","wording":"warning 3"}`
	for name, c := range map[string]struct {
		line string
		code int
	}{
		"none":           {"", exitRefused},
		"on record":      {consent, exitOK},
		"expired":        {strings.Replace(consent, `"by"`, `"expires":"2026-01-03","by"`, 1), exitRefused},
		"in the future":  {strings.Replace(consent, "2026-01-02", "2999-01-02", 1), exitRefused},
		"no address":     {strings.Replace(consent, `"address":"ana@example.org",`, "", 1), exitRefused},
		"another's":      {strings.Replace(consent, "p-1", "p-2", 1), exitRefused},
		"withdrawn":      {consent + "\n" + `{"kind":"plain-email","withdrawn":true,"patient":"p-1","at":"2026-01-03"}`, exitRefused},
		"of this tenant": {strings.Replace(consent, `"by"`, `"tenant":"riverside","by"`, 1), exitOK},
	} {
		f := newOffice(t, officeOptions{more: withRecords})
		f.editConfig(t, "tls_assurance: attested", "tls_assurance: recipient")
		f.record(t, "consent.jsonl", c.line)
		r := world{stdin: letter}.run(t, "send", "-config", f.config, "-t", "-purpose", "treatment", "-patient", "p-1")
		if r.code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s%s", name, r.code, c.code, r.stdout, r.stderr)
		}
	}
}

func TestFilesOfRecordsThatCanNotBeTrusted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		line string
		why  string
	}{
		"no JSON":                  {"suppress.jsonl", "marker@x.example", "suppress_file: recordfile: line 1"},
		"an unknown name":          {"consent.jsonl", `{"kind":"opt-in","mail":"marker@x.example"}`, "consent_file: recordfile: line 1"},
		"a consent to suppress":    {"suppress.jsonl", `{"kind":"opt-in","address":"marker@x.example","at":"2026-01-02"}`, "line 1"},
		"modes to suppress":        {"suppress.jsonl", `{"kind":"preference","address":"marker@x.example","modes":["tls"]}`, "suppress_file: recordfile: line 1: the line is no record; correct it: modes: only in consent_file"},
		"a preference of nowhere":  {"consent.jsonl", `{"kind":"preference","patient":"marker"}`, "consent_file: recordfile: line 1: the line is no record; correct it: address: needed for a preference"},
		"nor to suppress":          {"suppress.jsonl", `{"kind":"preference","patient":"marker"}`, "address: needed for a preference"},
		"no wording":               {"consent.jsonl", `{"kind":"plain-email","patient":"marker","at":"2026-01-02"}`, "wording"},
		"a digest that is not its": {"suppress.jsonl", `{"id":"marker","kind":"bounce","address":"marker@x.example","sum":"00000000000000000000000000000000"}`, "altered"},
	} {
		f := newOffice(t, officeOptions{more: withRecords})
		f.record(t, c.file, c.line)
		for _, command := range []string{"plan", "send"} {
			r := world{stdin: letter}.run(t, command, "-config", f.config, "-t")
			r.want(t, exitConfig, c.why)
			if strings.Contains(r.stderr+r.stdout, "marker") {
				t.Errorf("%s: the file's content is shown: %s", name, r.stderr)
			}
		}
		f.wantNothingSent(t)
	}
}

func (f *office) wantNothingSent(t *testing.T) {
	t.Helper()
	if n := len(f.relay.Messages()); n > 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestSendMakesMissingFilesAndPlanDoesNot(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: withRecords})
	world{stdin: letter}.run(t, "plan", "-config", f.config, "-t").want(t, exitOK, "")
	for _, name := range []string{"consent.jsonl", "suppress.jsonl"} {
		if _, err := os.Stat(filepath.Join(f.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("plan made %s", name)
		}
	}
	world{stdin: letter}.run(t, "send", "-config", f.config, "-t").want(t, exitOK, "")
	for _, name := range []string{"consent.jsonl", "suppress.jsonl"} {
		if info, err := os.Stat(filepath.Join(f.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDoctorReadsTheRecords(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: withRecords})
	f.record(t, "suppress.jsonl", `{"kind":"bounce","address":"ana@example.org"}`, `{"kind":"bounce","address":"ben@example.org"}`)
	checks := world{txt: f.healthy()}.run(t, "doctor", "-config", f.config).checks(t)
	if c := checks["policy.suppress_file"]; c.Status != checkOK || c.Detail != "2 records" {
		t.Errorf("%+v", c)
	}
	if c := checks["policy.consent_file"]; c.Status != checkWarn {
		t.Errorf("%+v", c)
	}
	f.record(t, "suppress.jsonl", `{"kind":"marker","address":"marker@example.org"}`)
	checks = world{txt: f.healthy()}.run(t, "doctor", "-config", f.config).checks(t)
	if c := checks["policy.suppress_file"]; c.Status != checkFail || strings.Contains(c.Detail, "marker") {
		t.Errorf("%+v", c)
	}
}
