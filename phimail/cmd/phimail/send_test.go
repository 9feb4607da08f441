package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	tt "github.com/phimail/sdk/transport/transporttest"
)

func TestSendDeliversRecordsAndReports(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	w := world{stdin: "To: Ana <ana@example.org>\nCc: Ben <ben@example.org>\nBcc: cleo@example.com\nSubject: Your appointment\n\nSee you.\n"}
	r := w.run(t, "send", "-config", f.config, "-t", "-purpose", "treatment", "-stream", "transactional",
		"-actor", "svc-scheduler", "-role", "system", "-patient", "p-1", "-patient", "p-2", "-label", "reminder-24h", "-key", "appt-1")
	r.want(t, exitOK, "")
	if r.stderr != "" {
		t.Errorf("standard error holds %q", r.stderr)
	}
	receipt := r.receipt(t)
	want := map[string]string{"ana@example.org": "accepted", "ben@example.org": "accepted", "cleo@example.com": "accepted"}
	if got := receipt.statuses(); !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if receipt.IdempotencyKey != "appt-1" || receipt.Recipients[0].Mode != "tls" || receipt.Recipients[0].Assurance != "attested" ||
		receipt.Recipients[0].Evidence.TLSPeer != tt.Host || receipt.Recipients[0].Evidence.Digest == "" {
		t.Errorf("the receipt lacks evidence: %s", r.stdout)
	}
	messages := f.relay.Messages()
	if len(messages) != 2 {
		t.Fatalf("the relay took %d messages, want one for To and Cc and one for Bcc", len(messages))
	}
	for _, m := range messages {
		if !m.TLS || m.From != "no-reply@clinic.example" || bytes.Contains(bytes.ToLower(m.Data), []byte("cleo")) ||
			!bytes.Contains(m.Data, []byte("DKIM-Signature:")) || !bytes.Contains(m.Data, []byte(receipt.MessageID)) {
			t.Errorf("wrong message from %s, TLS %t: %s", m.From, m.TLS, m.Data)
		}
	}
	f.wantRecorded(t, receipt.Attempt)
}

// The receipt may hold a passcode: a run whose receipt is lost did not go well.
func TestALostReceiptIsNoSuccess(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	w := world{stdin: "To: ana@example.org\nSubject: s\n\nx\n", full: true}
	const advice = "the receipt could not be written"
	w.run(t, "send", "-config", f.config, "-t").want(t, exitUnknown, advice)
	w.run(t, "plan", "-config", f.config, "-t").want(t, exitAudit, advice)
	if n := len(f.relay.Messages()); n != 1 {
		t.Errorf("the relay took %d messages, want 1", n)
	}
}

func (f *office) wantRecorded(t *testing.T, attempt string) {
	t.Helper()
	events := f.events(t)
	intents, outcomes := of(events, audit.KindIntent), of(events, audit.KindOutcome)
	if len(intents) != 3 || len(outcomes) != 3 {
		t.Fatalf("%d intents and %d outcomes, want 3 and 3", len(intents), len(outcomes))
	}
	for _, e := range outcomes {
		if e.Attempt != attempt || e.Status != "accepted" || e.Actor != "svc-scheduler" || e.Role != "system" || e.Tenant != "riverside" ||
			e.Purpose != "treatment" || e.Stream != "transactional" || e.Label != "reminder-24h" || len(e.Patients) != 2 ||
			e.Assurance != "attested" || e.TLSPeer != tt.Host || len(e.DKIM) != 1 || !strings.Contains(e.Library, "phimail") {
			t.Errorf("an outcome is incomplete: %+v", e)
		}
	}
}

