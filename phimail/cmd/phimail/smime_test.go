package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

const (
	clinic = "no-reply@clinic.example"
	dana   = "dana@patient.example"
	lee    = "lee@patient.example"
)

const (
	sealedOnly  = "modes: [smime]\n"
	smimeBlock  = "smime: {certs: [recipients/], trust: [anchors.pem], sign_cert: us.pem, sign_key: us.key%s}\n"
	danaMessage = "To: " + dana + "\nSubject: zq9subject Gr\xc3\xb6\xc3\x9fe\n\nzq9body B\xc3\xa4r\n"
)

// ward is an office with S/MIME: an authority, our certificate and those of
// recipients.
type ward struct {
	*office

	root, middle *smimetest.Authority
}

// newWard adds more to the smime block, and modes to the file.
func newWard(t *testing.T, o officeOptions, more string) *ward {
	t.Helper()
	o.more += fmt.Sprintf(smimeBlock, more)
	w := &ward{office: newOffice(t, o), root: smimetest.NewAuthority()}
	w.middle = w.root.Intermediate()
	us := w.middle.Issue(smimetest.RSA2048, clinic)
	w.put(t, "anchors.pem", smimetest.PEM(w.root.Certificate))
	w.put(t, "us.pem", smimetest.PEM(us.All()...))
	w.put(t, "us.key", smimetest.KeyPEM(us.Key))
	if err := os.Mkdir(filepath.Join(w.dir, "recipients"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.put(t, "recipients/notes.txt", []byte("not a certificate"))
	return w
}

func (w *ward) put(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	writeFile(t, path, string(data), 0o600)
	return path
}

// knows issues a certificate and puts it among the recipients'.
func (w *ward) knows(t *testing.T, kind smimetest.Kind, address string, edits ...smimetest.Edit) *smimetest.Identity {
	t.Helper()
	id := w.middle.Issue(kind, address, edits...)
	w.put(t, "recipients/"+address+".pem", smimetest.PEM(id.All()...))
	return id
}

// opened is what openssl finds in a message, after it verified who signed it.
func (w *ward) opened(t *testing.T, message []byte, id *smimetest.Identity) []byte {
	t.Helper()
	certificate := w.put(t, "recipient.pem", smimetest.PEM(id.Certificate))
	key := w.put(t, "recipient.key", smimetest.KeyPEM(id.Key))
	inside := openssl(t, message, "cms", "-decrypt", "-inform", "SMIME", "-recip", certificate, "-inkey", key)
	return openssl(t, inside, "cms", "-verify", "-inform", "SMIME", "-CAfile", filepath.Join(w.dir, "anchors.pem"), "-purpose", "smimesign")
}

// openssl runs the program, or skips the test if it is missing, unless
// PHIMAIL_REAL_PEERS is 1.
func openssl(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, diagnostics.String())
	}
	return out.Bytes()
}

