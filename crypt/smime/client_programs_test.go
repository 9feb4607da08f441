package smime_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha1" //nolint:gosec // GnuPG names certificates so
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// clientDesk is a folder where a client works.
type clientDesk struct {
	dir     string
	env     []string
	title   string // with the version, as in the table
	version string // of which the table speaks
}

func newClientDesk(t *testing.T, w *clientWorld) clientDesk {
	t.Helper()
	d := clientDesk{dir: t.TempDir()}
	d.write(t, "root.pem", smimetest.PEM(w.root.Certificate))
	for kind, id := range w.recipients {
		d.write(t, string(kind)+".p12", smimetest.PKCS12(id, "p"))
		d.write(t, string(kind)+".pem", smimetest.PEM(id.Certificate))
		d.write(t, string(kind)+".key", smimetest.KeyPEM(id.Key))
	}
	return d
}

func (d clientDesk) name() string { return d.title }
func (d clientDesk) known() bool  { return d.title == d.version }

// of takes the first two numbers of a version.
func (d *clientDesk) of(program string, printed []byte) {
	d.title = program + " " + string(regexp.MustCompile(`\d+\.\d+`).Find(printed))
}

func (d clientDesk) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	return write(t, filepath.Join(d.dir, name), content)
}

func (d clientDesk) run(t *testing.T, name string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), havePeer(t, name), args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), append(d.env, "LC_ALL=C")...)
	cmd.Stdin = strings.NewReader("p\n")
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, diagnostics.String())
	}
	return out.Bytes(), nil
}

