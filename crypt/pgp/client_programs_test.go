package pgp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

// program is a client that is a command.
type program struct {
	path, label, version string
	dir                  string
}

var twoNumbers = regexp.MustCompile(`\d+\.\d+`)

// newProgram finds a command, and its version in what it says of itself.
func newProgram(t *testing.T, name, label string, args ...string) program {
	t.Helper()
	p := program{path: havePeer(t, name), label: label, dir: shortDir(t)}
	out, err := exec.CommandContext(t.Context(), p.path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	p.version = twoNumbers.FindString(string(out))
	return p
}

// shortDir is a folder with a short path: GnuPG puts sockets into it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgp") //nolint:usetesting // those of the test are too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *program) name() string { return p.label + " " + p.version }

func (p *program) put(t *testing.T, name string, data []byte) string {
	t.Helper()
	return put(t, filepath.Join(p.dir, name), data)
}

// files are the keys and the message of a form.
func (p *program) files(t *testing.T, m *sealedForm) (key, signer, message string) {
	t.Helper()
	return p.put(t, "key.asc", m.key.Secret("")), p.put(t, "signer.asc", pgptest.Armored(m.signer)), p.put(t, "message.asc", m.armor())
}

// run returns standard output, and an error with the other.
func run(t *testing.T, env []string, path string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

const (
	noRFC9580 = "knows neither SEIPD version 2 nor keys of version 6"
	noMLKEM   = "does not know ML-KEM"
)

// old is what programs from before RFC 9580 can't read.
func old(f clientForm) string {
	switch {
	case f.aead:
		return noRFC9580
	case f.quantum():
		return noMLKEM
	}
	return ""
}

type gnuPG struct{ program }

func newGnuPG(t *testing.T, _ *clientWorld) mailClient {
	t.Helper()
	return &gnuPG{newProgram(t, "gpg", "GnuPG", "--version")}
}

func (g *gnuPG) known() bool                { return g.version == "2.2" }
func (g *gnuPG) cannot(f clientForm) string { return old(f) }

// endAgent ends the agent that GnuPG started for a home.
func endAgent(home string) {
	_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() //nolint:noctx // the test's has ended
}

// gnuPGHome makes a keyring with the keys of a form, and ends its agent.
func gnuPGHome(t *testing.T, dir string, m *sealedForm) (string, error) {
	t.Helper()
	home, err := os.MkdirTemp(dir, "h") //nolint:usetesting // as above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endAgent(home) })
	for _, key := range [][]byte{m.key.Secret(""), pgptest.Armored(m.signer)} {
		if out, err := run(t, nil, "gpg", "--homedir", home, "--batch", "--import", put(t, filepath.Join(home, "in.asc"), key)); err != nil {
			return home, fmt.Errorf("importing: %w: %s", err, out)
		}
	}
	return home, nil
}

func (g *gnuPG) receive(t *testing.T, m *sealedForm) ([]byte, error) {
	t.Helper()
	home, err := gnuPGHome(t, g.dir, m)
	if err != nil {
		return nil, err
	}
	status := filepath.Join(home, "status")
	out, err := run(t, nil, g.path, "--homedir", home, "--batch", "--trust-model", "always", "--status-file", status, "--decrypt", g.put(t, "message.asc", m.armor()))
	if err != nil {
		return nil, err
	}
	said, err := os.ReadFile(status)
	for _, want := range []string{"GOODMDC", "GOODSIG", "VALIDSIG " + strings.ToUpper(m.signer.Fingerprint())} {
		if !bytes.Contains(said, []byte("[GNUPG:] "+want)) {
			return nil, errors.Join(fmt.Errorf("no %s", want), err)
		}
	}
	return out, nil
}

type rnp struct{ program }

func newRNP(t *testing.T, _ *clientWorld) mailClient {
	t.Helper()
	return &rnp{newProgram(t, "rnp", "RNP", "--version")}
}

func (r *rnp) known() bool                { return r.version == "0.16" }
func (r *rnp) cannot(f clientForm) string { return old(f) }

func (r *rnp) receive(t *testing.T, m *sealedForm) ([]byte, error) {
	t.Helper()
	home, err := os.MkdirTemp(r.dir, "h") //nolint:usetesting // as above
	if err != nil {
		t.Fatal(err)
	}
	key, signer, message := r.files(t, m)
	for _, k := range []string{key, signer} {
		if _, err := run(t, nil, havePeer(t, "rnpkeys"), "--homedir", home, "--import", k); err != nil {
			return nil, err
		}
	}
	content := filepath.Join(home, "content")
	cmd := exec.CommandContext(t.Context(), r.path, "--homedir", home, "--password", "x", "--decrypt", message, "--output", content)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	if !bytes.Contains(said, []byte("Signature(s) verified successfully")) {
		return nil, fmt.Errorf("no good signature: %s", said)
	}
	return os.ReadFile(content)
}

type sq struct{ program }

func newSq(t *testing.T, _ *clientWorld) mailClient {
	t.Helper()
	return &sq{newProgram(t, "sq", "Sequoia sq", "--version")}
}

func (s *sq) known() bool                { return s.version == "0.27" }
func (s *sq) cannot(f clientForm) string { return old(f) }

func (s *sq) receive(t *testing.T, m *sealedForm) ([]byte, error) {
	t.Helper()
	key, signer, message := s.files(t, m)
	return run(t, nil, s.path, "decrypt", "--recipient-key", key, "--signer-cert", signer, "--signatures", "1", message)
}

type sqop struct{ program }

func newSqop(t *testing.T, _ *clientWorld) mailClient {
	t.Helper()
	return &sqop{newProgram(t, "sqop", "sqop", "version")}
}

func (s *sqop) known() bool                { return s.version == "0.27" }
func (s *sqop) cannot(f clientForm) string { return old(f) }

func (s *sqop) receive(t *testing.T, m *sealedForm) ([]byte, error) {
	t.Helper()
	key, signer, message := s.files(t, m)
	verified := filepath.Join(s.dir, "verified")
	_ = os.Remove(verified) // it must not be there
	in, err := os.Open(message)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	cmd := exec.CommandContext(t.Context(), s.path, "decrypt", "--verify-with", signer, "--verifications-out", verified, key)
	cmd.Stdin = in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	if said, err := os.ReadFile(verified); err != nil || len(said) == 0 {
		return nil, errors.Join(errors.New("no good signature"), err)
	}
	return out, nil
}

// notmuch reads whole messages, by GnuPG.
type notmuch struct{ program }

func newNotmuch(t *testing.T, _ *clientWorld) mailClient {
	t.Helper()
	return &notmuch{newProgram(t, "notmuch", "notmuch", "--version")}
}

func (n *notmuch) known() bool                { return n.version == "0.37" }
func (n *notmuch) cannot(f clientForm) string { return old(f) }

// shown is what notmuch shows of a message.
type shown struct {
	Crypto struct {
		Signed struct {
			Status []struct {
				Status      string `json:"status"`
				Fingerprint string `json:"fingerprint"`
			} `json:"status"`
		} `json:"signed"`
		Decrypted struct {
			Status string `json:"status"`
		} `json:"decrypted"`
	} `json:"crypto"`
	Headers struct {
		Subject string `json:"Subject"`
	} `json:"headers"`
	Body []shownPart `json:"body"`
}

// shownPart is one part; Content is a text, or the parts of a multipart.
type shownPart struct {
	ID      int             `json:"id"`
	Content json.RawMessage `json:"content"`
}

// leaves are the ids of the parts inside that are no multiparts.
func (s *shown) leaves() []int {
	var list []int
	var walk func(shownPart)
	walk = func(p shownPart) {
		var parts []shownPart
		if json.Unmarshal(p.Content, &parts) != nil {
			list = append(list, p.ID)
		}
		for _, inner := range parts {
			walk(inner)
		}
	}
	const version = 2 // the first part of multipart/encrypted
	for _, p := range s.Body {
		walk(p)
	}
	return slices.DeleteFunc(list, func(id int) bool { return id == version })
}

func (n *notmuch) receive(t *testing.T, m *sealedForm) ([]byte, error) {
	t.Helper()
	home, err := gnuPGHome(t, n.dir, m)
	if err != nil {
		return nil, err
	}
	mail := filepath.Join(home, "mail", "new")
	if err := os.MkdirAll(mail, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(mail, "message"), m.message)
	conf := put(t, filepath.Join(home, "config"), []byte("[database]\npath="+filepath.Dir(mail)+"\n[user]\nname=Dana\nprimary_email="+dana+"\n"))
	env := []string{"NOTMUCH_CONFIG=" + conf, "GNUPGHOME=" + home, "HOME=" + home}
	if _, err := run(t, env, n.path, "new", "--decrypt=true"); err != nil {
		return nil, err
	}
	out, err := run(t, env, n.path, "show", "--decrypt=true", "--format=json", "--body=true", "--entire-thread=false", "*")
	if err != nil {
		return nil, err
	}
	var threads [][][]json.RawMessage
	var s shown
	if err := json.Unmarshal(out, &threads); err != nil || len(threads) != 1 {
		return nil, fmt.Errorf("%d threads: %w", len(threads), err)
	}
	if err := json.Unmarshal(threads[0][0][0], &s); err != nil {
		return nil, err
	}
	if s.Crypto.Decrypted.Status != "full" || len(s.Crypto.Signed.Status) != 1 || s.Crypto.Signed.Status[0].Status != "good" ||
		!strings.EqualFold(s.Crypto.Signed.Status[0].Fingerprint, m.signer.Fingerprint()) || s.Headers.Subject != secretSubject && m.body != nil {
		return nil, fmt.Errorf("it shows %+v", s)
	}
	// It shows parts, not what was signed: each leaf must be of that.
	for _, id := range s.leaves() {
		leaf, err := run(t, env, n.path, "show", "--decrypt=true", "--format=raw", fmt.Sprintf("--part=%d", id), "*")
		if err != nil || len(leaf) == 0 || !m.has(leaf) {
			return nil, fmt.Errorf("part %d of %d bytes is none of the message's: %w", id, len(leaf), err)
		}
	}
	return append([]byte("x\r\nSubject: "+m.subject+"\r\n\r\n"), m.body...), nil
}

// has reports whether a decoded part is one of the message.
func (s *sealedForm) has(leaf []byte) bool {
	text := bytes.ReplaceAll(leaf, []byte("\n"), []byte("\r\n"))
	return bytes.Contains(s.body, bytes.TrimSpace(text)) || bytes.Contains(s.body, []byte(base64Lines(leaf)))
}

// openPGPJS is the library of Proton's web mail, run by Node.
type openPGPJS struct {
	program

	env []string
}

func newOpenPGPJS(t *testing.T, _ *clientWorld) mailClient {
	t.Helper()
	o := &openPGPJS{program: program{path: havePeer(t, "node"), label: "OpenPGP.js", dir: shortDir(t)}, env: []string{"NODE_PATH=" + modules()}}
	out, err := run(t, o.env, o.path, filepath.Join("testdata", "receive.cjs"))
	switch {
	case err == nil:
		o.version = twoNumbers.FindString(string(out))
	case mustHavePeers():
		t.Fatalf("openpgp is not in PHIMAIL_NODE_MODULES: %v", err)
	default:
		t.Skip("openpgp is not in PHIMAIL_NODE_MODULES")
	}
	return o
}

// modules is where .ci/run installs packages of npm.
func modules() string {
	if dir := os.Getenv("PHIMAIL_NODE_MODULES"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "phimail-ci", "npm", "node_modules")
}

func (o *openPGPJS) known() bool { return o.version == "6.3" }

func (o *openPGPJS) cannot(f clientForm) string {
	if f.quantum() {
		return noMLKEM
	}
	return ""
}

func (o *openPGPJS) receive(t *testing.T, m *sealedForm) ([]byte, error) {
	t.Helper()
	key, signer, message := o.files(t, m)
	return run(t, o.env, o.path, filepath.Join("testdata", "receive.cjs"), key, signer, message)
}