func TestSMIMEIsReadByOpenSSLAndOnRecord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind       smimetest.Kind
		more       string
		container  string
		algorithms []string
	}{
		"RSA":             {smimetest.RSA2048, "", "cms-enveloped-data", []string{"aes-256-cbc", "rsa-pkcs1-v1.5", "rsa-2048"}},
		"P-384":           {smimetest.P384, "", "cms-enveloped-data", []string{"aes-256-cbc", "ecdh-sha384kdf", "aes-256-wrap", "p-384"}},
		"OAEP by domain":  {smimetest.RSA2048, ", forms: [{for: patient.example, form: oaep}]", "cms-enveloped-data", []string{"aes-256-cbc", "rsa-oaep-sha256"}},
		"GCM by address":  {smimetest.RSA2048, ", forms: [{for: " + dana + ", form: gcm}]", "cms-auth-enveloped-data", []string{"aes-256-gcm", "rsa-oaep-sha256"}},
		"form of another": {smimetest.RSA2048, ", forms: [{for: " + lee + ", form: gcm}]", "cms-enveloped-data", []string{"aes-256-cbc", "rsa-pkcs1-v1.5", "rsa-2048"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t, officeOptions{more: sealedOnly}, c.more)
			id := w.knows(t, c.kind, dana)
			r := start(t, danaMessage, "send", "-config", w.config, "-t").wait(t)
			r.want(t, exitOK, "")
			messages := w.relay.Messages()
			if len(messages) != 1 {
				t.Fatalf("the relay took %d messages", len(messages))
			}
			got := w.opened(t, messages[0].Data, id)
			if !bytes.Contains(got, []byte("zq9body")) || !bytes.Contains(bytes.ToLower(got), []byte("subject:")) {
				t.Errorf("inside is %s", got)
			}
			rec := r.receipt(t).Recipients[0]
			e := rec.Evidence
			if rec.Mode != "smime" || rec.Status != "accepted" || e.Container != c.container || len(e.Fingerprints) != 1 || e.KeySource != "file" ||
				e.Signed == "" || e.Signed == "none" {
				t.Errorf("the receipt lacks evidence: %s", r.stdout)
			}
			if !startsWith(e.Algorithms, c.algorithms...) {
				t.Errorf("algorithms are %v, want %v first", e.Algorithms, c.algorithms)
			}
			w.wantSameOnRecord(t, e)
		})
	}
}

// startsWith looks at what encrypts, which comes before what signs.
func startsWith(list []string, first ...string) bool {
	return len(list) > len(first) && slices.Equal(list[:len(first)], first)
}

func (w *ward) wantSameOnRecord(t *testing.T, e evidenceJSON) {
	t.Helper()
	for _, o := range of(w.events(t), audit.KindOutcome) {
		if o.Container != e.Container || !slices.Equal(o.Algorithms, e.Algorithms) || !slices.Equal(o.Fingerprints, e.Fingerprints) ||
			o.KeySource != e.KeySource || o.Signed != e.Signed || o.Mode != "smime" {
			t.Errorf("on record is %+v, in the receipt %+v", o, e)
		}
	}
}

func TestSMIMEPlanNamesTheKey(t *testing.T) {
	t.Parallel()
	w := newWard(t, officeOptions{more: sealedOnly}, "")
	id := w.knows(t, smimetest.P256, dana)
	r := world{stdin: danaMessage}.run(t, "plan", "-config", w.config, "-t")
	r.want(t, exitOK, "")
	rec := r.receipt(t).Recipients[0]
	r = world{stdin: danaMessage}.run(t, "send", "-config", w.config, "-t")
	fingerprint := r.receipt(t).Recipients[0].Evidence.Fingerprints[0]
	if rec.Mode != "smime" || rec.Status != "planned" || !strings.Contains(rec.Reason, "sealed to the key "+fingerprint[:16]) {
		t.Errorf("got %+v, want the key %s", rec, fingerprint)
	}
	if got := openssl(t, smimetest.PEM(id.Certificate), "x509", "-noout", "-fingerprint", "-sha256"); !strings.Contains(
		strings.ToLower(strings.ReplaceAll(string(got), ":", "")), fingerprint) {
		t.Errorf("openssl says %s, the receipt %s", got, fingerprint)
	}
}

