package pgp_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
)

// keeper is a GnuPG home of a test.
type keeper struct {
	t    *testing.T
	home string
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	if testing.Short() {
		t.Skip("GnuPG takes its time to make keys")
	}
	havePeer(t, "gpg")
	dir := shortDir(t)
	k := &keeper{t, dir}
	t.Cleanup(func() { endAgent(dir) })
	return k
}

// gpg runs GnuPG without asking anybody.
func (k *keeper) gpg(args ...string) []byte {
	k.t.Helper()
	out, err := run(k.t, nil, "gpg", append([]string{"--homedir", k.home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "secret", "--trust-model", "always"}, args...)...)
	if err != nil {
		k.t.Fatalf("gpg %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// generate makes a key as GnuPG's users do.
func (k *keeper) generate(address, algorithm string) {
	k.t.Helper()
	k.gpg("--quick-gen-key", address, algorithm, "default", "1y")
}

func (k *keeper) private(address string) pgp.PrivateKeys {
	k.t.Helper()
	keys, err := pgp.ParsePrivateKeys(k.gpg("--armor", "--export-secret-keys", address), []byte("secret"))
	if err != nil {
		k.t.Fatal(err)
	}
	return keys
}

func (k *keeper) public(addresses ...string) publicKeys {
	k.t.Helper()
	keys, err := pgp.ParsePublicKeys(k.gpg(append([]string{"--export"}, addresses...)...))
	if err != nil {
		k.t.Fatal(err)
	}
	return keys
}

func (k *keeper) put(name, text string) string {
	k.t.Helper()
	return put(k.t, filepath.Join(k.home, name), []byte(text))
}

func TestMailMadeByGnuPGIsRead(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.generate(dana, "default")       // RSA-3072
	k.generate(lee, "future-default") // Curve25519
	k.generate(clinic, "future-default")
	senders := k.public(clinic)
	long := textHead + strings.Repeat(textBody, 20_000)
	for name, c := range map[string]struct {
		content string
		args    []string
		signed  bool
	}{
		"to RSA":             {text, []string{"-s", "-r", dana}, true},
		"to Curve25519":      {text, []string{"-s", "-r", lee}, true},
		"to both":            {text, []string{"-s", "-r", dana, "-r", lee}, true},
		"not compressed":     {text, []string{"-s", "-z", "0", "-r", dana}, true},
		"with BZIP2":         {text, []string{"-s", "--compress-algo", "bzip2", "-r", dana}, true},
		"a mebibyte":         {long, []string{"-s", "-r", dana}, true},
		"as text":            {text, []string{"-s", "-t", "-r", dana}, true},
		"not signed":         {text, []string{"-r", dana}, false},
		"a hidden recipient": {text, []string{"-s", "-R", dana}, true},
		"with AES-128":       {text, []string{"-s", "--cipher-algo", "AES128", "-r", dana}, true},
	} {
		message := carried(string(k.gpg(append([]string{"--armor", "-u", clinic, "-o", "-", "-e"}, append(c.args, k.put("in", c.content))...)...)))
		for _, whom := range []string{dana, lee} {
			if !strings.Contains(strings.Join(c.args, " "), whom) {
				continue
			}
			r := newReader(t, pgp.ReaderConfig{Keys: k.private(whom), Senders: senders})
			opened, err := r.Read(t.Context(), strings.NewReader(message))
			if err != nil || string(opened.Entity) != c.content || opened.SignedBy(address(clinic)) != c.signed {
				t.Errorf("%s, %s: %v, %v", name, whom, opened, err)
			}
		}
	}
	r := newReader(t, pgp.ReaderConfig{Keys: k.private(dana), Senders: senders})
	old := carried(string(k.gpg("--armor", "-o", "-", "-e", "--cipher-algo", "3DES", "-r", dana, k.put("in", text))))
	if _, err := r.Read(t.Context(), strings.NewReader(old)); !errors.Is(err, crypt.ErrAlgorithm) {
		t.Errorf("with 3DES: %v", err)
	}
	k.gpg("--armor", "-u", clinic, "--detach-sign", "--digest-algo", "SHA512", "-o", filepath.Join(k.home, "sig"), k.put("in", text))
	signature, err := os.ReadFile(filepath.Join(k.home, "sig"))
	if err != nil {
		t.Fatal(err)
	}
	signed := "Content-Type: multipart/signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"; boundary=b\r\n\r\n--b\r\n" + text +
		"\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n" + string(signature) + "\r\n--b--\r\n"
	if opened, err := r.Read(t.Context(), strings.NewReader(signed)); err != nil || !opened.SignedBy(address(clinic)) {
		t.Errorf("signed: %v, %v", opened, err)
	}
}

func TestKeysMadeByGnuPGAreJudged(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.generate(dana, "default")
	k.gpg("--cert-digest-algo", "SHA1", "--quick-gen-key", lee, "default", "default", "1y")
	k.gpg("--quick-gen-key", kim, "rsa2048", "sign", "1y") // no part for encryption
	var candidates []pgp.Candidate
	for _, key := range k.public() {
		candidates = append(candidates, pgp.Candidate{Key: key, Source: "test"})
	}
	s := newSealer(t, pgp.Config{Keys: sourceOf(candidates)})
	for to, want := range map[string]error{dana: nil, lee: crypt.ErrWeak, kim: crypt.ErrUsage, clinic: crypt.ErrWrongAddress} {
		if _, err := s.Find(t.Context(), address(clinic), address(to)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", to, err, want)
		}
	}
	// The keyring as GnuPG keeps it.
	box, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{Paths: []string{filepath.Join(k.home, "pubring.kbx")}})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := box.PublicKeys(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("%d keys, %v", len(all), err)
	}
}

func TestWhatIsSignedInClearIsVerifiedByOthers(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.generate(clinic, "default")
	s, err := pgp.NewSigner(pgp.SignerConfig{Keys: k.private(clinic)})
	if err != nil {
		t.Fatal(err)
	}
	message := whole(t, s, text)
	_, boundary, _ := strings.Cut(message, "boundary=\"")
	boundary, _, _ = strings.Cut(boundary, "\"")
	parts := strings.Split(message, "\r\n--"+boundary)
	content := k.put("content", strings.TrimPrefix(parts[1], "\r\n"))
	_, armor, _ := strings.Cut(parts[2], "\r\n\r\n")
	signature := k.put("signature.asc", armor)
	k.gpg("--verify", signature, content)
	cert := k.put("us.asc", string(k.gpg("--armor", "--export", clinic)))
	data, err := os.ReadFile(content)
	if err != nil {
		t.Fatal(err)
	}
	for name, verify := range map[string]func(content string) error{
		"sqop": func(c string) error {
			_, err := run(t, nil, "sh", "-c", havePeer(t, "sqop")+` verify "$0" "$1" < "$2"`, signature, cert, c)
			return err
		},
		"rnp": func(c string) error {
			home := filepath.Join(k.home, fmt.Sprintf("rnp%d", len(c)))
			if err := os.MkdirAll(home, 0o700); err != nil {
				return err
			}
			if _, err := run(t, nil, havePeer(t, "rnpkeys"), "--homedir", home, "--import", cert); err != nil {
				return err
			}
			detached := c + ".asc"
			put(t, detached, []byte(armor))
			_, err := run(t, nil, havePeer(t, "rnp"), "--homedir", home, "--verify", detached)
			return err
		},
	} {
		if err := verify(content); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		altered := k.put("altered-"+name, string(bytes.Replace(data, []byte("midnight"), []byte("midday.."), 1)))
		if err := verify(altered); err == nil {
			t.Errorf("%s verifies what was altered", name)
		}
	}
}
