package smime_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func anchorFiles(tb testing.TB, paths ...string) *smime.AnchorFiles {
	tb.Helper()
	files, err := smime.NewAnchorFiles(paths...)
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func TestAnchorsAreReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	old, renewed := smimetest.NewAuthority(), smimetest.NewAuthority()
	people := having(old.Intermediate().Issue(smimetest.P256, dana), renewed.Issue(smimetest.P256, lee))
	path := write(t, filepath.Join(t.TempDir(), "ca.pem"), smimetest.PEM(old.Certificate))
	s := newSealer(t, smime.Config{Certificates: people, Anchors: anchorFiles(t, path)})
	j := job(t, s, text, dana)
	seal(t, s, j)
	wants := func(when, to string, want crypt.Reason) {
		t.Helper()
		_, err := s.Find(t.Context(), address(clinic), address(to))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
			return
		}
		wantReason(t, when, err, want)
	}
	wants("before", lee, crypt.ErrUntrusted)
	replace(t, path, smimetest.PEM(renewed.Certificate))
	wants("after, the new one's", lee, "")
	wants("after, the old one's", dana, crypt.ErrUntrusted)
	_, err := s.Seal(t.Context(), &bytes.Buffer{}, j)
	wantReason(t, "a plan from before", err, crypt.ErrUntrusted)
	replace(t, path, smimetest.PEM(old.Certificate, renewed.Certificate))
	wants("with both, the old one's", dana, "")
	wants("with both, the new one's", lee, "")
	replace(t, path, []byte("nothing"))
	wants("without any", dana, crypt.ErrSource)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wants("without the file", dana, crypt.ErrSource)
	write(t, path, old.Certificate.Raw)
	wants("in DER", dana, "")
}

