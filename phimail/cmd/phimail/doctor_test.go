package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tt "github.com/phimail/sdk/transport/transporttest"
)

func (r result) checks(t *testing.T) map[string]check {
	t.Helper()
	var out struct {
		Checks []check `json:"checks"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("standard output is no report: %v: %q; standard error %q", err, r.stdout, r.stderr)
	}
	m := map[string]check{}
	for _, c := range out.Checks {
		if _, twice := m[c.Name]; twice {
			t.Errorf("check %q stands twice", c.Name)
		}
		if (c.Status == checkFail || c.Status == checkWarn) && c.Remedy == "" {
			t.Errorf("check %q gives no remedy", c.Name)
		}
		m[c.Name] = c
	}
	return m
}

// healthy is the DNS of an office where all is well.
func (f *office) healthy() map[string][]string {
	return map[string][]string{
		"s1._domainkey.clinic.example": {f.dkimRecord},
		"clinic.example":               {"other", "v=spf1 include:relay.example -all"},
		"_dmarc.clinic.example":        {"v=DMARC1; p=reject"},
	}
}

func wantChecks(t *testing.T, got map[string]check, want map[string]string) {
	t.Helper()
	for name, status := range want {
		if got[name].Status != status {
			t.Errorf("%s: got %+v, want %s", name, got[name], status)
		}
	}
}

const dkimCheck = "dkim s1._domainkey.clinic.example"

func TestDoctorFindsAHealthyOfficeWell(t *testing.T) {
	t.Parallel()
	baa := `baa: {party: "Relay Inc", signed: 2026-01-10, expires: 2028-01-10, document: "BAA-2026-004"}`
	f := newOffice(t, officeOptions{relay: "  " + baa})
	now := time.Now()
	w := world{stdin: plainMessage, txt: f.healthy(), now: now}
	r := w.run(t, "doctor", "-config", f.config)
	got := r.checks(t)
	wantChecks(t, got, map[string]string{
		"config": checkOK, "fips": checkOK, "relay": checkOK, "assurance": checkOK, "baa": checkOK, "enforces_tls": checkOK,
		"audit": checkOK, dkimCheck: checkOK, "spf clinic.example": checkOK, "dmarc clinic.example": checkOK,
		"key file host_secret_file": checkOK, "key file dkim[0].key_file": checkOK,
	})
	if r.code != exitOK || !strings.Contains(got["relay"].Detail, tt.Host) || !strings.Contains(got["relay"].Detail, "TLS 1.3") {
		t.Errorf("exit code %d, %s", r.code, r.stdout)
	}
	for _, name := range []string{"audit.jsonl", "audit.hmac", "host.key", "audit.key"} {
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			t.Errorf("doctor made %s", name)
		}
	}
	w.run(t, "send", "-config", f.config, "-t").want(t, exitOK, "")
	before := string(f.everything(t))
	r = w.run(t, "doctor", "-config", f.config)
	if r.code != exitOK || r.checks(t)["audit"].Status != checkOK {
		t.Errorf("after a send: exit code %d, %s", r.code, r.stdout)
	}
	if string(f.everything(t)) != before {
		t.Error("doctor wrote to the log")
	}
	if len(f.relay.Messages()) != 1 {
		t.Error("doctor sent something")
	}
}

func TestDoctorFailsWhatIsWrong(t *testing.T) {
	t.Parallel()
	const promise = `enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}`
	for name, c := range map[string]struct {
		o    officeOptions
		edit [2]string
		txt  map[string][]string
		prep func(*testing.T, *office)
		want map[string]string
		code int
	}{
		"configuration":        {edit: [2]string{"from:", "form:"}, want: map[string]string{"config": checkFail}, code: exitConfig},
		"relay without TLS":    {o: officeOptions{scripts: []tt.Script{{Clear: []string{"PIPELINING"}}}}, want: map[string]string{"relay": checkFail}, code: exitConfig},
		"relay's certificate":  {o: officeOptions{certificate: tt.Expired}, want: map[string]string{"relay": checkFail}, code: exitConfig},
		"relay is not there":   {o: officeOptions{addr: "127.0.0.1:1"}, want: map[string]string{"relay": checkFail}, code: exitConfig},
		"credentials not set":  {o: officeOptions{relay: "    username_env: U\n    password_env: P"}, want: map[string]string{"relay": checkFail}, code: exitConfig},
		"no promise":           {edit: [2]string{promise, ""}, want: map[string]string{"assurance": checkFail}, code: exitConfig},
		"promise has expired":  {edit: [2]string{promise, `enforces_tls: {signed: 2020-01-10, expires: 2021-01-10, document: "x"}`}, want: map[string]string{"assurance": checkFail, "enforces_tls": checkFail}, code: exitConfig},
		"no agreement":         {want: map[string]string{"baa": checkWarn}},
		"agreement expired":    {o: officeOptions{relay: `  baa: {party: P, signed: 2020-01-10, expires: 2021-01-10, document: D}`}, want: map[string]string{"baa": checkFail}, code: exitConfig},
		"agreement to come":    {o: officeOptions{relay: `  baa: {party: P, signed: 2926-01-10, document: D}`}, want: map[string]string{"baa": checkFail}, code: exitConfig},
		"FIPS wanted":          {o: officeOptions{more: "require_fips: true"}, want: map[string]string{"fips": checkFail}, code: exitConfig},
		"open key file":        {prep: func(t *testing.T, f *office) { chmod(t, f, "dkim.pem", 0o644) }, want: map[string]string{"key file dkim[0].key_file": checkFail}, code: exitConfig},
		"key file of a group":  {prep: func(t *testing.T, f *office) { chmod(t, f, "dkim.pem", 0o640) }, want: map[string]string{"key file dkim[0].key_file": checkWarn}},
		"no key file":          {edit: [2]string{"dkim.pem", "gone.pem"}, want: map[string]string{"key file dkim[0].key_file": checkFail, dkimCheck: checkFail}, code: exitConfig},
		"key of another place": {edit: [2]string{"domain: clinic.example", "domain: other.example"}, want: map[string]string{"dkim": checkFail}, code: exitConfig},
		"no signing":           {edit: [2]string{"dkim: [{domain: clinic.example, selector: s1, key_file: dkim.pem}]", ""}, want: map[string]string{"dkim": checkWarn}},
		"record not published": {txt: map[string][]string{}, want: map[string]string{dkimCheck: checkFail, "spf clinic.example": checkWarn, "dmarc clinic.example": checkWarn}, code: exitConfig},
		"another key published": {txt: map[string][]string{"s1._domainkey.clinic.example": {"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"}},
			want: map[string]string{dkimCheck: checkFail}, code: exitConfig},
		"no place for the log": {edit: [2]string{"file: audit.jsonl", "file: no/such/audit.jsonl"}, want: map[string]string{"audit": checkFail}, code: exitConfig},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, c.o)
			if c.edit[0] != "" {
				f.editConfig(t, c.edit[0], c.edit[1])
			}
			if c.prep != nil {
				c.prep(t, f)
			}
			if c.txt == nil {
				c.txt = f.healthy()
			}
			r := world{txt: c.txt}.run(t, "doctor", "-config", f.config)
			wantChecks(t, r.checks(t), c.want)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d: %s", r.code, c.code, r.stdout)
			}
		})
	}
}

func chmod(t *testing.T, f *office, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(f.dir, name), mode); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorDoesNotReplaceALostPseudonymKey(t *testing.T) {
	t.Parallel()
	f := sentOffice(t, 1)
	if err := os.Remove(filepath.Join(f.dir, "audit.hmac")); err != nil {
		t.Fatal(err)
	}
	r := world{txt: f.healthy()}.run(t, "doctor", "-config", f.config)
	r.want(t, exitConfig, "")
	wantChecks(t, r.checks(t), map[string]string{"key file audit.pseudonym_key_file": checkFail, "audit": checkSkipped})
	if exists(filepath.Join(f.dir, "audit.hmac")) {
		t.Error("doctor made a new key")
	}
}

func TestDoctorReadsSenderRecords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		txt        map[string][]string
		spf, dmarc string
	}{
		"good":           {map[string][]string{"a.example": {"v=spf1 -all"}, "_dmarc.a.example": {"v=DMARC1;p=quarantine"}}, checkOK, checkOK},
		"none":           {nil, checkWarn, checkWarn},
		"several":        {map[string][]string{"a.example": {"v=spf1 -all", "v=spf1 ~all"}, "_dmarc.a.example": {"v=DMARC1; p=reject", "v=DMARC1; p=none"}}, checkFail, checkFail},
		"open":           {map[string][]string{"a.example": {"v=spf1 +all"}, "_dmarc.a.example": {"v=DMARC1; p=none"}}, checkFail, checkWarn},
		"without policy": {map[string][]string{"a.example": {"v=spf10 -all"}, "_dmarc.a.example": {"v=DMARC1; sp=reject"}}, checkWarn, checkFail},
	} {
		r := world{txt: c.txt}.run(t, "doctor", "-domain", "A.example.")
		got := r.checks(t)
		if got["spf a.example"].Status != c.spf || got["dmarc a.example"].Status != c.dmarc {
			t.Errorf("%s: got %s", name, r.stdout)
		}
	}
	org := world{txt: map[string][]string{"_dmarc.a.example": {"v=DMARC1; p=reject"}}}.run(t, "doctor", "-domain", "mail.a.example")
	wantChecks(t, org.checks(t), map[string]string{"dmarc mail.a.example": checkOK})
}

func TestDoctorDoesNotTakeSilenceForGood(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	r := world{txtErr: errors.New("timeout")}.run(t, "doctor", "-config", f.config)
	r.want(t, exitOK, "")
	wantChecks(t, r.checks(t), map[string]string{dkimCheck: checkSkipped, "spf clinic.example": checkSkipped, "dmarc clinic.example": checkSkipped})
}

func TestDoctorWarnsOfDatesThatComeSoon(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{relay: `  baa: {party: P, signed: 2026-01-10, expires: 2028-01-10, document: D}`})
	soon := time.Date(2027, 12, 20, 0, 0, 0, 0, time.UTC)
	r := world{txt: f.healthy(), now: soon}.run(t, "doctor", "-config", f.config)
	if c := r.checks(t)["baa"]; c.Status != checkWarn || !strings.Contains(c.Detail, "in 21 days") {
		t.Errorf("got %+v", c)
	}
}

func TestDoctorShowsATableOnATerminal(t *testing.T) {
	t.Parallel()
	r := world{terminal: true}.run(t, "doctor", "-domain", "a.example")
	if !strings.Contains(r.stderr, "warn  spf a.example") || !strings.Contains(r.stderr, "→ publish one") {
		t.Errorf("got %q", r.stderr)
	}
}
