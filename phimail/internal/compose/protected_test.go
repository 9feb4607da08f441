package compose_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

const signed = `Content-Type: multipart/signed; micalg=pgp-sha256;
	protocol="application/pgp-signature"; boundary="s1"

This is a signed message. It has trailing space   
--s1
Content-Type: multipart/mixed; boundary=inner
X-Odd:   spacing 
bcc : even this

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe =

From here.
--inner--

--s1
Content-Type: application/pgp-signature

-----BEGIN PGP SIGNATURE-----
AAAA
-----END PGP SIGNATURE-----
--s1--
epilogue  
`

func TestSignedBodyIsPassedOnByteForByte(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"crlf": "From: a@b.example\r\nContent-Language: en\r\nMIME-Version: 1.0\r\n" + crlf(signed),
		"lf":   "From: a@b.example\nContent-Language: en\nMIME-Version: 1.0\n" + signed,
		// As programs do that write everything but what is signed themselves.
		"lf around": strings.NewReplacer("\r\n--s1", "\n--s1", "example\r\n", "example\n", "space   \r\n", "space   \n").
			Replace("From: a@b.example\r\nContent-Language: en\r\n" + crlf(signed)),
	} {
		p := parse(t, raw)
		if !p.Entity.Protected() {
			t.Errorf("%s: not protected", name)
		}
		if got, want := entityOf(t, raw), "Content-Language: en\r\n"+crlf(signed); got != want {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got, want)
		}
		text, _, files := p.Entity.Content()
		if text != "Grüße \r\nFrom here." || len(files) != 1 || files[0].ContentType != "application/pgp-signature" {
			t.Errorf("%s: content %q, %d files", name, text, len(files))
		}
	}
}

func TestSignedPartWithinAnotherIsPassedOnByteForByte(t *testing.T) {
	t.Parallel()
	inner := crlf(signed)
	raw := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-List:  x\r\n" + inner +
		"\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nFußnote\r\n--b--\r\n"
	p := parse(t, raw)
	if p.Entity.Protected() {
		t.Error("the whole is protected")
	}
	if out := entityOf(t, raw); !strings.Contains(out, "\r\nX-List:  x\r\n"+inner+"\r\n--=_") {
		t.Errorf("altered in\n%s", out)
	}
	if text, _, _ := p.Entity.Content(); text != "Grüße \r\nFrom here.\nFußnote" {
		t.Errorf("content %q", text)
	}
}

func TestEncryptedBodyIsOpaque(t *testing.T) {
	t.Parallel()
	for mediaType, body := range map[string]string{
		"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m":       "MIIA\nMIIB\r\n",
		"application/x-pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"":    "MIIB\r\n",
		"multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b": "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\n\r\nAAAA\r\n--b--\r\n",
		"multipart/encrypted": "no boundary\nat all\r\n",
	} {
		raw := "Content-Type: " + mediaType + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
		p := parse(t, raw)
		if !p.Entity.Protected() {
			t.Errorf("%s: not protected", mediaType)
		}
		if got := entityOf(t, raw); got != crlf(lf(raw)) {
			t.Errorf("got %q, want %q", got, raw)
		}
		text, html, files := p.Entity.Content()
		if text != "" || html != "" || len(files) != 1 {
			t.Errorf("%s: content %q, %q, %d files", mediaType, text, html, len(files))
		}
	}
}

func TestProtectedPartThatWouldBreakIsRefused(t *testing.T) {
	t.Parallel()
	nest := func(s string) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + s + "\r\n--b--\r\n"
	}
	whole := crlf(signed)
	for name, raw := range map[string]string{
		"8-bit":         strings.Replace(whole, "From here", "Fußnote", 1),
		"8-bit header":  strings.Replace(whole, "pgp-sha256", "pgp-sha256; x=\"é\"", 1),
		"long line":     strings.Replace(whole, "From here", strings.Repeat("x", 999), 1),
		"mixed":         strings.Replace(whole, "spacing \r\n", "spacing \n", 1),
		"binary pkcs7":  "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: binary\r\n\r\n\x30\x82\x01\r\n",
		"mixed pkcs7":   "Content-Type: application/pkcs7-mime\r\n\r\nAAAA\nBBBB\r\n",
		"mixed, no end": strings.Replace(strings.Replace(whole, "--s1--", "", 1), "epilogue  \r", "epilogue  ", 1),
	} {
		for _, in := range []string{raw, nest(raw)} {
			_, err := compose.Parse(strings.NewReader(in), compose.Limits{})
			if !slices.Equal(faultsOf(err), []string{"entity"}) {
				t.Errorf("%s: err = %v", name, err)
			}
		}
	}
}

// A signature of OpenSSL still verifies after the message was taken apart and
// rebuilt.
func TestRealSignatureSurvives(t *testing.T) {
	t.Parallel()
	openssl := lookPeer(t, "openssl")
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), openssl, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %s: %v\n%s", args[0], err, out)
		}
		return out
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=us", "-keyout", "key.pem", "-out", "cert.pem")
	write("in.eml", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe  \n\nFrom here\n")
	run("cms", "-sign", "-in", "in.eml", "-signer", "cert.pem", "-inkey", "key.pem", "-out", "signed.eml",
		"-from", "no-reply@clinic.example", "-to", "ana@home.example", "-subject", "Visit")
	raw, err := os.ReadFile(filepath.Join(dir, "signed.eml"))
	if err != nil {
		t.Fatal(err)
	}
	write("out.eml", render(t, rebuild(parse(t, string(raw)))))
	got := run("cms", "-verify", "-in", "out.eml", "-CAfile", "cert.pem", "-purpose", "any")
	if !bytes.Contains(got, []byte("Gr=C3=BC=C3=9Fe")) {
		t.Errorf("verified content:\n%s", got)
	}
}

// lookPeer finds a program that is not ours.
func lookPeer(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			tb.Fatalf("%s is missing", name)
		}
		tb.Skipf("%s is not installed", name)
	}
	return path
}
