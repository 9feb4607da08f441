package smime_test

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func certificateFiles(tb testing.TB, paths ...string) *smime.CertificateFiles {
	tb.Helper()
	files, err := smime.NewCertificateFiles(smime.CertificateFilesConfig{Paths: paths})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// found are the certificates that files have for an address.
func found(tb testing.TB, files *smime.CertificateFiles, to string) []*x509.Certificate {
	tb.Helper()
	list, err := files.Certificates(tb.Context(), address(to))
	if err != nil {
		tb.Fatal(err)
	}
	var out []*x509.Certificate
	for _, c := range list {
		if c.Source != "file" {
			tb.Errorf("the source is %q", c.Source)
		}
		out = append(out, c.Certificate)
	}
	return out
}

func TestCertificatesAreReadFromEveryKindOfFile(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	middle := root.Intermediate()
	lower := middle.Intermediate()
	id := lower.Issue(smimetest.P256, dana)
	other := root.Issue(smimetest.RSA2048, lee)
	all := append(id.All(), other.Certificate)
	var der []byte
	for _, c := range all {
		der = append(der, c.Raw...)
	}
	// BER, as programs that stream write it: indefinite lengths outside.
	bundle := smimetest.PKCS7(all...)
	streamed := append([]byte{0x30, 0x80}, bundle[4:]...)
	streamed = append(streamed, 0, 0)
	noise := slices.Concat([]byte("subject=...\n"), smimetest.KeyPEM(smimetest.Key(smimetest.P256)),
		[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), smimetest.PEM(all...))
	for name, data := range map[string][]byte{
		"PEM": smimetest.PEM(all...), "PEM among other things": noise, "DER in a row": der,
		"a bundle": bundle, "a bundle in PEM": smimetest.PKCS7PEM(all...), "a bundle in BER": streamed,
	} {
		files := certificateFiles(t, write(t, filepath.Join(t.TempDir(), "certs"), data))
		if got := found(t, files, lee); len(got) != 1 || !got[0].Equal(other.Certificate) {
			t.Errorf("%s: %d certificates of the other", name, len(got))
		}
		s := newSealer(t, smime.Config{Certificates: files, Trust: smimetest.Pool(root)})
		if key, err := s.Find(t.Context(), address(clinic), address(dana)); err != nil || key.Fingerprint != fingerprint(id.Certificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertificatesAreReadFromPKCS12(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Intermediate().Issue(smimetest.P256, dana)
	trusted, err := pkcs12.Modern.EncodeTrustStore(id.All(), "pass")
	if err != nil {
		t.Fatal(err)
	}
	const marker = "marker4711"
	for name, c := range map[string]struct {
		data     []byte
		password func() (string, error)
		ok       bool
	}{
		"with a key":          {smimetest.PKCS12(id, "pass"), password("pass"), true},
		"without a password":  {smimetest.PKCS12(id, ""), password(""), true},
		"certificates alone":  {trusted, password("pass"), true},
		"the wrong password":  {smimetest.PKCS12(id, "pass"), password(marker), false},
		"nobody knows it":     {trusted, func() (string, error) { return "", errors.New(marker) }, false},
		"who should know may": {trusted, func() (string, error) { panic(marker) }, false},
		"not asked for":       {smimetest.PKCS12(id, ""), nil, false},
		"no archive":          {[]byte("noise"), func() (string, error) { t.Error("asked for a password"); return "", nil }, false},
	} {
		files, err := smime.NewCertificateFiles(smime.CertificateFilesConfig{Paths: []string{write(t, filepath.Join(t.TempDir(), "dana.p12"), c.data)}, Password: c.password})
		if !c.ok {
			if got := fields(err); len(got) != 1 || got[0] != "Paths[0]" || strings.Contains(err.Error(), marker) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := newSealer(t, smime.Config{Certificates: files, Trust: smimetest.Pool(root)})
		if key, err := s.Find(t.Context(), address(clinic), address(dana)); err != nil || key.Fingerprint != fingerprint(id.Certificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOtherFilesInADirectoryArePassedOver(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id, other := root.Issue(smimetest.P256, dana), root.Issue(smimetest.P256, lee)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "dana.crt"), id.Certificate.Raw)
	write(t, filepath.Join(dir, "dana-again.pem"), smimetest.PEM(id.Certificate))
	write(t, filepath.Join(dir, "README.txt"), []byte("who is who"))
	write(t, filepath.Join(dir, "photo.jpg"), make([]byte, 1000))
	write(t, filepath.Join(dir, "empty"), nil)
	write(t, filepath.Join(dir, "key.pem"), smimetest.KeyPEM(id.Key))
	write(t, filepath.Join(dir, "half.pem"), smimetest.PEM(id.Certificate)[:200])
	write(t, filepath.Join(dir, ".hidden.pem"), smimetest.PEM(other.Certificate))
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "below", "lee.pem"), smimetest.PEM(other.Certificate))
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	huge := write(t, filepath.Join(dir, "huge.pem"), smimetest.PEM(other.Certificate))
	if err := os.Truncate(huge, 17<<20); err != nil {
		t.Fatal(err)
	}
	files := certificateFiles(t, dir)
	if got := found(t, files, dana); len(got) != 1 || !got[0].Equal(id.Certificate) {
		t.Errorf("%d certificates", len(got))
	}
	if got := found(t, files, lee); len(got) != 0 {
		t.Error("one that should not be read was")
	}
}

func TestFilesAreReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	first, second := root.Issue(smimetest.P256, dana), root.Issue(smimetest.P256, dana)
	dir := t.TempDir()
	named := write(t, filepath.Join(dir, "named.pem"), smimetest.PEM(first.Certificate))
	people := filepath.Join(dir, "people")
	if err := os.Mkdir(people, 0o700); err != nil {
		t.Fatal(err)
	}
	files := certificateFiles(t, named, people)
	check := func(name string, want ...*x509.Certificate) {
		t.Helper()
		if got := found(t, files, dana); !slices.EqualFunc(got, want, (*x509.Certificate).Equal) {
			t.Errorf("%s: %d certificates", name, len(got))
		}
	}
	check("at first", first.Certificate)
	check("unchanged", first.Certificate)
	added := write(t, filepath.Join(people, "a.pem"), smimetest.PEM(second.Certificate))
	check("a file more", first.Certificate, second.Certificate)
	replace(t, named, smimetest.PEM(second.Certificate))
	check("a file replaced", second.Certificate)
	replace(t, added, smimetest.PEM(first.Certificate))
	check("one in the directory replaced", second.Certificate, first.Certificate)
	write(t, added, []byte("nothing any more"))
	check("one in the directory emptied", second.Certificate)
	for name, spoil := range map[string]func(){
		"emptied": func() { write(t, named, []byte("nothing any more")) },
		"gone":    func() { _ = os.Remove(named) },
	} {
		replace(t, named, smimetest.PEM(first.Certificate))
		check("restored", first.Certificate)
		spoil()
		_, err := files.Certificates(t.Context(), address(dana))
		wantReason(t, name, err, crypt.ErrSource)
	}
}

func TestALookIsGoodForAsLongAsIsSaid(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	path := write(t, filepath.Join(t.TempDir(), "certs"), smimetest.PEM(root.Issue(smimetest.P256, dana).Certificate))
	now := time.Now()
	files, err := smime.NewCertificateFiles(smime.CertificateFilesConfig{Paths: []string{path}, Every: time.Minute, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	found(t, files, dana)
	replace(t, path, smimetest.PEM(root.Issue(smimetest.P256, lee).Certificate))
	now = now.Add(time.Minute - 1)
	if len(found(t, files, dana)) != 1 || len(found(t, files, lee)) != 0 {
		t.Error("looked too early")
	}
	now = now.Add(1)
	if len(found(t, files, dana)) != 0 || len(found(t, files, lee)) != 1 {
		t.Error("looked too late")
	}
}

func TestACertificateOfNearlyTheAddressIsShown(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1.pem"), smimetest.PEM(root.Issue(smimetest.P256, "Dana@patient.example").Certificate))
	write(t, filepath.Join(dir, "lee@patient.example.pem"), smimetest.PEM(root.Issue(smimetest.P256, "kim@patient.example").Certificate))
	write(t, filepath.Join(dir, "2.pem"), smimetest.PEM(root.Issue(smimetest.P256, "", func(c *x509.Certificate) {
		c.EmailAddresses, c.Subject.CommonName = nil, "sam@patient.example"
	}).Certificate))
	s := newSealer(t, smime.Config{Certificates: certificateFiles(t, dir), Trust: smimetest.Pool(root)})
	for to, want := range map[string]crypt.Reason{
		dana: crypt.ErrWrongAddress, lee: crypt.ErrWrongAddress, "sam@patient.example": crypt.ErrWrongAddress, "kit@patient.example": crypt.ErrNotFound,
	} {
		_, err := s.Find(t.Context(), address(clinic), address(to))
		wantReason(t, to, err, want)
	}
	find(t, s, "kim@patient.example")
}

func TestPathsThatHoldNoCertificateAreFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := write(t, filepath.Join(dir, "bad"), []byte("no certificate"))
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := smime.NewCertificateFiles(smime.CertificateFilesConfig{Paths: []string{dir, bad, filepath.Join(dir, "missing"), pipe}})
	if got := fields(err); !slices.Equal(got, []string{"Paths[1]", "Paths[2]", "Paths[3]"}) || !errors.Is(err, crypt.ErrConfig) {
		t.Errorf("faults are %v", got)
	}
	if _, err := smime.NewCertificateFiles(smime.CertificateFilesConfig{}); !slices.Equal(fields(err), []string{"Paths"}) {
		t.Errorf("no path: %v", err)
	}
}

func TestFilesAreNotAskedAfterTheContext(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	files := certificateFiles(t, write(t, filepath.Join(t.TempDir(), "certs"), smimetest.PEM(root.Certificate)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := files.Certificates(ctx, address(dana))
	wantReason(t, "canceled", err, crypt.ErrCanceled)
	if list, err := files.Certificates(t.Context(), address("no address")); err != nil || list != nil {
		t.Errorf("no address: %v", err)
	}
}

func TestManyAuthoritiesOfOneNameAreBounded(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	same := func(c *x509.Certificate) { c.Subject.CommonName = "Same" }
	var all []*x509.Certificate
	for range 50 {
		all = append(all, root.Intermediate(same).Certificate)
	}
	last := root.Intermediate(same)
	id := last.Issue(smimetest.P256, dana)
	all = append(all, id.Certificate)
	files := certificateFiles(t, write(t, filepath.Join(t.TempDir(), "certs"), smimetest.PEM(all...)))
	list, err := files.Certificates(t.Context(), address(dana))
	if err != nil || len(list) != 1 || len(list[0].Intermediates) != 32 {
		t.Errorf("%d candidates, %v", len(list), err)
	}
}
