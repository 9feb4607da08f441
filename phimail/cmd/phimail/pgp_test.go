package main

import (
	"bytes"
	"encoding/json"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

// desk is a folder with a configuration that sends by OpenPGP into a maildir.
type desk struct {
	dir, config string
	us          *pgptest.Key
	env         map[string]string
}

const deskConfig = `from: "Riverside Clinic <no-reply@clinic.example>"
transport:
  maildir: {dir: out}
modes: [pgp]
pgp: {keys: [recipients.asc], sign_key: us.asc, passphrase_env: PGP_PASSPHRASE}
audit: {file: audit.jsonl}
`

func newDesk(t *testing.T, keys ...*pgptest.Key) *desk {
	t.Helper()
	d := &desk{dir: t.TempDir(), us: pgptest.New(pgptest.Curve25519, "no-reply@clinic.example", pgptest.Options{}), env: map[string]string{"PGP_PASSPHRASE": "secret"}}
	d.config = d.put(t, "phimail.yaml", []byte(deskConfig))
	d.put(t, "us.asc", d.us.Secret("secret"))
	if len(keys) > 0 {
		d.put(t, "recipients.asc", pgptest.Armored(keys...))
	}
	return d
}

func (d *desk) put(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (d *desk) edit(t *testing.T, old, text string) {
	t.Helper()
	data, err := os.ReadFile(d.config)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%q is not in the configuration: %v", old, err)
	}
	d.put(t, "phimail.yaml", bytes.Replace(data, []byte(old), []byte(text), 1))
}

const (
	lee1 = "lee@patient.example"
	kim1 = "kim@patient.example"
	ask  = "Subject: Colonoscopy on Friday\nContent-Type: text/plain; charset=utf-8\n\nDo not eat after midnight, gr\u00fc\u00dfe.\n"
)

func (d *desk) send(t *testing.T, args ...string) result {
	t.Helper()
	return world{stdin: ask, env: d.env}.run(t, append([]string{"send", "-config", d.config, "-purpose", "treatment"}, args...)...)
}

// delivered returns the messages that left.
func (d *desk) delivered(t *testing.T) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "out", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// open reads a delivered message as a recipient.
func (d *desk) open(t *testing.T, message []byte, as *pgptest.Key) (*pgp.Opened, error) {
	t.Helper()
	r, err := pgp.NewReader(pgp.ReaderConfig{Keys: pgp.PrivateKeys{as.Private()}, Senders: senders{d.us.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Read(t.Context(), bytes.NewReader(message))
}

type outcome struct {
	Address  string `json:"address"`
	Mode     string `json:"mode"`
	Status   string `json:"status"`
	Code     string `json:"code"`
	Reason   string `json:"reason"`
	Evidence struct {
		Fingerprints []string `json:"fingerprints"`
		KeySource    string   `json:"key_source"`
	} `json:"evidence"`
}

func (r result) outcomes(t *testing.T) []outcome {
	t.Helper()
	var receipt struct {
		Recipients []outcome `json:"recipients"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &receipt); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	return receipt.Recipients
}

func TestOpenPGPIsSentByTheCommand(t *testing.T) {
	t.Parallel()
	a, b := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.Curve25519, lee1, pgptest.Options{})
	hidden := pgptest.New(pgptest.P256, kim1, pgptest.Options{})
	d := newDesk(t, a, b, hidden)
	w := world{stdin: "To: " + dana + "\nCc: " + lee1 + "\nBcc: " + kim1 + "\n" + ask, env: d.env}
	plan := w.run(t, "plan", "-config", d.config, "-t")
	plan.want(t, exitOK, "")
	if len(d.delivered(t)) > 0 || !strings.Contains(plan.outcomes(t)[0].Reason, "sealed to the key "+a.Fingerprint()[:16]) {
		t.Errorf("the plan says %s", plan.stdout)
	}
	r := w.run(t, "send", "-config", d.config, "-t", "-purpose", "treatment")
	r.want(t, exitOK, "")
	messages := d.delivered(t)
	if len(messages) != 2 {
		t.Fatalf("%d messages", len(messages))
	}
	if bytes.Count(messages[0], []byte("BEGIN PGP")) != 1 {
		messages[0], messages[1] = messages[1], messages[0]
	}
	shared, own := messages[0], messages[1]
	if _, err := d.open(t, shared, a); err != nil {
		shared, own = own, shared
	}
	for _, k := range []*pgptest.Key{a, b} {
		opened, err := d.open(t, shared, k)
		if err != nil || !opened.SignedBy(fromAddress(&config{from: value[string]{v: "no-reply@clinic.example"}})) || !strings.Contains(string(opened.Entity), "Colonoscopy") {
			t.Errorf("%v, %v", opened, err)
		}
		if _, err := d.open(t, own, k); err == nil {
			t.Error("the copy of the Bcc recipient is for others too")
		}
	}
	if _, err := d.open(t, own, hidden); err != nil {
		t.Errorf("the Bcc recipient: %v", err)
	}
	if bytes.Contains(shared, []byte(kim1)) || bytes.Contains(shared, []byte("Colonoscopy")) || !bytes.Contains(shared, []byte("Subject: Secure message")) {
		t.Errorf("the header outside: %s", shared[:400])
	}
	log, err := os.ReadFile(filepath.Join(d.dir, "audit.jsonl"))
	if err != nil || !bytes.Contains(log, []byte(`"fingerprints":["`+hidden.Fingerprint()+`"]`)) || !bytes.Contains(log, []byte(`"container":"openpgp-seipd-v1"`)) ||
		!bytes.Contains(log, []byte(`"key_source":"file"`)) || bytes.Contains(log, []byte("patient.example\",\"x")) || bytes.Contains(log, []byte(dana)) {
		t.Errorf("the log: %s", log)
	}
}

func TestNobodyGetsAnythingWhereAKeyIsUnfit(t *testing.T) {
	t.Parallel()
	long, day := time.Now().Add(-30*24*time.Hour), 24*time.Hour
	good := pgptest.New(pgptest.P256, lee1, pgptest.Options{})
	k := func(kind pgptest.Kind, o pgptest.Options) *pgptest.Key { return pgptest.New(kind, dana, o) }
	seen := map[string]string{}
	for _, c := range []struct {
		name string
		key  *pgptest.Key // named by its file
		code string
	}{
		{"expired", k(pgptest.P256, pgptest.Options{Made: long, Lifetime: day}), "key-expired"},
		{"an expired subkey", k(pgptest.P256, pgptest.Options{Made: long, PartLifetime: day}), "subkey-expired"},
		{"revoked", k(pgptest.P256, pgptest.Options{Revoked: true}), "key-revoked"},
		{"for signatures", k(pgptest.P256, pgptest.Options{SignOnly: true}), "key-not-for-encryption"},
		{"of another", pgptest.New(pgptest.P256, "other@patient.example", pgptest.Options{}), "key-of-another-address"},
		{"RSA-1024", k(pgptest.RSA1024, pgptest.Options{}), "key-weak"},
		{"none", nil, "key-not-found"},
	} {
		d := newDesk(t)
		if err := os.Mkdir(filepath.Join(d.dir, "recipients"), 0o700); err != nil {
			t.Fatal(err)
		}
		d.put(t, "recipients/"+lee1+".asc", pgptest.Armored(good))
		if c.key != nil {
			d.put(t, "recipients/"+dana+".asc", pgptest.Armored(c.key))
		}
		d.edit(t, "[recipients.asc]", "[recipients/]")
		r := d.send(t, lee1, dana)
		r.want(t, exitRefused, c.code)
		o := r.outcomes(t)
		if o[0].Status != "refused" || o[0].Code != "partial" || o[1].Status != "refused" || o[1].Code != c.code || !strings.HasPrefix(o[1].Reason, "pgp: ") || len(d.delivered(t)) > 0 {
			t.Errorf("%s: %s", c.name, r.stdout)
		}
		if before, ok := seen[o[1].Reason]; ok {
			t.Errorf("%s and %s say the same", c.name, before)
		}
		seen[o[1].Reason] = c.name
		// Without the other the good one gets it, and nobody gets it in clear.
		d.edit(t, "modes: [pgp]", "modes: [pgp]\npolicy: {on_partial: deliverable}")
		d.send(t, lee1, dana).want(t, exitPartly, "")
		if m := d.delivered(t); len(m) != 1 || bytes.Contains(m[0], []byte("midnight")) {
			t.Errorf("%s: %d messages", c.name, len(m))
		}
	}
}

func TestPGPBlockIsReadAsStrictlyAsTheRest(t *testing.T) {
	t.Parallel()
	for block, want := range map[string]string{
		"pgp: yes":                            "x.yaml:4: pgp: must hold key: value lines",
		"pgp: {sign_key: a}":                  "x.yaml:4: pgp.keys: missing; name the files",
		"pgp: {keys: a}":                      "x.yaml:4: pgp.keys: must be a list",
		"pgp: {keys: ['']}":                   "x.yaml:4: pgp.keys[0]: is empty",
		"pgp: {keys: [a], key: a}":            `unknown key "key" in pgp`,
		"pgp: {keys: [a], passphrase_env: A}": "pgp.passphrase_env: is of use with sign_key only",
		"pgp: {keys: [a], sign_key: a, passphrase: hunter2}":                   `unknown key "passphrase" in pgp`,
		"pgp: {keys: [a], sign_key: a, passphrase_file: a, passphrase_env: A}": "pgp.passphrase_file: excludes pgp.passphrase_env; remove one",
		"pgp:\n  keys: [a]\n  forms: [{form: aead}]":                           "x.yaml:6: pgp.forms[0].for: missing",
		"pgp:\n  keys: [a]\n  forms: [{for: a.example, form: gcm}]":            "x.yaml:6: pgp.forms[0].form: must be standard or aead",
		"pgp: {keys: [a]}\nrequire_fips: true":                                 "OpenPGP is not possible with require_fips",
		"discover: {wkd: true}\nrequire_fips: true":                            "discover.wkd: a Web Key Directory is not possible",
		"discover: {wkd: 1}":                                                   "x.yaml:4: discover.wkd",
		"discover: {ldap: true}":                                               `unknown key "ldap" in discover`,
		"discover: {wkd: true, resolver: dns.example}":                         "discover.resolver: must be the address and port",
		"discover: {wkd: true, port: 70000}":                                   "discover.port: must be a port",
		"sign_clear: pgp":                                                      "sign_clear: pgp needs our private key",
	} {
		_, err := parseConfig("x.yaml", "/", []byte(minimal+block+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v\nwant it to hold %s", block, err, want)
		}
	}
}

func TestPGPFilesThatAreMissingOrUnfitStopTheCommand(t *testing.T) {
	t.Parallel()
	key := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	for name, c := range map[string]struct {
		edit [2]string
		prep func(*testing.T, *desk)
		want string
	}{
		"no keys":             {[2]string{"recipients.asc", "gone.asc"}, nil, "pgp.keys[0]: the file or directory does not exist"},
		"not keys":            {[2]string{"[recipients.asc]", "[recipients.asc, phimail.yaml]"}, nil, "pgp.keys[1]: not a readable file with OpenPGP public keys"},
		"no signing key":      {[2]string{"us.asc", "gone.asc"}, nil, "pgp.sign_key: the file does not exist"},
		"a public key":        {[2]string{"us.asc", "recipients.asc"}, nil, "pgp.sign_key: not a readable file with an OpenPGP private key"},
		"another passphrase":  {[2]string{}, func(_ *testing.T, d *desk) { d.env["PGP_PASSPHRASE"] = "Secret" }, "pgp.sign_key: not a readable file with an OpenPGP private key, or not its passphrase"},
		"no passphrase":       {[2]string{}, func(_ *testing.T, d *desk) { delete(d.env, "PGP_PASSPHRASE") }, "pgp.passphrase_env: the environment variable that it names is not set"},
		"form of nobody":      {[2]string{"keys:", "forms: [{for: 'a b', form: aead}], keys:"}, nil, "pgp.forms[0].for: neither an address nor a domain"},
		"pins that are none":  {[2]string{"audit:", "discover: {wkd: true, pins: phimail.yaml}\naudit:"}, nil, "discover.pins: not a file of pins"},
		"authority is no one": {[2]string{"audit:", "discover: {wkd: true, ca_file: gone.pem}\naudit:"}, nil, "discover.ca_file: the file does not exist"},
	} {
		d := newDesk(t, key)
		if c.edit[0] != "" {
			d.edit(t, c.edit[0], c.edit[1])
		}
		if c.prep != nil {
			c.prep(t, d)
		}
		r := d.send(t, dana)
		r.want(t, exitConfig, c.want)
		if len(d.delivered(t)) > 0 || strings.Contains(r.stderr, "secret") {
			t.Errorf("%s: %s", name, r.stderr)
		}
		doctor := world{env: d.env}.run(t, "doctor", "-config", d.config)
		if !strings.Contains(doctor.stdout, c.want) {
			t.Errorf("%s: doctor says %s", name, doctor.stdout)
		}
	}
}

func TestDoctorLooksAtOpenPGP(t *testing.T) {
	t.Parallel()
	good, bad := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.P256, lee1, pgptest.Options{Revoked: true})
	ends := pgptest.New(pgptest.P256, kim1, pgptest.Options{Lifetime: 10 * 24 * time.Hour})
	for name, c := range map[string]struct {
		keys   []*pgptest.Key
		edit   [2]string
		want   map[string]string
		detail string
	}{
		"all is well":      {[]*pgptest.Key{good}, [2]string{}, map[string]string{"pgp.keys": checkOK, "pgp.sign_key": checkOK, "relay": checkOK}, "1 of 1 addresses have a key that may be used"},
		"one is revoked":   {[]*pgptest.Key{good, bad}, [2]string{}, map[string]string{"pgp.keys": checkWarn}, "1 of 2 addresses have a key that may be used; 0 of them end within 60 days; 1: key-revoked"},
		"one ends":         {[]*pgptest.Key{good, ends}, [2]string{}, map[string]string{"pgp.keys": checkWarn}, "1 of them end within 60 days"},
		"nothing signs":    {[]*pgptest.Key{good}, [2]string{", sign_key: us.asc, passphrase_env: PGP_PASSPHRASE", ""}, map[string]string{"pgp.sign_key": checkWarn}, "the record says"},
		"another signs":    {[]*pgptest.Key{good}, [2]string{"no-reply@clinic.example", "billing@clinic.example"}, map[string]string{"pgp.sign_key": checkFail}, ""},
		"not among modes":  {[]*pgptest.Key{good}, [2]string{"modes: [pgp]", "modes: [smime]"}, map[string]string{"pgp": checkWarn}, ""},
		"nothing is found": {[]*pgptest.Key{good}, [2]string{"audit:", "discover: {pins: pins.jsonl}\naudit:"}, map[string]string{"discover": checkWarn}, ""},
		"keys are found":   {[]*pgptest.Key{good}, [2]string{"audit:", "discover: {wkd: true}\naudit:"}, map[string]string{"discover": checkOK}, "which tells others who is written to"},
		"a far resolver":   {[]*pgptest.Key{good}, [2]string{"audit:", "discover: {openpgpkey: true, resolver: '192.0.2.1:53'}\naudit:"}, map[string]string{"discover": checkWarn}, "does not count"},
	} {
		d := newDesk(t, c.keys...)
		if c.edit[0] != "" {
			d.edit(t, c.edit[0], c.edit[1])
		}
		r := world{env: d.env}.run(t, "doctor", "-config", d.config)
		wantChecks(t, r.checks(t), c.want)
		if !strings.Contains(r.stdout, c.detail) || strings.Contains(r.stdout, "patient.example") {
			t.Errorf("%s: %s", name, r.stdout)
		}
	}
}

// senders is a fixed pgp.PublicKeySource.
type senders []*pgp.PublicKey

func TestSignClearByPGPIsVerifiedAndOnRecord(t *testing.T) {
	t.Parallel()
	us := pgptest.New(pgptest.Curve25519, clinic, pgptest.Options{})
	w := newWard(t, officeOptions{more: "modes: [tls]\nsign_clear: pgp\npgp: {sign_key: us.asc}\n"}, "")
	w.put(t, "us.asc", us.Secret(""))
	w.editConfig(t, "smime:", "#smime:")
	r := world{stdin: "To: " + dana + "\nSubject: zq9subject\n\nzq9body\n"}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitOK, "")
	reader, err := pgp.NewReader(pgp.ReaderConfig{Senders: senders{us.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	message := w.relay.Messages()[0].Data
	opened, err := reader.Read(t.Context(), bytes.NewReader(message))
	if err != nil || !opened.SignedBy(mail.Address{Address: clinic}) || !bytes.Contains(opened.Entity, []byte("zq9body")) || !bytes.Contains(opened.Entity, []byte(`hp="clear"`)) {
		t.Errorf("%v, %v", opened, err)
	}
	if _, err := reader.Read(t.Context(), bytes.NewReader(bytes.Replace(message, []byte("zq9body"), []byte("zq9bodY"), 1))); err == nil {
		t.Error("an altered message is verified")
	}
	for _, o := range of(w.events(t), audit.KindOutcome) {
		if o.Container != "multipart-signed" || o.Signed != "ed25519/sha-256:"+us.Fingerprint() || o.Mode != "tls" {
			t.Errorf("on record is %+v", o)
		}
	}
}
