package sign_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// program finds a real peer. Without it the test is skipped, unless
// PHIMAIL_REAL_PEERS is 1.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("PHIMAIL_REAL_PEERS") == "1":
		t.Fatalf("%s is not installed", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return path
}

// desk is a folder where a peer works.
type desk struct {
	t   *testing.T
	dir string
	env []string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	d := desk{t: t, dir: t.TempDir()}
	d.write("root.pem", smimetest.PEM(authority().root.Certificate))
	d.write("below.pem", smimetest.PEM(authority().below.Certificate))
	return d
}

func (d desk) write(name string, content []byte) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// identity writes a certificate and its key.
func (d desk) identity(i *smimetest.Identity) {
	d.t.Helper()
	d.write("cert.pem", smimetest.PEM(i.Certificate))
	d.write("key.pem", smimetest.KeyPEM(i.Key))
}

func (d desk) run(name string, args ...string) ([]byte, error) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), program(d.t, name), args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), d.env...)
	cmd.Stdin = strings.NewReader("p\n")
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, diagnostics.String())
	}
	return out.Bytes(), nil
}

func (d desk) must(name string, args ...string) []byte {
	d.t.Helper()
	out, err := d.run(name, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func TestOpenSSLVerifiesWhatWeSign(t *testing.T) {
	t.Parallel()
	program(t, "openssl")
	for name, id := range identities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			message := signed(t, id, entity, time.Now())
			d.write("message.eml", message)
			verify := []string{"cms", "-verify", "-in", "message.eml", "-CAfile", "root.pem", "-purpose", "smimesign"}
			if got := d.must("openssl", verify...); string(got) != entity {
				t.Errorf("read %q", got)
			}
			// It writes DER itself, so that what it read was DER if it is the same.
			der := detached(t, message)
			d.write("message.p7s", der)
			if again := d.must("openssl", "cms", "-cmsout", "-inform", "DER", "-in", "message.p7s", "-outform", "DER"); !bytes.Equal(again, der) {
				t.Errorf("what we write is not DER")
			}
			printed := d.must("openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", "message.p7s")
			for _, words := range []string{"signingTime", "S/MIME Capabilities", "id-smime-aa-signingCertificateV2", "aes-256-gcm"} {
				if !bytes.Contains(printed, []byte(words)) {
					t.Errorf("no %q in\n%s", words, printed)
				}
			}
			d.write("message.eml", bytes.Replace(message, []byte("results"), []byte("result5"), 1))
			if _, err := d.run("openssl", verify...); err == nil {
				t.Error("it takes altered content")
			}
		})
	}
}