func TestSMIMEWithoutAUsableCertificateSendsNothing(t *testing.T) {
	t.Parallel()
	stranger := smimetest.NewAuthority()
	for code, prepare := range map[string]func(*testing.T, *ward){
		"key-not-found":          func(*testing.T, *ward) {},
		"key-expired":            func(t *testing.T, w *ward) { w.knows(t, smimetest.RSA2048, dana, smimetest.Expired) },
		"key-not-yet-valid":      func(t *testing.T, w *ward) { w.knows(t, smimetest.RSA2048, dana, smimetest.NotYetValid) },
		"key-not-for-email":      func(t *testing.T, w *ward) { w.knows(t, smimetest.RSA2048, dana, smimetest.NotForEmail) },
		"key-not-for-encryption": func(t *testing.T, w *ward) { w.knows(t, smimetest.RSA2048, dana, smimetest.SignOnly) },
		"key-weak":               func(t *testing.T, w *ward) { w.knows(t, smimetest.RSA1024, dana) },
		"key-of-another-address": func(t *testing.T, w *ward) {
			w.knows(t, smimetest.RSA2048, dana, smimetest.Mailboxes([]string{"Dana@patient.example"}))
		},
		"key-untrusted": func(t *testing.T, w *ward) {
			w.put(t, "recipients/dana.pem", smimetest.PEM(stranger.Issue(smimetest.RSA2048, dana).All()...))
		},
		"key-revoked": func(t *testing.T, w *ward) {
			w.revoke(t, w.knows(t, smimetest.RSA2048, dana))
		},
		"revocation-unknown": func(t *testing.T, w *ward) {
			w.revoke(t, w.knows(t, smimetest.RSA2048, dana))
			w.put(t, "lists/middle.crl", w.root.RevocationList(time.Now().Add(-time.Minute)))
		},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWard(t, officeOptions{more: sealedOnly}, "")
			w.knows(t, smimetest.P256, lee)
			prepare(t, w)
			if strings.HasPrefix(code, "revocation") || code == "key-revoked" {
				w.editConfig(t, "sign_cert:", "crls: [lists/], sign_cert:")
			}
			r := world{stdin: "To: " + dana + ", " + lee + "\nSubject: x\n\nhello\n"}.run(t, "send", "-config", w.config, "-t")
			r.want(t, exitRefused, "recipient 1 of 2: refused")
			for _, rec := range r.receipt(t).Recipients {
				if rec.Status != "refused" || rec.Address == dana && rec.Code != code {
					t.Errorf("got %+v, want %s", rec, code)
				}
			}
			if n := len(w.relay.Messages()); n > 0 {
				t.Errorf("the relay took %d messages", n)
			}
			if o := of(w.events(t), audit.KindOutcome)[0]; o.Reason != code || o.Status != "refused" {
				t.Errorf("on record is %+v", o)
			}
		})
	}
}

// revoke makes current lists of both authorities, with id on that of its own.
func (w *ward) revoke(t *testing.T, id *smimetest.Identity) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(w.dir, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Minute)
	w.put(t, "lists/root.crl", w.root.RevocationList(at))
	w.put(t, "lists/middle.crl", smimetest.RevocationListPEM(w.middle.RevocationList(at, id.Certificate)))
}

func TestSMIMEModesDecideWhoMayGetLess(t *testing.T) {
	t.Parallel()
	w := newWard(t, officeOptions{more: "modes: [smime, tls]\n"}, "")
	id := w.knows(t, smimetest.P256, dana)
	r := world{stdin: "To: " + dana + ", ana@patient.example\nSubject: zq9subject\n\nzq9body\n"}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitOK, "")
	modes := map[string]string{}
	for _, rec := range r.receipt(t).Recipients {
		modes[rec.Address] = rec.Mode
	}
	if want := map[string]string{dana: "smime", "ana@patient.example": "tls"}; !maps.Equal(modes, want) {
		t.Errorf("modes are %v", modes)
	}
	for _, m := range w.relay.Messages() {
		if readable := bytes.Contains(m.Data, []byte("zq9body")); readable != slices.Contains(m.To, "ana@patient.example") {
			t.Errorf("in clear is %t for %v", readable, m.To)
		}
		if slices.Contains(m.To, dana) && !bytes.Contains(w.opened(t, m.Data, id), []byte("zq9body")) {
			t.Error("openssl does not find the body")
		}
	}
}

