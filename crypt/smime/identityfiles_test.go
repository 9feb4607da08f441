package smime_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func password(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func TestIdentitiesAreReadFromEveryKindOfFile(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	middle := root.Intermediate()
	id := middle.Intermediate().Issue(smimetest.RSA2048, clinic)
	ec := middle.Issue(smimetest.P384, clinic)
	stranger := root.Issue(smimetest.P256, lee)
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(id.Key.(*rsa.PrivateKey))})
	sec1der, err := x509.MarshalECPrivateKey(ec.Key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	sec1 := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1der})
	old, err := pkcs12.LegacyDES.Encode(id.Key, id.Certificate, id.Chain, "pass")
	if err != nil {
		t.Fatal(err)
	}
	disordered := slices.Concat(smimetest.PEM(root.Certificate, stranger.Certificate), smimetest.PEM(id.Chain[1], id.Certificate, id.Chain[0]))
	for name, c := range map[string]struct {
		certificate, key []byte
		password         func() (string, error)
		want             *smimetest.Identity
	}{
		"PEM and PKCS#8":        {smimetest.PEM(id.All()...), smimetest.KeyPEM(id.Key), nil, id},
		"PEM and PKCS#1":        {smimetest.PEM(id.All()...), pkcs1, nil, id},
		"PEM and SEC 1":         {smimetest.PEM(ec.All()...), sec1, nil, ec},
		"one PEM":               {slices.Concat(smimetest.KeyPEM(id.Key), smimetest.PEM(id.All()...)), nil, nil, id},
		"the chain in disorder": {disordered, smimetest.KeyPEM(id.Key), nil, id},
		"a bundle and a key":    {smimetest.PKCS7(id.All()...), smimetest.KeyPEM(id.Key), nil, id},
		"PKCS#12":               {smimetest.PKCS12(id, "pass"), nil, password("pass"), id},
		"PKCS#12, elliptic":     {smimetest.PKCS12(ec, "pass"), nil, password("pass"), ec},
		"PKCS#12, no password":  {smimetest.PKCS12(id, ""), nil, nil, id},
		"PKCS#12, old":          {old, nil, password("pass"), id},
	} {
		dir := t.TempDir()
		f := smime.IdentityFile{Certificate: write(t, filepath.Join(dir, "cert"), c.certificate), Password: c.password}
		if c.key != nil {
			f.Key = write(t, filepath.Join(dir, "key"), c.key)
		}
		files, err := smime.NewIdentityFiles(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list, err := files.SignersFor(t.Context(), address(clinic))
		if err != nil || len(list) != 1 || !list[0].Certificate.Equal(c.want.Certificate) || !slices.EqualFunc(list[0].Chain, c.want.Chain, (*x509.Certificate).Equal) {
			t.Errorf("%s: %d identities, %v", name, len(list), err)
		}
		if list, err := files.SignersFor(t.Context(), address(lee)); err != nil || len(list) != 0 {
			t.Errorf("%s: for another: %d, %v", name, len(list), err)
		}
	}
}