func TestWeReadWhatOpenSSLSigns(t *testing.T) {
	t.Parallel()
	program(t, "openssl")
	below := authority().below
	named := func(c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3, 4} }
	for name, tt := range map[string]struct {
		id   *smimetest.Identity
		args []string
		want crypt.Reason // the error or, after a colon, the fault
	}{
		"detached":           {below.Issue(smimetest.RSA2048, address), nil, ""},
		"detached, streamed": {below.Issue(smimetest.RSA2048, address), []string{"-stream"}, ""},
		"opaque":             {below.Issue(smimetest.RSA2048, address), []string{"-nodetach"}, ""},
		"opaque, streamed":   {below.Issue(smimetest.RSA2048, address), []string{"-nodetach", "-stream"}, ""},
		"no attributes":      {below.Issue(smimetest.RSA2048, address), []string{"-noattr"}, ""},
		"no capabilities":    {below.Issue(smimetest.RSA2048, address), []string{"-nosmimecap"}, ""},
		"named by key":       {below.Issue(smimetest.RSA2048, address, named), []string{"-keyid"}, ""},
		"CAdES":              {below.Issue(smimetest.RSA2048, address), []string{"-cades"}, ""},
		"PSS":                {below.Issue(smimetest.RSA2048, address), []string{"-keyopt", "rsa_padding_mode:pss"}, ""},
		"PSS, salt of hash":  {below.Issue(smimetest.RSA2048, address), []string{"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:-1", "-md", "sha512"}, ""},
		"SHA-384":            {below.Issue(smimetest.RSA3072, address), []string{"-md", "sha384"}, ""},
		"P-256":              {below.Issue(smimetest.P256, address), nil, ""},
		"P-384":              {below.Issue(smimetest.P384, address), []string{"-md", "sha384"}, ""},
		"P-521":              {below.Issue(smimetest.P521, address), []string{"-md", "sha512"}, ""},
		"SHA-1":              {below.Issue(smimetest.RSA2048, address), []string{"-md", "sha1"}, crypt.ErrAlgorithm},
		"PSS with SHA-1":     {below.Issue(smimetest.RSA2048, address), []string{"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_mgf1_md:sha1"}, crypt.ErrAlgorithm},
		"expired":            {below.Issue(smimetest.RSA2048, address, smimetest.Expired), nil, ":" + crypt.ErrExpired},
		"not for e-mail":     {below.Issue(smimetest.RSA2048, address, smimetest.NotForEmail), nil, ":" + crypt.ErrPurpose},
		"not for signing":    {below.Issue(smimetest.RSA2048, address, smimetest.EncryptOnly), nil, ":" + crypt.ErrUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.identity(tt.id)
			d.write("entity", []byte(entity))
			args := []string{"cms", "-sign", "-in", "entity", "-signer", "cert.pem", "-inkey", "key.pem", "-certfile", "below.pem"}
			message := d.must("openssl", append(args, tt.args...)...)
			v, err := sign.Open(message, options())
			if tt.want != "" && tt.want[0] != ':' {
				wantReason(t, err, tt.want)
				return
			}
			if err != nil || string(v.Content) != entity {
				t.Fatalf("%v\n%s", err, message)
			}
			if want := crypt.Reason(strings.TrimPrefix(string(tt.want), ":")); v.Signers[0].Fault != want {
				t.Errorf("fault %q", v.Signers[0].Fault)
			}
			if altered := bytes.Replace(message, []byte("results"), []byte("result5"), 1); !bytes.Equal(altered, message) {
				_, err := sign.Open(altered, options())
				wantReason(t, err, crypt.ErrSignature)
			}
		})
	}
}