func (d clientDesk) must(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := d.run(t, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fresh takes a file's content, and the file away for the next message.
func (d clientDesk) fresh(name string) ([]byte, error) {
	path := filepath.Join(d.dir, name)
	content, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	return content, err
}

// unpack opens a multipart/signed for the next step.
func (d clientDesk) unpack(t *testing.T, inside []byte) (content []byte, err error) {
	t.Helper()
	content, signature, err := signedParts(inside)
	if err == nil {
		d.write(t, "content", content)
		d.write(t, "signature.p7s", signature)
	}
	return content, err
}

type opensslClient struct{ clientDesk }

func newOpenSSLClient(t *testing.T, w *clientWorld) mailClient {
	t.Helper()
	c := opensslClient{newClientDesk(t, w)}
	c.version = "OpenSSL 3.0"
	c.of("OpenSSL", c.must(t, "openssl", "version"))
	return c
}

func (opensslClient) cannot(clientForm) inability { return inability{} }

func (c opensslClient) receive(t *testing.T, message []byte, whom smimetest.Kind) ([]byte, error) {
	t.Helper()
	c.write(t, "message.eml", message)
	if _, err := c.run(t, "openssl", "cms", "-decrypt", "-in", "message.eml", "-recip", string(whom)+".pem", "-inkey", string(whom)+".key", "-out", "inside.eml"); err != nil {
		return nil, err
	}
	return c.run(t, "openssl", "cms", "-verify", "-in", "inside.eml", "-CAfile", "root.pem", "-purpose", "smimesign")
}

type gnupgClient struct{ clientDesk }

// newGnuPGClient starts with a home of its own, that trusts the root and has
// all keys that it can import.
func newGnuPGClient(t *testing.T, w *clientWorld) mailClient {
	t.Helper()
	havePeer(t, "gpgsm")
	c := gnupgClient{newClientDesk(t, w)}
	home, err := os.MkdirTemp("", "gnupg") //nolint:usetesting // short, for the agent's socket
	if err != nil {
		t.Fatal(err)
	}
	c.env = []string{"GNUPGHOME=" + home}
	gpgconf := havePeer(t, "gpgconf")
	t.Cleanup(func() {
		cmd := exec.Command(gpgconf, "--kill", "all") // the test's context has ended
		cmd.Env = append(os.Environ(), c.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		_ = os.RemoveAll(home)
	})
	write(t, filepath.Join(home, "trustlist.txt"), fmt.Appendf(nil, "%X S relax\n", sha1.Sum(w.root.Certificate.Raw))) //nolint:gosec // as above
	write(t, filepath.Join(home, "gpg-agent.conf"), []byte("s2k-count 65536\n"))                                       // quick, for keys of a minute
	write(t, filepath.Join(home, "gpgsm.conf"), []byte("disable-crl-checks\nbatch\npinentry-mode loopback\npassphrase-fd 0\n"))
	c.version = "GnuPG 2.2"
	c.of("GnuPG", c.must(t, "gpgsm", "--version"))
	c.must(t, "gpgsm", "--import", "root.pem")
	for kind, id := range w.recipients {
		if key, ok := id.Key.(*ecdsa.PrivateKey); ok {
			c.plant(t, home, string(kind)+".pem", gnupgName(id), key)
		} else if err := c.load(t, kind); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// plant puts an elliptic key where the agent looks for it: gpgsm 2.2 crashes when
// it imports one from PKCS #12.
func (c gnupgClient) plant(t *testing.T, home, certificate, name string, key *ecdsa.PrivateKey) {
	t.Helper()
	c.must(t, "gpgsm", "--import", certificate)
	keygrip := regexp.MustCompile(`(?m)^grp:.*:([0-9A-F]{40}):`)
	grips := keygrip.FindAllSubmatch(c.must(t, "gpgsm", "--with-keygrip", "--with-colons", "--list-keys", name), -1)
	private, err := key.ECDH()
	if err != nil || len(grips) != 1 {
		t.Fatalf("%d key grips, %v", len(grips), err)
	}
	if err := os.MkdirAll(filepath.Join(home, "private-keys-v1.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	curve := "NIST " + key.Params().Name
	point, scalar := private.PublicKey().Bytes(), private.Bytes()
	write(t, filepath.Join(home, "private-keys-v1.d", string(grips[0][1])+".key"), fmt.Appendf(nil,
		"(11:private-key(3:ecc(5:curve%d:%s)(1:q%d:%s)(1:d%d:%s)))", len(curve), curve, len(point), point, len(scalar), scalar))
}

// load imports a key; it knows only the old ciphers of PKCS #12.
func (c gnupgClient) load(t *testing.T, kind smimetest.Kind) error {
	t.Helper()
	// gpgsm 2.2 can't read one PKCS #12 file in a hundred of those that OpenSSL
	// writes: another has another salt.
	var err error
	for range 8 {
		c.must(t, "openssl", "pkcs12", "-export", "-legacy", "-descert", "-in", string(kind)+".pem", "-inkey", string(kind)+".key", "-passout", "pass:p", "-out", "old.p12")
		if _, err = c.run(t, "gpgsm", "--import", "old.p12"); err == nil || !strings.Contains(err.Error(), "decryption failed") {
			return err
		}
	}
	return err
}

func (gnupgClient) cannot(f clientForm) inability {
	switch {
	case strings.Contains(f.words(), "GCM"):
		return inability{why: "does not know AuthEnvelopedData", says: "error getting IV"}
	case f.elliptic():
		return inability{why: "has an elliptic key and can't get the content key with it", says: "Invalid session key"}
	case strings.Contains(f.words(), "OAEP"):
		return inability{why: "does not know OAEP", says: "No secret key"}
	}
	return inability{}
}

func (c gnupgClient) receive(t *testing.T, message []byte, _ smimetest.Kind) ([]byte, error) {
	t.Helper()
	der, err := unwrap(message)
	if err != nil {
		return nil, err
	}
	c.write(t, "message.p7m", der)
	status, err := c.run(t, "gpgsm", "--status-fd", "1", "--yes", "--output", "inside.eml", "--decrypt", "message.p7m")
	// It ends with code 2 when it does not know another recipient.
	if !bytes.Contains(status, []byte("DECRYPTION_OKAY")) {
		return nil, errors.Join(errors.New("no DECRYPTION_OKAY"), err)
	}
	inside, err := c.fresh("inside.eml")
	if err != nil {
		return nil, err
	}
	content, err := c.unpack(t, inside)
	if err != nil {
		return nil, err
	}
	status, err = c.run(t, "gpgsm", "--status-fd", "1", "--verify", "signature.p7s", "content")
	if err == nil && (!bytes.Contains(status, []byte("GOODSIG")) || !bytes.Contains(status, []byte("TRUST_FULLY"))) {
		err = errors.New("it does not trust the signature")
	}
	return content, err
}

type nssClient struct{ clientDesk }

// newNSSClient starts with a store that trusts the root and has all keys.
func newNSSClient(t *testing.T, w *clientWorld) mailClient {
	t.Helper()
	havePeer(t, "cmsutil")
	c := nssClient{newClientDesk(t, w)}
	c.version = "NSS 3.87"
	c.of("NSS", bytes.TrimPrefix(c.must(t, "dpkg-query", "-W", "-f", "${Version}", "libnss3"), []byte("2:")))
	c.must(t, "certutil", "-N", "-d", "sql:"+c.dir, "--empty-password")
	c.must(t, "certutil", "-A", "-d", "sql:"+c.dir, "-n", "root", "-t", "C,C,C", "-i", "root.pem")
	for kind := range w.recipients {
		c.must(t, "pk12util", "-i", string(kind)+".p12", "-d", "sql:"+c.dir, "-W", "p", "-K", "")
	}
	return c
}

func (nssClient) cannot(f clientForm) inability {
	switch {
	case strings.Contains(f.words(), "GCM"):
		return inability{why: "does not know AuthEnvelopedData", says: "SEC_ERROR_UNRECOGNIZED_OID"}
	case f.agrees():
		return inability{why: "takes a message with any ECDH recipient for broken", says: "SEC_ERROR_BAD_DER"}
	case strings.Contains(f.words(), "OAEP"):
		return inability{why: "does not know OAEP", says: "SEC_ERROR_UNSUPPORTED_KEYALG"}
	}
	return inability{}
}

func (c nssClient) receive(t *testing.T, message []byte, _ smimetest.Kind) ([]byte, error) {
	t.Helper()
	der, err := unwrap(message)
	if err != nil {
		return nil, err
	}
	c.write(t, "message.p7m", der)
	inside, err := c.run(t, "cmsutil", "-D", "-d", "sql:"+c.dir, "-i", "message.p7m")
	if err != nil {
		return nil, err
	}
	content, err := c.unpack(t, inside)
	if err != nil {
		return nil, err
	}
	const emailSigner = "4"
	status, err := c.run(t, "cmsutil", "-D", "-d", "sql:"+c.dir, "-i", "signature.p7s", "-c", "content", "-u", emailSigner, "-h", "0")
	if err == nil && !bytes.Contains(status, []byte("signer0.status=GoodSignature")) {
		err = errors.New("it does not trust the signature")
	}
	return content, err
}
