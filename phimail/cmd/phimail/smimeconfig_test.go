package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestSMIMEBlockIsReadAsStrictlyAsTheRest(t *testing.T) {
	t.Parallel()
	for block, want := range map[string]string{
		"smime: yes":                                                                                    "x.yaml:4: smime: must hold key: value lines",
		"smime: {trust: [a]}":                                                                           "x.yaml:4: smime.certs: missing; name the files and directories",
		"smime: {certs: [a]}":                                                                           "x.yaml:4: smime.trust: missing; name the authorities",
		"smime: {certs: a, trust: [a]}":                                                                 "x.yaml:4: smime.certs: must be a list",
		"smime: {certs: [''], trust: [a]}":                                                              "x.yaml:4: smime.certs[0]: is empty",
		"smime: {certs: [a], trust: [a], crl: [a]}":                                                     `x.yaml:4: unknown key "crl" in smime; did you mean crls?`,
		"smime: {certs: [a], trust: [a], sign_key: a}":                                                  "x.yaml:4: smime.sign_key: is of use with sign_cert only",
		"smime: {certs: [a], trust: [a], passphrase_env: A}":                                            "smime.passphrase_env: is of use with sign_cert only",
		"smime: {certs: [a], trust: [a], sign_cert: a, passphrase: hunter2}":                            `unknown key "passphrase" in smime`,
		"smime: {certs: [a], trust: [a], sign_cert: a, sign_key: a, passphrase_env: A}":                 "smime.passphrase_env: is for a PKCS#12 file in sign_cert",
		"smime: {certs: [a], trust: [a], sign_cert: a, passphrase_file: a, passphrase_env: A}":          "smime.passphrase_file: excludes smime.passphrase_env; remove one",
		"smime:\n  certs: [a]\n  trust: [a]\n  forms: [{form: gcm}]":                                    "x.yaml:7: smime.forms[0].for: missing",
		"smime:\n  certs: [a]\n  trust: [a]\n  forms:\n    - {for: a.example}":                          "x.yaml:8: smime.forms[0].form: must be standard, oaep, gcm or announced",
		"smime:\n  certs: [a]\n  trust: [a]\n  forms:\n    - for: a.example\n      form: rc2":           "x.yaml:9: smime.forms[0].form: must be standard, oaep, gcm or announced",
		"smime:\n  certs: [a]\n  trust: [a]\n  forms:\n    - {for: a.example, form: gcm, cipher: none}": `x.yaml:8: unknown key "cipher" in smime.forms[0]`,
	} {
		_, err := parseConfig("x.yaml", "/", []byte(minimal+block+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v\nwant it to hold %s", block, err, want)
		}
	}
}

func TestSMIMEFilesThatAreMissingOrUnfitStopTheCommand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit [2]string
		prep func(*testing.T, *ward)
		want string
	}{
		"no certificates":     {[2]string{"recipients/", "gone/"}, nil, "smime.certs[0]: the file or directory does not exist"},
		"not certificates":    {[2]string{"[recipients/]", "[recipients/, recipients/notes.txt]"}, nil, "smime.certs[1]: not a readable file with certificates"},
		"no anchors":          {[2]string{"anchors.pem", "gone.pem"}, nil, "smime.trust[0]: the file or directory does not exist"},
		"not anchors":         {[2]string{"[anchors.pem]", "[anchors.pem, us.key]"}, nil, "smime.trust[1]: not a readable file with certificates"},
		"half an anchor":      {[2]string{}, func(t *testing.T, w *ward) { w.spoil(t, "anchors.pem") }, "smime.trust[0]: not a readable file with certificates"},
		"anybody's anchors":   {[2]string{}, func(t *testing.T, w *ward) { chmod(t, w.office, "anchors.pem", 0o666) }, "smime.trust[0]: the file can't be used: anybody may write to it"},
		"no lists":            {[2]string{"sign_cert:", "crls: [gone.crl], sign_cert:"}, nil, "smime.crls[0]: the file or directory does not exist"},
		"not a list":          {[2]string{"sign_cert:", "crls: [us.pem], sign_cert:"}, nil, "smime.crls[0]: not a readable file with revocation lists"},
		"no certificate":      {[2]string{"us.pem", "gone.pem"}, nil, "smime.sign_cert: the file does not exist"},
		"no key":              {[2]string{"us.key", "gone.key"}, nil, "smime.sign_key: the file does not exist"},
		"key of another":      {[2]string{}, func(t *testing.T, w *ward) { w.put(t, "us.key", smimetest.KeyPEM(smimetest.Key(smimetest.P384))) }, "smime.sign_cert: not the files of a certificate"},
		"certificate alone":   {[2]string{", sign_key: us.key", ""}, nil, "smime.sign_cert: not the files of a certificate"},
		"form of nobody":      {[2]string{"sign_cert:", "forms: [{for: 'a b', form: gcm}], sign_cert:"}, nil, "smime.forms[0].for: neither an address nor a domain"},
		"two forms of one":    {[2]string{"sign_cert:", "forms: [{for: a.example, form: gcm}, {for: A.example, form: oaep}], sign_cert:"}, nil, "smime.forms[1].for: has a rule already"},
		"a secret not set":    {[2]string{", sign_key: us.key", ", passphrase_env: NONE"}, nil, "smime.passphrase_env: the environment variable that it names is not set"},
		"a secret of nothing": {[2]string{", sign_key: us.key", ", passphrase_file: gone"}, nil, "smime.passphrase_file: the file does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t, officeOptions{more: sealedOnly}, "")
			w.knows(t, smimetest.P256, dana)
			w.editConfig(t, c.edit[0], c.edit[1])
			if c.prep != nil {
				c.prep(t, w)
			}
			r := world{stdin: danaMessage}.run(t, "send", "-config", w.config, "-t")
			r.want(t, exitConfig, c.want)
			if !strings.Contains(r.stderr, "phimail.yaml:") || exists(w.log()) || len(w.relay.Messages()) > 0 {
				t.Errorf("no line is named, or something was recorded or sent: %s", r.stderr)
			}
			doctor := world{txt: w.healthy()}.run(t, "doctor", "-config", w.config)
			doctor.want(t, exitConfig, "")
			if !strings.Contains(doctor.stdout, c.want) {
				t.Errorf("doctor says %s", doctor.stdout)
			}
		})
	}
}

