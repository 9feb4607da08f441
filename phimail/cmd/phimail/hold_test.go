package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
)

// reviewed is an office whose rule file holds messages with several attachments
// or a word in the subject.
func reviewed(t *testing.T) *office {
	t.Helper()
	f := newOffice(t, officeOptions{more: "hold: {store: held/, expires: 1h}\n"})
	writeFile(t, filepath.Join(f.dir, "rules.yaml"),
		"rules:\n  - {name: look-first, when: 'message.subject.contains(\"Budget\")', then: {hold: true}}\n"+
			"  - {name: never, when: 'recipient.domain == \"never.example\"', then: {refuse: true}}\n", 0o600)
	f.editConfig(t, "audit:", "policy: {rules: [rules.yaml]}\naudit:")
	return f
}

func heldList(t *testing.T, r result) []heldJSON {
	t.Helper()
	var out struct{ Held []heldJSON }
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil { //nolint:musttag // "held"
		t.Fatal(err, r.stdout)
	}
	return out.Held
}

const toReview = "To: ana@example.org\nSubject: zq9 Budget\n\nzq9 body\n"

func TestHeldMessageWaitsForAnotherActor(t *testing.T) {
	t.Parallel()
	f := reviewed(t)
	r := world{stdin: toReview}.run(t, "plan", "-config", f.config, "-t", "-actor", "dr-1")
	r.want(t, exitRefused, "held")
	if _, err := os.Stat(filepath.Join(f.dir, "held")); err == nil {
		t.Error("plan made the store")
	}
	r = world{stdin: toReview}.run(t, "send", "-config", f.config, "-t", "-actor", "dr-1")
	r.want(t, exitRefused, "held")
	rec := r.receipt(t).Recipients[0]
	if rec.Status != "held" || rec.HoldID == "" || rec.Code != "look-first" || !strings.Contains(rec.Reason, "look-first") {
		t.Fatalf("got %+v", rec)
	}
	r = world{}.run(t, "hold", "list", "-config", f.config)
	r.want(t, exitOK, "")
	list := heldList(t, r)
	if len(list) != 1 || list[0].ID != rec.HoldID || list[0].Actor != "dr-1" || list[0].Status != "held" || strings.Contains(r.stdout, "zq9") || strings.Contains(r.stdout, "ana@") {
		t.Fatalf("listed is %s", r.stdout)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"release", "-config", f.config, rec.HoldID}, exitUsage, "-actor is missing"},
		{[]string{"release", "-config", f.config, "-actor", "dr-1", rec.HoldID}, exitRefused, "other than the sender"},
		{[]string{"reject", "-config", f.config, "-actor", "dr-1", rec.HoldID}, exitRefused, "other than the sender"},
		{[]string{"release", "-config", f.config, "-actor", "officer", strings.Repeat("0", 32)}, exitData, "no held message"},
		{[]string{"release", "-config", f.config, "-actor", "officer", "../x"}, exitData, "no held message"},
		{[]string{"approve", "-config", f.config}, exitUsage, "list, release or reject"},
	} {
		world{}.run(t, append([]string{"hold"}, c.args...)...).want(t, c.code, c.want)
	}
	if n := len(f.relay.Messages()); n != 0 {
		t.Fatalf("%d messages were sent", n)
	}
	r = world{}.run(t, "hold", "release", "-config", f.config, "-actor", "officer", rec.HoldID)
	r.want(t, exitOK, "")
	if got := r.receipt(t); got.Recipients[0].Status != "accepted" || got.MessageID != list[0].MessageID {
		t.Errorf("got %+v", got)
	}
	if n := len(f.relay.Messages()); n != 1 {
		t.Errorf("%d messages were sent", n)
	}
	if left := heldList(t, world{}.run(t, "hold", "list", "-config", f.config)); len(left) != 0 {
		t.Errorf("left are %+v", left)
	}
	if e := of(f.events(t), audit.KindHold); len(e) != 1 || e[0].Status != "released" || e[0].Actor != "officer" || e[0].RecordRef != rec.HoldID {
		t.Errorf("on record is %+v", e)
	}
}

