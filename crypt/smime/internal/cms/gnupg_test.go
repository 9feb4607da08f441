package cms_test

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // GnuPG names certificates so
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

// gnuPG is a gpgsm with a home of its own.
type gnuPG struct {
	path, home string
	env        []string
}

func newGnuPG(t *testing.T, known ...cms.Identity) gnuPG {
	t.Helper()
	g := gnuPG{path: program(t, "gpgsm")}
	gpgconf, openssl := program(t, "gpgconf"), program(t, "openssl")
	var err error
	if g.home, err = os.MkdirTemp("", "gnupg"); err != nil { //nolint:usetesting // short, for the agent's socket
		t.Fatal(err)
	}
	g.env = []string{"GNUPGHOME=" + g.home, "LC_ALL=C"}
	t.Cleanup(func() {
		cmd := exec.Command(gpgconf, "--kill", "all")
		cmd.Env = append(os.Environ(), g.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		os.RemoveAll(g.home)
	})
	var trusted bytes.Buffer
	for _, whom := range known {
		fmt.Fprintf(&trusted, "%s S relax\n", fingerprint(whom))
	}
	g.write(t, "trustlist.txt", trusted.Bytes())
	g.write(t, "gpg-agent.conf", []byte("s2k-count 65536\n")) // quick, for keys of a minute
	g.write(t, "gpgsm.conf", []byte("disable-crl-checks\nbatch\npinentry-mode loopback\npassphrase-fd 0\n"))
	for _, whom := range known {
		g.importKey(t, openssl, whom)
	}
	return g
}

// importKey gives gpgsm the key of an identity.
func (g gnuPG) importKey(t *testing.T, openssl string, whom cms.Identity) {
	t.Helper()
	certificate, key := files(t, whom)
	// gpgsm 2.2 can't read one PKCS #12 file in a hundred of those that OpenSSL
	// writes: another has another salt.
	var err error
	for range 8 {
		var bag []byte
		bag, err = run(t, nil, nil, openssl, "pkcs12", "-export", "-legacy", "-descert", "-in", certificate, "-inkey", key, "-passout", "pass:p")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = g.run(t, "--import", g.write(t, "key.p12", bag)); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func fingerprint(whom cms.Identity) string { return fmt.Sprintf("%X", sha1.Sum(whom.Certificate.Raw)) } //nolint:gosec // as above

func (g gnuPG) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(g.home, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (g gnuPG) run(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	return run(t, g.env, []byte("p\n"), g.path, args...)
}

func TestGnuPGAndWeReadEachOther(t *testing.T) {
	t.Parallel()
	p := everybody()
	g := newGnuPG(t, p.rsa, p.large)
	for _, tt := range []struct {
		whom   cms.Identity
		others []cms.Identity
	}{
		{p.rsa, []cms.Identity{p.other, p.p256, p.p384}},
		{p.large, []cms.Identity{p.other, p.rsa}},
		{p.large, nil},
	} {
		want := random(100_000)
		message := encrypt(t, want, cms.AES256CBC, to(cms.PKCS1v15, append(tt.others, tt.whom)...)...)
		got, err := g.run(t, "--decrypt", g.write(t, "message.p7m", message))
		// It ends with code 2 when it does not know the first recipient,
		// whoever wrote the message.
		if !bytes.Equal(got, want) || err != nil && tt.others == nil {
			t.Errorf("%v, with %d others: GnuPG read %d bytes, %v", to(cms.PKCS1v15, tt.whom)[0].Algorithms(), len(tt.others), len(got), err)
		}
	}
	for _, args := range [][]string{
		{"--cipher-algo", "AES256", "--recipient", fingerprint(p.large)},
		{"--cipher-algo", "AES128", "--recipient", fingerprint(p.rsa), "--recipient", fingerprint(p.large)},
	} {
		want := random(100_000)
		message, err := g.run(t, append(args, "--encrypt", g.write(t, "content", want))...)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := open(message, p.other, p.large); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: we read %d bytes, %v", args, len(got), err)
		}
	}
}

func TestGnuPGReadsNoGCMAndNoOAEP(t *testing.T) {
	t.Parallel()
	p := everybody()
	g := newGnuPG(t, p.rsa)
	for _, message := range [][]byte{
		encrypt(t, []byte("text"), cms.AES256GCM, to(cms.PKCS1v15, p.rsa)...),
		encrypt(t, []byte("text"), cms.AES256CBC, to(cms.OAEP, p.rsa)...),
	} {
		if got, err := g.run(t, "--decrypt", g.write(t, "message.p7m", message)); err == nil || len(got) > 0 {
			version, _ := g.run(t, "--version")
			t.Errorf("it has learned to: %q\n%s", got, version)
		}
	}
}