func TestSMIMEGoesToAMaildir(t *testing.T) {
	t.Parallel()
	w := newWard(t, officeOptions{}, "")
	id := w.knows(t, smimetest.RSA2048, dana)
	w.put(t, "phimail.yaml", fmt.Appendf(nil, "from: "+clinic+"\ntransport: {maildir: {dir: out}}\naudit: {file: audit.jsonl}\n"+smimeBlock, ""))
	world{stdin: plainMessage}.run(t, "send", "-config", w.config, "-t").want(t, exitRefused, "")
	world{stdin: danaMessage}.run(t, "send", "-config", w.config, "-t").want(t, exitOK, "")
	wantChecks(t, world{}.run(t, "doctor", "-config", w.config).checks(t), map[string]string{"relay": checkOK, "smime.certs": checkOK})
	files, err := filepath.Glob(filepath.Join(w.dir, "out", "new", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("in the maildir are %v: %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(w.opened(t, data, id), []byte("zq9body")) {
		t.Error("openssl does not find the body")
	}
}

func TestSMIMEInFIPSModeUsesOAEP(t *testing.T) {
	t.Parallel()
	w := newWard(t, officeOptions{more: "require_fips: true\n" + sealedOnly}, ", forms: [{for: "+lee+", form: standard}]")
	id := w.knows(t, smimetest.RSA2048, dana)
	w.knows(t, smimetest.RSA2048, lee)
	fips := []string{"GODEBUG=fips140=only"}
	r := startIn(t, fips, danaMessage, "send", "-config", w.config, "-t").wait(t)
	r.want(t, exitOK, "")
	if e := r.receipt(t).Recipients[0].Evidence; !startsWith(e.Algorithms, "aes-256-cbc", "rsa-oaep-sha256", "rsa-2048") {
		t.Errorf("algorithms are %v", e.Algorithms)
	}
	if !bytes.Contains(w.opened(t, w.relay.Messages()[0].Data, id), []byte("zq9body")) {
		t.Error("openssl does not find the body")
	}
	if o := of(w.events(t), audit.KindOutcome)[0]; !o.FIPS {
		t.Error("the record does not say that FIPS mode was on")
	}
	r = startIn(t, fips, "Subject: x\n\nhello\n", "send", "-config", w.config, lee).wait(t)
	r.want(t, exitRefused, "")
	if rec := r.receipt(t).Recipients[0]; rec.Code != "fips" {
		t.Errorf("got %+v", rec)
	}
}

func TestSMIMESignsWithPKCS12OrNotAtAllAndSaysSo(t *testing.T) {
	t.Parallel()
	const signing = ", sign_cert: us.pem, sign_key: us.key"
	w := newWard(t, officeOptions{more: sealedOnly}, "")
	w.knows(t, smimetest.P256, dana)
	w.put(t, "us.p12", smimetest.PKCS12(w.middle.Issue(smimetest.P256, clinic), "secret"))
	send := func(env map[string]string) result {
		return world{stdin: danaMessage, env: env}.run(t, "send", "-config", w.config, "-t")
	}
	w.editConfig(t, signing, ", sign_cert: us.p12, passphrase_env: P12")
	send(nil).want(t, exitConfig, "passphrase_env: the environment variable that it names is not set")
	send(map[string]string{"P12": "wrong"}).want(t, exitConfig, "smime.sign_cert: not the files of a certificate and its private key")
	r := send(map[string]string{"P12": "secret"})
	r.want(t, exitOK, "")
	if got := r.receipt(t).Recipients[0].Evidence.Signed; got == "none" || got == "" {
		t.Errorf("signed is %q", got)
	}
	w.editConfig(t, ", sign_cert: us.p12, passphrase_env: P12", "")
	r = send(nil)
	r.want(t, exitOK, "")
	if got := r.receipt(t).Recipients[0].Evidence.Signed; got != "none" {
		t.Errorf("signed is %q", got)
	}
}

func TestSMIMESenderWithoutACertificateSendsNothing(t *testing.T) {
	t.Parallel()
	w := newWard(t, officeOptions{more: sealedOnly}, "")
	w.knows(t, smimetest.P256, dana)
	r := world{stdin: "From: billing@clinic.example\n" + danaMessage}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitRefused, "")
	if rec := r.receipt(t).Recipients[0]; rec.Code != "signer" {
		t.Errorf("got %+v", rec)
	}
}