// spoil appends a certificate that can't be read.
func (w *ward) spoil(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, name, append(data, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...))
}

func TestDoctorLooksAtSMIME(t *testing.T) {
	t.Parallel()
	const certs, trust, crls, sign = "smime.certs", "smime.trust", "smime.crls", "smime.sign_cert"
	near := smimetest.Between(time.Now().Add(-time.Hour), time.Now().Add(20*24*time.Hour))
	for name, c := range map[string]struct {
		edit   [2]string
		prep   func(*testing.T, *ward)
		want   map[string]string
		detail string
		code   int
	}{
		"all is well": {want: map[string]string{certs: checkOK, trust: checkOK, sign: checkOK, "key file smime.sign_key": checkOK, "assurance": checkOK, "relay": checkOK},
			detail: "1 of 1 addresses have a certificate that may be used; 0 of them end within 60 days"},
		"lists are current": {edit: [2]string{"sign_cert:", "crls: [lists/], sign_cert:"},
			prep: func(t *testing.T, w *ward) { w.revoke(t, w.knows(t, smimetest.P256, lee)) },
			want: map[string]string{crls: checkOK, certs: checkWarn}, detail: "1 of 2 addresses have a certificate that may be used; 0 of them end within 60 days; 1: key-revoked"},
		"a list is old": {edit: [2]string{"sign_cert:", "crls: [lists/], sign_cert:"},
			prep: func(t *testing.T, w *ward) {
				w.revoke(t, w.knows(t, smimetest.P256, lee))
				w.put(t, "lists/middle.crl", w.middle.RevocationList(time.Now().Add(-48*time.Hour)))
			},
			want: map[string]string{crls: checkFail, certs: checkWarn}, detail: "of 2 issuers' lists 1 are no longer current", code: exitConfig},
		"some unfit, one ends soon": {prep: func(t *testing.T, w *ward) {
			w.knows(t, smimetest.P256, lee, near)
			w.knows(t, smimetest.RSA1024, "kim@patient.example")
			w.knows(t, smimetest.P256, "sam@patient.example", smimetest.Expired)
		}, want: map[string]string{certs: checkWarn}, detail: "2 of 4 addresses have a certificate that may be used; 1 of them end within 60 days; 1: key-expired; 1: key-weak"},
		"nobody's certificate": {prep: func(t *testing.T, w *ward) { w.remove(t, "recipients/"+dana+".pem") },
			want: map[string]string{certs: checkWarn}, detail: "nothing can be sent by smime"},
		"anchor ends soon": {prep: func(t *testing.T, w *ward) {
			w.put(t, "anchors.pem", smimetest.PEM(w.root.Certificate, smimetest.NewAuthority(near).Certificate))
		},
			want: map[string]string{trust: checkWarn}, detail: "2 trust anchors; the first to end does so on"},
		"anchor has ended": {prep: func(t *testing.T, w *ward) {
			w.put(t, "anchors.pem", smimetest.PEM(w.root.Certificate, smimetest.NewAuthority(smimetest.Expired).Certificate))
		}, want: map[string]string{trust: checkFail}, code: exitConfig},
		"nothing signs": {edit: [2]string{", sign_cert: us.pem, sign_key: us.key", ""}, want: map[string]string{sign: checkWarn}, detail: `the record says \"none\"`},
		"we end soon": {prep: func(t *testing.T, w *ward) {
			w.put(t, "us.pem", smimetest.PEM(w.middle.Issue(smimetest.RSA2048, clinic, near).All()...))
		},
			want: map[string]string{sign: checkWarn}, detail: "sends 1 authorities along"},
		"we have ended": {prep: func(t *testing.T, w *ward) {
			w.put(t, "us.pem", smimetest.PEM(w.middle.Issue(smimetest.RSA2048, clinic, smimetest.Expired).All()...))
		},
			want: map[string]string{sign: checkFail}, code: exitConfig},
		"a key to read ends soon, that to sign does not": {prep: func(t *testing.T, w *ward) {
			reads, signs := w.middle.Issue(smimetest.RSA2048, clinic, near, smimetest.EncryptOnly), w.middle.Issue(smimetest.RSA2048, clinic, smimetest.SignOnly)
			w.put(t, "us.pem", smimetest.PEM(append(signs.All(), reads.Certificate)...))
			w.put(t, "us.key", slices.Concat(smimetest.KeyPEM(reads.Key), smimetest.KeyPEM(signs.Key)))
		}, want: map[string]string{sign: checkOK}, detail: "sends 1 authorities along"},
		"we are another": {prep: func(t *testing.T, w *ward) {
			w.put(t, "us.pem", smimetest.PEM(w.middle.Issue(smimetest.RSA2048, dana).All()...))
		},
			want: map[string]string{sign: checkFail}, code: exitConfig},
		"a sender is another": {edit: [2]string{"tenant:", "senders: [billing@clinic.example]\ntenant:"}, want: map[string]string{sign: checkWarn}, detail: "senders[0]"},
		"not among modes":     {edit: [2]string{sealedOnly, "modes: [tls]\n"}, want: map[string]string{"smime": checkWarn, certs: checkOK}},
		"tls can't be used": {edit: [2]string{"tls_assurance: attested\n", ""}, prep: func(t *testing.T, w *ward) { w.editConfig(t, sealedOnly, "") },
			want: map[string]string{"assurance": checkWarn, certs: checkOK}},
		"open key": {prep: func(t *testing.T, w *ward) { chmod(t, w.office, "us.key", 0o644) }, want: map[string]string{"key file smime.sign_key": checkFail}, code: exitConfig},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t, officeOptions{more: sealedOnly}, "")
			w.knows(t, smimetest.P256, dana)
			w.editConfig(t, "senders: [billing@clinic.example]\n", "")
			w.editConfig(t, c.edit[0], c.edit[1])
			if c.prep != nil {
				c.prep(t, w)
			}
			r := world{txt: w.healthy()}.run(t, "doctor", "-config", w.config)
			wantChecks(t, r.checks(t), c.want)
			if r.code != c.code || !strings.Contains(r.stdout, c.detail) || strings.Contains(r.stdout, "patient.example") {
				t.Errorf("exit code %d, want %d and %q: %s", r.code, c.code, c.detail, r.stdout)
			}
		})
	}
}

func TestDoctorMissesTheSMIMEBlockThatModesAskFor(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: "modes: [smime, tls]"})
	r := world{txt: f.healthy()}.run(t, "doctor", "-config", f.config)
	r.want(t, exitOK, "")
	wantChecks(t, r.checks(t), map[string]string{"smime": checkWarn})
}

func (w *ward) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
		t.Fatal(err)
	}
}