// newGnuPG returns a desk with a home for gpgsm that trusts the root.
func newGnuPG(t *testing.T) desk {
	t.Helper()
	program(t, "gpgsm")
	d := newDesk(t)
	home, err := os.MkdirTemp("", "gnupg") //nolint:usetesting // short, for the agent's socket
	if err != nil {
		t.Fatal(err)
	}
	d.env = []string{"GNUPGHOME=" + home, "LC_ALL=C"}
	gpgconf := program(t, "gpgconf")
	t.Cleanup(func() {
		cmd := exec.Command(gpgconf, "--kill", "all")
		cmd.Env = append(os.Environ(), d.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		_ = os.RemoveAll(home)
	})
	conf := desk{t: t, dir: home}
	fingerprint := d.must("openssl", "x509", "-in", "root.pem", "-noout", "-fingerprint", "-sha1")
	_, hex, _ := strings.Cut(strings.TrimSpace(string(fingerprint)), "=")
	conf.write("trustlist.txt", []byte(hex+" S relax\n"))
	conf.write("gpg-agent.conf", []byte("s2k-count 65536\n")) // quick, for keys of a minute
	conf.write("gpgsm.conf", []byte("disable-crl-checks\nbatch\npinentry-mode loopback\npassphrase-fd 0\n"))
	d.must("gpgsm", "--import", "root.pem")
	return d
}

func TestGnuPGVerifiesWhatWeSign(t *testing.T) {
	t.Parallel()
	d := newGnuPG(t)
	for name, id := range identities() {
		d.write("message.p7s", detached(t, signed(t, id, entity, time.Now())))
		d.write("entity", []byte(entity))
		out, err := d.run("gpgsm", "--status-fd", "1", "--verify", "message.p7s", "entity")
		if err != nil || !bytes.Contains(out, []byte("GOODSIG")) || !bytes.Contains(out, []byte("TRUST_FULLY")) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		d.write("entity", []byte(strings.Replace(entity, "results", "result5", 1)))
		if out, err := d.run("gpgsm", "--status-fd", "1", "--verify", "message.p7s", "entity"); err == nil || bytes.Contains(out, []byte("GOODSIG")) {
			t.Errorf("%s: it takes altered content\n%s", name, out)
		}
	}
}

// importKey gives gpgsm the identity of key.pem and cert.pem.
func (d desk) importKey() {
	d.t.Helper()
	// gpgsm 2.2 can't read one PKCS #12 file in a hundred of those that OpenSSL
	// writes: another has another salt.
	var err error
	for range 8 {
		d.must("openssl", "pkcs12", "-export", "-legacy", "-descert", "-in", "cert.pem", "-inkey", "key.pem", "-certfile", "below.pem", "-passout", "pass:p", "-out", "key.p12")
		if _, err = d.run("gpgsm", "--import", "key.p12"); err == nil {
			return
		}
	}
	d.t.Fatal(err)
}

func TestWeReadWhatGnuPGSigns(t *testing.T) {
	t.Parallel()
	d := newGnuPG(t)
	us := authority().below.Issue(smimetest.RSA2048, address)
	d.identity(us)
	d.importKey()
	d.write("entity", []byte(entity))
	for name, args := range map[string][]string{
		"detached": {"--detach-sign"}, "opaque": {"--sign"}, "with SHA-512": {"--digest-algo", "SHA512", "--detach-sign"},
	} {
		message, err := d.run("gpgsm", append([]string{"--local-user", address}, append(args, "entity")...)...)
		if err != nil {
			t.Fatal(err)
		}
		content := []byte(entity)
		if name == "opaque" {
			content = nil
		}
		v, err := sign.Verify(message, content, options())
		if err != nil || string(v.Content) != entity || v.Signers[0].Fault != "" || !v.Signers[0].Certificate.Equal(us.Certificate) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// newNSS returns a desk with a certificate store that trusts the root.
func newNSS(t *testing.T) desk {
	t.Helper()
	program(t, "cmsutil")
	d := newDesk(t)
	d.must("certutil", "-N", "-d", "sql:"+d.dir, "--empty-password")
	d.must("certutil", "-A", "-d", "sql:"+d.dir, "-n", "root", "-t", "C,C,C", "-i", "root.pem")
	return d
}

func TestNSSVerifiesWhatWeSign(t *testing.T) {
	t.Parallel()
	d := newNSS(t)
	for name, id := range identities() {
		d.write("message.p7s", detached(t, signed(t, id, entity, time.Now())))
		verify := []string{"-D", "-d", "sql:" + d.dir, "-i", "message.p7s", "-c", "entity", "-u", "4", "-h", "0"}
		d.write("entity", []byte(entity))
		out, err := d.run("cmsutil", verify...)
		if err != nil || !bytes.Contains(out, []byte("signer0.status=GoodSignature")) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		d.write("entity", []byte(strings.Replace(entity, "results", "result5", 1)))
		if out, err := d.run("cmsutil", verify...); err == nil && bytes.Contains(out, []byte("GoodSignature")) {
			t.Errorf("%s: it takes altered content\n%s", name, out)
		}
	}
}

func TestWeReadWhatNSSSigns(t *testing.T) {
	t.Parallel()
	d := newNSS(t)
	us := authority().below.Issue(smimetest.RSA2048, address)
	d.identity(us)
	d.must("openssl", "pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-certfile", "below.pem", "-name", "us", "-passout", "pass:p", "-out", "key.p12")
	d.must("pk12util", "-i", "key.p12", "-d", "sql:"+d.dir, "-W", "p", "-K", "")
	d.write("entity", []byte(entity))
	for name, args := range map[string][]string{
		"detached": {"-T", "-G", "-P"}, "opaque": {"-G", "-P"}, "no attributes": {"-T"},
	} {
		message := d.must("cmsutil", append([]string{"-S", "-d", "sql:" + d.dir, "-N", "us", "-H", "SHA256", "-i", "entity"}, args...)...)
		content := []byte(entity)
		if name == "opaque" {
			content = nil
		}
		v, err := sign.Verify(message, content, options())
		if err != nil || string(v.Content) != entity || v.Signers[0].Fault != "" {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}