func TestSendDecidesWhoGetsItAndWhoIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		args   []string
		code   int
		stderr string
		to     [][]string // the envelopes
		named  []string   // To and Cc fields
	}{
		"an argument that To names":              {"To: ana@example.org\n", []string{"ana@example.org"}, 0, "", [][]string{{"ana@example.org"}}, []string{"To: ana@example.org"}},
		"an argument in another spelling":        {"To: Ana <ana@EXAMPLE.org>\n", []string{"ana@example.org"}, 0, "", [][]string{{"ana@example.org"}}, []string{"To: Ana <ana@example.org>"}},
		"one argument, no To":                    {"", []string{"ana@example.org"}, 0, "", [][]string{{"ana@example.org"}}, []string{"To: ana@example.org"}},
		"several arguments, no To":               {"", []string{"ana@example.org", "ben@example.net"}, 0, "", [][]string{{"ana@example.org"}, {"ben@example.net"}}, []string{"To: undisclosed-recipients:;"}},
		"an argument beyond To":                  {"To: ana@example.org\n", []string{"ana@example.org", "ben@example.net"}, 0, "", [][]string{{"ana@example.org"}, {"ben@example.net"}}, []string{"To: ana@example.org"}},
		"an argument twice":                      {"", []string{"ana@example.org", "ana@Example.org"}, 0, "", [][]string{{"ana@example.org"}}, []string{"To: ana@example.org"}},
		"a Bcc field counts for nothing":         {"To: ana@example.org\nBcc: ben@example.net\n", []string{"ana@example.org"}, 0, "", [][]string{{"ana@example.org"}}, []string{"To: ana@example.org"}},
		"To names another":                       {"To: ana@example.org, ben@example.net\n", []string{"ana@example.org"}, exitUsage, "name others than the recipients on the command line", nil, nil},
		"Cc names another":                       {"Cc: ben@example.net\n", []string{"ana@example.org"}, exitUsage, "name others than the recipients on the command line", nil, nil},
		"-t":                                     {"To: ana@example.org\nCc: ana@example.org\n", []string{"-t"}, 0, "", [][]string{{"ana@example.org"}}, []string{"To: ana@example.org"}},
		"-t and nobody in the message":           {"", []string{"-t"}, exitData, "names nobody in To, Cc or Bcc", nil, nil},
		"-t and an empty group":                  {"To: undisclosed-recipients:;\n", []string{"-t"}, exitData, "names nobody in To, Cc or Bcc", nil, nil},
		"an empty group and an argument is a To": {"To: undisclosed-recipients:;\n", []string{"ana@example.org"}, 0, "", [][]string{{"ana@example.org"}}, []string{"To: ana@example.org"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, officeOptions{})
			r := world{stdin: c.header + "Subject: hello\n\nSee you.\n"}.run(t, append([]string{"send", "-config", f.config}, c.args...)...)
			r.want(t, c.code, c.stderr)
			var to [][]string
			for _, m := range f.relay.Messages() {
				to = append(to, m.To)
				if got := headerLines(m.Data, "To:", "Cc:", "Bcc:"); !slices.Equal(got, c.named) {
					t.Errorf("the message names %q, want %q", got, c.named)
				}
			}
			slices.SortFunc(to, slices.Compare)
			if !slices.EqualFunc(to, c.to, slices.Equal) {
				t.Errorf("the envelopes went to %v, want %v", to, c.to)
			}
		})
	}
}

func headerLines(data []byte, names ...string) []string {
	var out []string
	header, _, _ := strings.Cut(string(data), "\r\n\r\n")
	for line := range strings.SplitSeq(header, "\r\n") {
		for _, n := range names {
			if strings.HasPrefix(line, n) {
				out = append(out, line)
			}
		}
	}
	return out
}

func TestSendChoosesTheSender(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		flags  []string
		code   int
		stderr string
		from   string
	}{
		"neither":               {"", nil, 0, "", "no-reply@clinic.example"},
		"the message's":         {"From: billing@clinic.example\n", nil, 0, "", "billing@clinic.example"},
		"the flag's":            {"", []string{"-f", "Billing <billing@clinic.example>"}, 0, "", "billing@clinic.example"},
		"both agree":            {"From: billing@clinic.example\n", []string{"-f", "billing@CLINIC.example"}, 0, "", "billing@clinic.example"},
		"both differ":           {"From: billing@clinic.example\n", []string{"-f", "no-reply@clinic.example"}, exitUsage, "name different senders", ""},
		"no address":            {"", []string{"-f", "billing"}, exitUsage, "-f must be one address", ""},
		"not among the senders": {"From: other@clinic.example\n", nil, exitData, "From: not among the configured senders; add it to senders in the configuration file", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, officeOptions{})
			r := world{stdin: c.header + "To: ana@example.org\nSubject: hello\n\nSee you.\n"}.run(t,
				append([]string{"send", "-config", f.config, "-t"}, c.flags...)...)
			r.want(t, c.code, c.stderr)
			if messages := f.relay.Messages(); c.from == "" && len(messages) > 0 || c.from != "" && (len(messages) != 1 || messages[0].From != c.from) {
				t.Errorf("got %d messages, want one from %q", len(messages), c.from)
			}
		})
	}
}

