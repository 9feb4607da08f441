package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

const signed = "sign_clear: smime\n"

// signedText is what openssl takes for signed in a message, after it verified
// who signed it.
func (w *ward) signedText(t *testing.T, message []byte) []byte {
	t.Helper()
	return openssl(t, message, "cms", "-verify", "-inform", "SMIME", "-CAfile", filepath.Join(w.dir, "anchors.pem"), "-purpose", "smimesign")
}

func TestSignClearIsVerifiedByOpenSSLAndOnRecord(t *testing.T) {
	t.Parallel()
	attached := "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nTo: ana@example.org\nSubject: zq9subject\n\n" +
		"--b\nContent-Type: text/plain\n\nzq9body\n--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=a.bin\n" +
		"Content-Transfer-Encoding: base64\n\n" + strings.Repeat("enE5YXR0YWNoZWQK\n", 90_000) + "--b--\n"
	for name, c := range map[string]struct {
		kind       smimetest.Kind
		message    string
		algorithms []string
	}{
		"RSA, text":         {smimetest.RSA2048, "To: ana@example.org\nSubject: zq9subject Gr\xc3\xb6\xc3\x9fe\n\nzq9body B\xc3\xa4r\n.\nFrom here\n", []string{"rsassa-pkcs1-v1.5", "sha-256", "rsa-2048"}},
		"P-256, attachment": {smimetest.P256, attached, []string{"ecdsa", "sha-256", "ec-p-256"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t, officeOptions{more: "modes: [tls]\n" + signed}, "")
			us := w.middle.Issue(c.kind, clinic)
			w.put(t, "us.pem", smimetest.PEM(us.All()...))
			w.put(t, "us.key", smimetest.KeyPEM(us.Key))
			w.put(t, "recipients/lee.pem", smimetest.PEM(w.middle.Issue(smimetest.P256, lee).All()...))
			r := start(t, c.message, "send", "-config", w.config, "-t").wait(t)
			r.want(t, exitOK, "")
			got := w.signedText(t, w.relay.Messages()[0].Data)
			for _, want := range []string{"zq9body", "\nSubject: ", `hp="clear"`} {
				if !bytes.Contains(got, []byte(want)) {
					t.Errorf("%q is not signed", want)
				}
			}
			rec := r.receipt(t).Recipients[0]
			e := rec.Evidence
			if rec.Mode != "tls" || rec.Status != "accepted" || e.Container != "multipart-signed" || !slices.Equal(e.Algorithms, c.algorithms) ||
				!strings.HasPrefix(e.Signed, c.algorithms[0]+"/"+c.algorithms[1]+":") {
				t.Errorf("the receipt says %+v", rec)
			}
			for _, o := range of(w.events(t), audit.KindOutcome) {
				if o.Container != e.Container || !slices.Equal(o.Algorithms, e.Algorithms) || o.Signed != e.Signed || o.Mode != "tls" || len(o.DKIM) == 0 {
					t.Errorf("on record is %+v", o)
				}
			}
		})
	}
}

func TestSignClearWorksUnderFIPSOnly(t *testing.T) {
	t.Parallel()
	w := newWard(t, officeOptions{more: "require_fips: true\n" + signed}, "")
	r := startIn(t, []string{"GODEBUG=fips140=only"}, plainMessage, "send", "-config", w.config, "-t").wait(t)
	r.want(t, exitOK, "")
	w.signedText(t, w.relay.Messages()[0].Data)
	for _, o := range of(w.events(t), audit.KindOutcome) {
		if !o.FIPS || o.Container != "multipart-signed" {
			t.Errorf("on record is %+v", o)
		}
	}
}

// For signing alone the block needs nothing about recipients.
func TestSignClearNeedsNoRecipients(t *testing.T) {
	t.Parallel()
	w := newWard(t, officeOptions{more: signed}, "")
	w.editConfig(t, "certs: [recipients/], trust: [anchors.pem], ", "")
	r := world{stdin: plainMessage}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitOK, "")
	w.signedText(t, w.relay.Messages()[0].Data)
	wantChecks(t, world{txt: w.healthy()}.run(t, "doctor", "-config", w.config).checks(t), map[string]string{"smime.sign_cert": checkWarn})
	r = world{stdin: "From: billing@clinic.example\n" + danaMessage}.run(t, "send", "-config", w.config, "-t")
	r.want(t, exitRefused, "")
	if rec := r.receipt(t).Recipients[0]; rec.Code != "signer" || rec.Status != "refused" {
		t.Errorf("a sender without a certificate: %+v", rec)
	}
	if n := len(w.relay.Messages()); n != 1 {
		t.Errorf("the relay took %d messages", n)
	}
	if err := os.Remove(filepath.Join(w.dir, "us.key")); err != nil {
		t.Fatal(err)
	}
	world{stdin: plainMessage}.run(t, "send", "-config", w.config, "-t").want(t, exitConfig, "smime.sign_key")
	wantChecks(t, world{txt: w.healthy()}.run(t, "doctor", "-config", w.config).checks(t), map[string]string{"smime.sign_key": checkFail})
}

func TestSignClearIsCheckedWithTheRest(t *testing.T) {
	t.Parallel()
	const block = "smime: {sign_cert: us.pem, sign_key: us.key}\n"
	for more, want := range map[string]string{
		"sign_clear: smime":             "x.yaml:4: sign_clear: smime needs our certificate",
		"sign_clear: tls\n" + block:     "x.yaml:4: sign_clear: must be smime",
		"sign_clear: [smime]\n" + block: "x.yaml:4: sign_clear",
		"sign_clear: ''\n" + block:      "x.yaml:5: smime.certs: missing",
		block:                           "x.yaml:4: smime.certs: missing",
		signed + "smime: {sign_cert: us.pem, sign_key: us.key, trust: [ca.pem]}\n": "x.yaml:5: smime.certs: missing",
	} {
		_, err := parseConfig("x.yaml", t.TempDir(), []byte(minimal+more))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", more, err, want)
		}
	}
	if _, err := parseConfig("x.yaml", t.TempDir(), []byte(minimal+signed+block)); err != nil {
		t.Error(err)
	}
}