// Authorities that give out a key to sign and another to read, as in RFC 9216, put
// both into one file; a certificate that was renewed with its key stands beside
// the old one.
func TestAFileMayHaveAKeyToSignAndAnotherToRead(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	reads := root.Issue(smimetest.RSA2048, clinic, smimetest.EncryptOnly)
	signs := root.Issue(smimetest.RSA2048, clinic, smimetest.SignOnly, smimetest.Expired)
	renewed := root.IssueTo(signs.Key, clinic, smimetest.SignOnly)
	file := slices.Concat(smimetest.KeyPEM(reads.Key), smimetest.KeyPEM(signs.Key),
		smimetest.PEM(reads.Certificate), smimetest.PEM(signs.Certificate), smimetest.PEM(renewed.Certificate))
	files, err := smime.NewIdentityFiles(smime.IdentityFile{Certificate: write(t, filepath.Join(t.TempDir(), "us.pem"), file)})
	if err != nil {
		t.Fatal(err)
	}
	s := newSealer(t, smime.Config{Certificates: having(reads), Trust: smimetest.Pool(root), Signer: files})
	message, _ := seal(t, s, job(t, s, text, clinic))
	r := newReader(t, smime.ReaderConfig{Keys: files, Trust: smimetest.Pool(root)})
	opened, err := r.Read(t.Context(), bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	if len(opened.Signers) != 1 || !opened.Signers[0].Certificate.Equal(renewed.Certificate) || !opened.SignedBy(address(clinic)) {
		t.Errorf("signed by %v", opened.Signers)
	}
}

func TestFilesThatAreNoIdentityAreFaults(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id, other := root.Issue(smimetest.RSA2048, clinic), root.Issue(smimetest.P256, clinic)
	dir := t.TempDir()
	certificate := write(t, filepath.Join(dir, "cert"), smimetest.PEM(id.Certificate))
	archive := write(t, filepath.Join(dir, "p12"), smimetest.PKCS12(id, "pass"))
	secret := "marker4711"
	_, err := smime.NewIdentityFiles(
		smime.IdentityFile{},
		smime.IdentityFile{Certificate: certificate},
		smime.IdentityFile{Certificate: certificate, Key: filepath.Join(dir, "missing")},
		smime.IdentityFile{Certificate: certificate, Key: write(t, filepath.Join(dir, "other"), smimetest.KeyPEM(other.Key))},
		smime.IdentityFile{Certificate: certificate, Key: write(t, filepath.Join(dir, "bad"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))},
		smime.IdentityFile{Certificate: archive, Password: password(secret)},
		smime.IdentityFile{Certificate: archive, Password: func() (string, error) { return "", errors.New(secret) }},
		smime.IdentityFile{Certificate: archive, Password: func() (string, error) { panic(secret) }},
		smime.IdentityFile{Certificate: write(t, filepath.Join(dir, "noise"), []byte("noise"))},
	)
	if got := fields(err); len(got) != 9 || got[8] != "Files[8]" {
		t.Errorf("faults are %v", got)
	}
	if strings.Contains(fmt.Sprint(err), secret) {
		t.Error("a secret is shown")
	}
}

func TestIdentityFilesNoticeANewKey(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	first, second := root.Issue(smimetest.RSA2048, clinic), root.Issue(smimetest.P256, clinic)
	one := func(id *smimetest.Identity) []byte {
		return slices.Concat(smimetest.PEM(id.Certificate), smimetest.KeyPEM(id.Key))
	}
	path := write(t, filepath.Join(t.TempDir(), "us.pem"), one(first))
	files, err := smime.NewIdentityFiles(smime.IdentityFile{Certificate: path, PSS: true})
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, one(second))
	list, err := files.Identities(t.Context())
	if err != nil || len(list) != 1 || !list[0].Certificate.Equal(second.Certificate) || !list[0].PSS {
		t.Errorf("replaced: %d, %v", len(list), err)
	}
	replace(t, path, smimetest.PEM(first.Certificate))
	if _, err := files.SignersFor(t.Context(), address(clinic)); err == nil {
		t.Error("a certificate without a key is an identity")
	}
}

func TestOnlyAKeyThatFitsTheSenderSigns(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	to := root.Issue(smimetest.P256, dana)
	const marker = "marker4711"
	other := root.Issue(smimetest.P384, clinic)
	for name, c := range map[string]struct {
		source smime.SignerSource
		ok     bool
	}{
		"fits":               {identities(root.Issue(smimetest.RSA2048, clinic)), true},
		"sign only":          {identities(root.Issue(smimetest.RSA2048, clinic, smimetest.SignOnly)), true},
		"among others":       {append(make(smime.Identities, 1), identities(root.Issue(smimetest.P256, lee), other)...), true},
		"nobody":             {identities(), false},
		"of another address": {identities(root.Issue(smimetest.P256, lee)), false},
		"encrypt only":       {identities(root.Issue(smimetest.RSA2048, clinic, smimetest.EncryptOnly)), false},
		"not for email":      {identities(root.Issue(smimetest.RSA2048, clinic, smimetest.NotForEmail)), false},
		"expired":            {identities(root.Issue(smimetest.RSA2048, clinic, smimetest.Expired)), false},
		"not yet valid":      {identities(root.Issue(smimetest.RSA2048, clinic, smimetest.NotYetValid)), false},
		"RSA-1024":           {identities(root.Issue(smimetest.RSA1024, clinic)), false},
		"P-521":              {identities(root.Issue(smimetest.P521, clinic)), false},
		"no key":             {smime.Identities{{Certificate: other.Certificate}}, false},
		"an error":           {signers(func() ([]smime.Identity, error) { return nil, errors.New(marker) }), false},
		"a panic":            {signers(func() ([]smime.Identity, error) { panic(marker) }), false},
	} {
		s := newSealer(t, smime.Config{Certificates: having(to), Trust: smimetest.Pool(root), Signer: c.source})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.ok && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.ok {
			wantReason(t, name, err, crypt.ErrSigner)
		}
	}
}

type signers func() ([]smime.Identity, error)

func (f signers) SignersFor(context.Context, mail.Address) ([]smime.Identity, error) { return f() }

// A key that is not the certificate's is found when it signs.
func TestAForeignKeyDoesNotSign(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	us := root.Issue(smimetest.P256, clinic)
	us.Key = smimetest.NewKey(smimetest.P256)
	s, err := smime.NewSigner(smime.SignerConfig{Keys: identities(us)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Sign(t.Context(), letter(text))
	wantReason(t, "foreign", err, crypt.ErrSigner)
}