func TestSendExitCodesFollowWhatBecameOfTheMessage(t *testing.T) {
	t.Parallel()
	at := func(p tt.Point, steps ...tt.Step) []tt.Script {
		return []tt.Script{{At: map[tt.Point][]tt.Step{p: steps}}}
	}
	for name, c := range map[string]struct {
		o    officeOptions
		code int
		want string // statuses of ana and ben
	}{
		"all accepted":           {officeOptions{}, 0, "accepted, accepted"},
		"one rejected":           {officeOptions{scripts: at(tt.AtRcpt, tt.Step{Nth: 2, Say: "550 5.1.1 no\r\n"})}, 70, "accepted, rejected"},
		"one deferred":           {officeOptions{scripts: at(tt.AtRcpt, tt.Step{Nth: 1, Say: "451 4.3.0 later\r\n"})}, 70, "deferred, accepted"},
		"all rejected":           {officeOptions{scripts: at(tt.AtRcpt, tt.Step{Say: "550 5.1.1 no\r\n"})}, 69, "rejected, rejected"},
		"one rejected, one not":  {officeOptions{scripts: at(tt.AtRcpt, tt.Step{Nth: 1, Say: "550 5.1.1 no\r\n"}, tt.Step{Nth: 2, Say: "451 4.3.0 later\r\n"})}, 69, "rejected, deferred"},
		"all deferred":           {officeOptions{scripts: at(tt.AtRcpt, tt.Step{Say: "451 4.3.0 later\r\n"})}, 75, "deferred, deferred"},
		"rejected at the end":    {officeOptions{scripts: at(tt.AtDot, tt.Step{Say: "554 5.6.0 no\r\n"})}, 69, "rejected, rejected"},
		"lost after the dot":     {officeOptions{scripts: at(tt.AtDot, tt.Step{Then: tt.Reset, Take: true})}, 76, "unknown, unknown"},
		"lost before the dot":    {officeOptions{scripts: at(tt.AtContent, tt.Step{Then: tt.Reset})}, 75, "deferred, deferred"},
		"nobody listens":         {officeOptions{addr: "127.0.0.1:1"}, 75, "deferred, deferred"},
		"assurance not enough":   {officeOptions{more: "# no promise"}, 77, "refused, refused"},
		"policy without tls":     {officeOptions{more: "modes: [smime]"}, 77, "refused, refused"},
		"credentials refused":    {officeOptions{scripts: at(tt.AtAuth, tt.Step{Say: "535 5.7.8 no\r\n"}), relay: "    username_env: U\n    password_env: P"}, 69, "rejected, rejected"},
		"credentials accepted":   {officeOptions{scripts: []tt.Script{{Username: "relay-user", Password: "relay-password", NeedAuth: true}}, relay: "    username_env: U\n    password_env: P"}, 0, "accepted, accepted"},
		"fips mode required":     {officeOptions{more: "require_fips: true"}, 78, ""},
		"signing key is missing": {officeOptions{more: "dkim_gone"}, 78, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, c.o)
			if c.o.more == "# no promise" {
				f.editConfig(t, `enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}`, "")
			}
			if c.o.more == "dkim_gone" {
				f.editConfig(t, "dkim_gone", "")
				f.editConfig(t, "dkim.pem", "gone.pem")
			}
			w := world{stdin: "To: ana@example.org\nCc: ben@example.org\n\nhello\n", env: map[string]string{"U": "relay-user", "P": "relay-password"}}
			r := w.run(t, "send", "-config", f.config, "-t")
			if r.code != c.code {
				t.Fatalf("exit code %d, want %d: %s%s", r.code, c.code, r.stderr, r.stdout)
			}
			if c.want == "" {
				return
			}
			statuses := r.receipt(t).statuses()
			if got := statuses["ana@example.org"] + ", " + statuses["ben@example.org"]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if (r.stderr == "") != (c.code == 0) {
				t.Errorf("standard error holds %q", r.stderr)
			}
			if n := len(of(f.events(t), audit.KindOutcome)); n != 2 {
				t.Errorf("%d outcomes on record, want 2", n)
			}
		})
	}
}

func (f *office) editConfig(t *testing.T, old, replacement string) {
	t.Helper()
	data, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("the configuration does not hold %q", old)
	}
	writeFile(t, f.config, strings.Replace(string(data), old, replacement, 1), 0o600)
}