func TestHeldMessageIsRejectedByAnother(t *testing.T) {
	t.Parallel()
	f := reviewed(t)
	id := world{stdin: toReview}.run(t, "send", "-config", f.config, "-t").receipt(t).Recipients[0].HoldID
	r := world{}.run(t, "hold", "reject", "-config", f.config, "-actor", "officer", id)
	r.want(t, exitOK, "")
	if !strings.Contains(r.stdout, `"rejected"`) {
		t.Errorf("got %s", r.stdout)
	}
	world{}.run(t, "hold", "release", "-config", f.config, "-actor", "officer", id).want(t, exitData, "no held message")
	if n := len(f.relay.Messages()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestWithoutAStoreWhatToReviewIsRefused(t *testing.T) {
	t.Parallel()
	f := reviewed(t)
	f.editConfig(t, "hold: {store: held/, expires: 1h}\n", "")
	r := world{stdin: toReview}.run(t, "send", "-config", f.config, "-t")
	r.want(t, exitRefused, "hold-missing")
	world{}.run(t, "hold", "list", "-config", f.config).want(t, exitConfig, "hold: missing")
}

func TestRuleFilesDecide(t *testing.T) {
	t.Parallel()
	f := reviewed(t)
	r := world{stdin: "To: ana@never.example\nSubject: x\n\nhello\n"}.run(t, "plan", "-config", f.config, "-t")
	r.want(t, exitRefused, "never")
	if rec := r.receipt(t).Recipients[0]; rec.Status != "refused" || rec.Code != "never" {
		t.Errorf("got %+v", rec)
	}
}

func TestRuleFileFaultsHaveLinesAndNoText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rules, want string }{
		"unknown key":     {"rules:\n  - {name: x, zq9: true}\n", "rules.yaml:2: an unknown key"},
		"wrong kind":      {"settings:\n  anomalies: {bytes: zq9}\n", "rules.yaml:2: a value of the wrong kind"},
		"no yaml":         {"rules: [zq9\n", "rules.yaml"},
		"unknown fact":    {"rules:\n  - name: x\n    when: zq9 > 3\n    then: {refuse: true}\n", "rules.yaml:3: rules[0].when: names a fact"},
		"types":           {"rules:\n  - name: x\n    when: message.size == \"zq9\"\n    then: {refuse: true}\n", "rules.yaml:3: rules[0].when: has wrong types"},
		"syntax":          {"rules:\n  - name: x\n    when: '\"zq9'\n    then: {refuse: true}\n", "rules.yaml:3: rules[0].when: is not an expression"},
		"asks nothing":    {"rules:\n  - name: x\n", "rules.yaml:2: rules[0]: Then asks for nothing"},
		"alias":           {"parties: &zq9 []\nterms: *zq9\n", "anchors"},
		"unknown word":    {"rules:\n  - {name: x, then: {modes: [zq9]}}\n", "rules.yaml:2: unknown mode"},
		"built-in's name": {"rules:\n  - {name: special, then: {refuse: true}}\n", "name"},
		"pattern":         {"terms:\n  - {name: x, pattern: '(zq9'}\n", "rules.yaml:2: terms[0]: the field Pattern is no regular expression"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := reviewed(t)
			writeFile(t, filepath.Join(f.dir, "rules.yaml"), c.rules, 0o600)
			r := world{stdin: toReview}.run(t, "plan", "-config", f.config, "-t")
			r.want(t, exitConfig, c.want)
			if strings.Contains(r.stderr, "zq9") {
				t.Errorf("the text leaked: %s", r.stderr)
			}
		})
	}
}