func TestAReaderFollowsTheAnchors(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	patient := root.Issue(smimetest.P256, dana)
	s := newSealer(t, smime.Config{Certificates: having(patient), Trust: smimetest.Pool(root), Signer: identities(root.Issue(smimetest.P256, clinic))})
	message, _ := seal(t, s, job(t, s, text, dana))
	path := write(t, filepath.Join(t.TempDir(), "ca.pem"), smimetest.PEM(smimetest.NewAuthority().Certificate))
	r := newReader(t, smime.ReaderConfig{Keys: identities(patient), Anchors: anchorFiles(t, path)})
	signedBy := func() bool {
		t.Helper()
		opened, err := r.Read(t.Context(), bytes.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		return opened.SignedBy(address(clinic))
	}
	if signedBy() {
		t.Error("a stranger's anchor will do")
	}
	replace(t, path, smimetest.PEM(root.Certificate))
	if !signedBy() {
		t.Error("the new anchor does not count")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := r.Read(t.Context(), bytes.NewReader(message))
	wantReason(t, "no file", err, crypt.ErrSource)
}

func TestAnchorFilesThatAreUnfitAreFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := smimetest.PEM(smimetest.NewAuthority().Certificate)
	half := bytes.Replace(good, []byte("MII"), []byte("MIJ"), 1)
	for name, path := range map[string]string{
		"missing":        filepath.Join(dir, "none"),
		"text":           write(t, filepath.Join(dir, "text"), []byte("hello")),
		"a key":          write(t, filepath.Join(dir, "key"), smimetest.KeyPEM(smimetest.Key(smimetest.P256))),
		"one of two bad": write(t, filepath.Join(dir, "half"), append(append([]byte(nil), good...), half...)),
	} {
		_, err := smime.NewAnchorFiles(write(t, filepath.Join(dir, "good"), good), path)
		if f, ok := errors.AsType[*smime.FieldError](err); !ok || f.Field != "Paths[1]" || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := smime.NewAnchorFiles(); !errors.Is(err, crypt.ErrConfig) {
		t.Errorf("no path: %v", err)
	}
	files := anchorFiles(t, dir) // of a directory the certificates count, and nothing else
	if list, err := files.Certificates(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d certificates, %v", len(list), err)
	}
	for name, cfg := range map[string]smime.Config{
		"both":    {Certificates: having(), Trust: pool(smimetest.NewAuthority().Certificate), Anchors: files},
		"neither": {Certificates: having()},
	} {
		if _, err := smime.New(cfg); !errors.Is(err, crypt.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := smime.NewReader(smime.ReaderConfig{Trust: x509.NewCertPool(), Anchors: files}); !errors.Is(err, crypt.ErrConfig) {
		t.Errorf("a reader with both: %v", err)
	}
}

type anchorSource func() (*x509.CertPool, error)

func (f anchorSource) Anchors(context.Context) (*x509.CertPool, error) { return f() }

func TestASourceOfAnchorsThatFailsTrustsNobody(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	for name, c := range map[string]struct {
		source anchorSource
		want   crypt.Reason
	}{
		"an error": {func() (*x509.CertPool, error) { return nil, errors.New(dana) }, crypt.ErrSource},
		"a panic":  {func() (*x509.CertPool, error) { panic(dana) }, crypt.ErrSource},
		"nothing":  {func() (*x509.CertPool, error) { return nil, nil }, crypt.ErrUntrusted}, // and not the system's
	} {
		s := newSealer(t, smime.Config{Certificates: having(root.Issue(smimetest.P256, dana)), Anchors: c.source})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		wantReason(t, name, err, c.want)
	}
}

// What was verified is remembered. Dates, revocation and the address are not
// among it.
func TestARememberedCertificateIsCheckedAllTheSame(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	middle := root.Intermediate()
	id := middle.Issue(smimetest.P256, dana)
	now := time.Now()
	status := smime.Good
	s := newSealer(t, smime.Config{
		Certificates: having(id), Trust: smimetest.Pool(root), Clock: func() time.Time { return now },
		Revocation: []smime.Revocation{revocationFunc(func() smime.Status { return status })},
	})
	j := job(t, s, text, dana)
	seal(t, s, j)
	_, err := s.Find(t.Context(), address(clinic), address("Dana@patient.example"))
	wantReason(t, "another address", err, crypt.ErrWrongAddress)
	refused := func(name string, want crypt.Reason) {
		t.Helper()
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		wantReason(t, name+", found", err, want)
		_, err = s.Seal(t.Context(), &bytes.Buffer{}, j)
		wantReason(t, name+", sealed", err, want)
	}
	status = smime.Revoked
	refused("revoked", crypt.ErrRevoked)
	status = smime.Unknown
	refused("unknown", crypt.ErrRevocation)
	status, now = smime.Good, id.Certificate.NotAfter.Add(time.Second)
	refused("expired", crypt.ErrExpired)
	now = middle.Certificate.NotBefore.Add(-time.Second)
	refused("too early", crypt.ErrNotYetValid)
	now = time.Now()
	seal(t, s, j)
	other := *j
	other.To = append([]crypt.Target(nil), j.To...)
	other.To[0].Key.Fingerprint = strings.Repeat("0", 64)
	_, err = s.Seal(t.Context(), &bytes.Buffer{}, &other)
	wantReason(t, "another fingerprint", err, crypt.ErrUnsupported)
}

func TestARememberedChainEndsWithItsAuthority(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	middle := root.Intermediate(smimetest.Between(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
	id := middle.Issue(smimetest.P256, dana)
	now := time.Now()
	s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Clock: func() time.Time { return now }})
	find(t, s, dana)
	now = now.Add(2 * time.Hour)
	_, err := s.Find(t.Context(), address(clinic), address(dana))
	wantReason(t, "its authority has ended", err, crypt.ErrUntrusted)
	now = time.Now()
	find(t, s, dana)
}

type revocationFunc func() smime.Status

func (f revocationFunc) Check(context.Context, *x509.Certificate, *x509.Certificate, time.Time) (smime.Status, error) {
	return f(), nil
}