func TestWhatIsWrongBeforeAnythingIsSentHasItsOwnExitCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stdin  string
		edit   [2]string
		flags  []string
		code   int
		stderr string
	}{
		"no message":            {"", [2]string{}, nil, exitData, "the message"},
		"a bare CR in it":       {"To: ana@example.org\n\nhe\rllo\n", [2]string{}, nil, exitData, "the message"},
		"two From fields":       {"From: no-reply@clinic.example\nFrom: x@clinic.example\nTo: ana@example.org\n\nhello\n", [2]string{}, nil, exitData, "the message"},
		"a bad actor":           {plainMessage, [2]string{}, []string{"-actor", "Dr Ana"}, exitUsage, "-actor: use letters"},
		"a bad label":           {plainMessage, [2]string{}, []string{"-label", "a b"}, exitUsage, "-label: use letters"},
		"no configuration":      {plainMessage, [2]string{"from:", "form:"}, nil, exitConfig, `phimail.yaml:1: unknown key "form" at the top`},
		"key without a secret":  {plainMessage, [2]string{"host_secret_file: host.key", ""}, []string{"-key", "k"}, exitConfig, "host_secret_file: missing; -key needs it"},
		"no place for the log":  {plainMessage, [2]string{"file: audit.jsonl", "file: no/such/audit.jsonl"}, nil, exitAudit, "nothing was sent: the audit log"},
		"variable not set":      {plainMessage, [2]string{"timeout: 5s", "username_env: NONE\n    password_env: NONE"}, nil, exitConfig, "username_env: the environment variable that it names is not set"},
		"no such authority":     {plainMessage, [2]string{"ca_file: ca.pem", "ca_file: none.pem"}, nil, exitConfig, "ca_file: the file does not exist"},
		"authority is no PEM":   {plainMessage, [2]string{"ca_file: ca.pem", "ca_file: phimail.yaml"}, nil, exitConfig, "ca_file: the file holds no certificate in PEM"},
		"bad pin":               {plainMessage, [2]string{"timeout: 5s", "pins: [abc]"}, nil, exitConfig, "transport.smtp: Pins[0]"},
		"bad key file for DKIM": {plainMessage, [2]string{"key_file: dkim.pem", "key_file: ca.pem"}, nil, exitConfig, "phimail.yaml:14: dkim[0]"},
		"bad tenant":            {plainMessage, [2]string{"tenant: riverside", "tenant: a b"}, nil, exitConfig, "phimail.yaml:3: tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, officeOptions{})
			if c.edit[0] != "" {
				f.editConfig(t, c.edit[0], c.edit[1])
			}
			r := world{stdin: c.stdin}.run(t, append([]string{"send", "-config", f.config, "-t"}, c.flags...)...)
			r.want(t, c.code, c.stderr)
			if r.stdout != "" {
				t.Errorf("standard output holds %q", r.stdout)
			}
			if n := len(f.relay.Messages()); n > 0 {
				t.Errorf("%d messages were sent", n)
			}
		})
	}
}

func TestSendOfAMessageThatIsTooLargeIsRefusedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	r := world{stdin: "To: ana@example.org\n\n" + strings.Repeat(strings.Repeat("a", 76)+"\n", 500_000)}.run(t, "send", "-config", f.config, "-t")
	r.want(t, exitData, "the message")
}

func TestTheSameKeyGivesTheSameMessageID(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	w := world{stdin: plainMessage}
	first := w.run(t, "send", "-config", f.config, "-t", "-key", "appt-1").receipt(t)
	again := w.run(t, "plan", "-config", f.config, "-t", "-key", "appt-1").receipt(t)
	other := w.run(t, "plan", "-config", f.config, "-t", "-key", "appt-2").receipt(t)
	if first.MessageID != again.MessageID || first.MessageID == other.MessageID || first.MessageID == "" {
		t.Errorf("got %q, %q and %q", first.MessageID, again.MessageID, other.MessageID)
	}
}

func TestPlanSendsAndRecordsNothing(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	r := world{stdin: plainMessage}.run(t, "plan", "-config", f.config, "-t")
	r.want(t, exitOK, "")
	got := r.receipt(t).Recipients[0]
	if got.Status != "planned" || got.Mode != "tls" || got.Reason == "" {
		t.Errorf("got %+v", got)
	}
	if len(f.relay.Messages()) > 0 {
		t.Error("the relay took a message")
	}
	for _, name := range []string{"audit.jsonl", "audit.hmac"} {
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	f.editConfig(t, "tls_assurance: attested", "")
	r = world{stdin: plainMessage}.run(t, "plan", "-config", f.config, "-t")
	r.want(t, exitRefused, "recipient 1 of 1: refused")
	if got := r.receipt(t).Recipients[0]; got.Status != "refused" {
		t.Errorf("got %+v", got)
	}
}

func TestMaildirRefusesWhatIsNotEncrypted(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	data, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), "  smtp:\n")
	_, after, _ := strings.Cut(rest, "\ntls_assurance")
	writeFile(t, f.config, before+"  maildir: {dir: out}\ntls_assurance"+after, 0o600)
	r := world{stdin: plainMessage}.run(t, "send", "-config", f.config, "-t")
	r.want(t, exitRefused, "refused")
	if got := r.receipt(t).Recipients[0]; got.Status != "refused" || got.Code != "not-sealed" {
		t.Errorf("got %+v", got)
	}
	entries, err := os.ReadDir(filepath.Join(f.dir, "out", "new"))
	if err != nil || len(entries) > 0 {
		t.Errorf("%d messages in the maildir (%v)", len(entries), err)
	}
	wantChecks(t, world{}.run(t, "doctor", "-config", f.config).checks(t), map[string]string{"relay": checkWarn})
}