func TestPolicyTestRunsCases(t *testing.T) {
	t.Parallel()
	f := reviewed(t)
	cases := filepath.Join(f.dir, "cases.yaml")
	writeFile(t, cases, "cases:\n  - name: budget\n    message: {to: [ana@example.org], subject: Budget}\n    expect: {verdict: hold, code: look-first}\n", 0o600)
	r := world{}.run(t, "policy", "test", "-config", f.config, cases)
	r.want(t, exitOK, "")
	if !strings.Contains(r.stdout, `"cases":1,"failed":0`) {
		t.Errorf("got %s", r.stdout)
	}
	writeFile(t, cases, "cases:\n  - name: budget\n    message: {to: [ana@example.org], subject: Budget}\n    expect: {verdict: allow}\n", 0o600)
	r = world{}.run(t, "policy", "test", "-config", f.config, cases)
	r.want(t, exitData, "1 of 1 cases failed")
	if !strings.Contains(r.stdout, "verdict: expected allow, got hold") || !strings.Contains(r.stdout, "look-first: hold") {
		t.Errorf("got %s", r.stdout)
	}
	writeFile(t, cases, "cases:\n  - {nam: zq9}\n", 0o600)
	r = world{}.run(t, "policy", "test", "-config", f.config, cases)
	r.want(t, exitData, "cases.yaml:2: an unknown key")
	if strings.Contains(r.stderr, "zq9") {
		t.Errorf("the text leaked: %s", r.stderr)
	}
	world{}.run(t, "policy", "test", "-config", f.config).want(t, exitUsage, "name a file of cases")
}

// A rule file that cases name lies beside them, and what sends nothing makes no key.
func TestExaminingRulesMakesNoKey(t *testing.T) { //nolint:paralleltest // changes the working directory
	f := reviewed(t)
	const marketing = "settings:\n  marketing: {postal_address: 1 Main Street, unsubscribe_url: 'https://clinic.example/u', key_file: links.key}\n"
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("more", 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join("more", "rules.yaml"), marketing, 0o600)
	cases := filepath.Join("more", "cases.yaml")
	writeFile(t, cases, "rules: [rules.yaml]\ncases:\n  - name: budget\n    message: {to: [ana@example.org], subject: Budget}\n    expect: {verdict: hold}\n", 0o600)
	world{}.run(t, "policy", "test", "-config", f.config, cases).want(t, exitOK, "")
	// A key that is there is read where the rule file is.
	key := filepath.Join("more", "links.key")
	writeFile(t, key, "short", 0o600)
	world{}.run(t, "policy", "test", "-config", f.config, cases).want(t, exitConfig, "the key file holds fewer than")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}

	writeFile(t, filepath.Join(f.dir, "rules.yaml"), marketing, 0o600)
	world{}.run(t, "policy", "docs", "-config", f.config).want(t, exitOK, "")
	checks := world{txt: f.healthy()}.run(t, "doctor", "-config", f.config).checks(t)
	if c := checks["rules"]; c.Status != checkOK {
		t.Errorf("%+v", c)
	}
	for _, root := range []string{dir, f.dir} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "links.key" {
				t.Errorf("%s was made", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	world{stdin: letter}.run(t, "send", "-config", f.config, "-t").want(t, exitOK, "")
	if !exists(filepath.Join(f.dir, "links.key")) {
		t.Error("send made no key beside the rule file")
	}
}

func TestPolicyDocsShowTheRulesAsTheyAreSetUp(t *testing.T) {
	t.Parallel()
	f := reviewed(t)
	r := world{}.run(t, "policy", "docs", "-config", f.config)
	r.want(t, exitOK, "")
	for _, want := range []string{"## transmission", "## look-first", "42 CFR 2.32", "Set up here"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestShippedCasesRunByTheCommand(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: "modes: [smime, pgp, tls, escrow]\n"})
	f.editConfig(t, "tls_assurance: attested", "tls_assurance: recipient")
	const cases = "../../../policy/rulefile/cases/"
	r := world{}.run(t, "policy", "test", "-config", f.config, cases+"default.yaml", cases+"configured.yaml")
	r.want(t, exitOK, "")
	if !strings.Contains(r.stdout, `"failed":0`) {
		t.Errorf("got %s", r.stdout)
	}
}

func TestAnExpiredAgreementRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		baa  string
		code int
	}{
		"in force": {`{party: "Relay Inc", signed: 2020-01-01, document: "BAA-1"}`, exitOK},
		"expired":  {`{party: "Relay Inc", signed: 2020-01-01, expires: 2021-01-01, document: "BAA-1"}`, exitRefused},
		"too soon": {`{party: "Relay Inc", signed: 2999-01-01, document: "BAA-1"}`, exitRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, officeOptions{})
			f.editConfig(t, "transport:\n", "transport:\n  baa: "+c.baa+"\n")
			r := world{stdin: "To: ana@example.org\nSubject: x\n\nhello\n"}.run(t, "send", "-config", f.config, "-t")
			r.want(t, c.code, "")
			if rec := r.receipt(t).Recipients[0]; c.code != exitOK && (rec.Status != "refused" || !strings.HasPrefix(rec.Code, "baa-")) {
				t.Errorf("got %+v", rec)
			}
		})
	}
}

func TestMarketingMailCarriesAddressAndLink(t *testing.T) {
	t.Parallel()
	f := reviewed(t)
	r := world{stdin: "To: ana@example.org\nSubject: Flu shots\n\nhello\n"}.run(t, "send", "-config", f.config, "-t", "-stream", "marketing", "-purpose", "treatment")
	r.want(t, exitRefused, "postal")
	writeFile(t, filepath.Join(f.dir, "rules.yaml"),
		"settings:\n  marketing: {postal_address: 1 Main Street, unsubscribe_url: \"https://clinic.example/u\", key_file: unsubscribe.key}\n", 0o600)
	r = world{stdin: "To: ana@example.org\nSubject: Flu shots\n\nhello\n"}.run(t, "send", "-config", f.config, "-t", "-stream", "marketing", "-purpose", "treatment")
	r.want(t, exitOK, "")
	raw := string(f.relay.Messages()[0].Data)
	for _, want := range []string{"List-Unsubscribe: <https://clinic.example/u", "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "1 Main Street", "hello"} {
		if !strings.Contains(strings.ReplaceAll(raw, "\r\n ", " "), want) {
			t.Errorf("no %q in %s", want, raw)
		}
	}
}

func TestHoldExitCodes(t *testing.T) {
	t.Parallel()
	broken := errors.New("zq9")
	for _, c := range []struct {
		err, closed error
		code        int
	}{
		{nil, nil, exitOK},
		{nil, broken, exitAudit},
		{phimail.ErrInvalidMessage, nil, exitData},
		{phimail.ErrNotHeld, broken, exitData},
		{phimail.ErrPlanStale, nil, exitDeferred},
		{phimail.ErrClosed, nil, exitDeferred},
		{phimail.ErrReviewer, nil, exitRefused},
		{phimail.ErrHoldConflict, nil, exitRefused},
		{phimail.ErrHoldStore, nil, exitConfig},
		{phimail.ErrAudit, nil, exitAudit},
	} {
		code := exitOK
		err := holdEnds(c.err, c.closed)
		if f, ok := errors.AsType[*failure](err); ok {
			code = f.code
		}
		if code != c.code || c.closed != nil && !errors.Is(err, broken) {
			t.Errorf("%v, %v: %d, %v", c.err, c.closed, code, err)
		}
	}
}

// What could not be closed is never a success, and what somebody has is not sent
// again for it.
func TestSendExitCodesWhereClosingFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("zq9")
	receipt := func(list ...phimail.Status) *phimail.Receipt {
		r := &phimail.Receipt{}
		for _, s := range list {
			r.Recipients = append(r.Recipients, phimail.Outcome{Status: s})
		}
		return r
	}
	for _, c := range []struct {
		receipt *phimail.Receipt
		code    int
	}{
		{receipt(phimail.Accepted), exitUnknown},
		{receipt(phimail.Planned), exitAudit},
		{receipt(phimail.Accepted, phimail.Rejected), exitPartly},
		{receipt(phimail.Held), exitRefused},
	} {
		err := verdict(c.receipt, nil, broken)
		if f, ok := errors.AsType[*failure](err); !ok || f.code != c.code || !errors.Is(err, broken) {
			t.Errorf("%v: %v, want %d", c.receipt, err, c.code)
		}
		if err := verdict(c.receipt, nil, nil); (err == nil) != (exitCode(c.receipt.Recipients) == exitOK) {
			t.Errorf("%v: %v where it closes", c.receipt, err)
		}
	}
}
