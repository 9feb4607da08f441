package smimetest_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKeysAreOfTheirKind(t *testing.T) {
	t.Parallel()
	for kind, bits := range map[smimetest.Kind]int{
		smimetest.RSA1024: 1024, smimetest.RSA2048: 2048, smimetest.RSA3072: 3072, smimetest.P256: 256, smimetest.P384: 384,
		smimetest.P521: 521, smimetest.Ed25519: 256,
	} {
		got := 0
		switch key := smimetest.Key(kind).Public().(type) {
		case *rsa.PublicKey:
			got = key.N.BitLen()
		case *ecdsa.PublicKey:
			got = key.Curve.Params().BitSize
		case ed25519.PublicKey:
			got = len(key) * 8
		}
		if got != bits {
			t.Errorf("%s has %d bits", kind, got)
		}
		if kind != smimetest.Ed25519 && smimetest.Key(kind) != smimetest.Key(kind) {
			t.Errorf("%s: two keys", kind)
		}
	}
}

func TestEveryCertificateIsWhatItSays(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthorityOf(smimetest.RSA2048)
	below := root.Intermediate()
	verify := func(c *x509.Certificate) error {
		intermediates := x509.NewCertPool()
		intermediates.AddCert(below.Certificate)
		_, err := c.Verify(x509.VerifyOptions{
			Roots: smimetest.Pool(root), Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		})
		return err
	}
	for name, c := range map[string]struct {
		edits []smimetest.Edit
		ok    bool
	}{
		"good":          {nil, true},
		"sign only":     {[]smimetest.Edit{smimetest.SignOnly}, true},
		"expired":       {[]smimetest.Edit{smimetest.Expired}, false},
		"not yet valid": {[]smimetest.Edit{smimetest.NotYetValid}, false},
		"not for email": {[]smimetest.Edit{smimetest.NotForEmail}, false},
		"SHA-1":         {[]smimetest.Edit{smimetest.SHA1}, false},
		"mailboxes":     {[]smimetest.Edit{smimetest.Mailboxes([]string{"a@x.example"}, "é@x.example")}, true},
	} {
		id := below.Issue(smimetest.P256, "a@x.example", c.edits...)
		if err := verify(id.Certificate); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if len(id.Chain) != 1 || !id.Chain[0].Equal(below.Certificate) || len(id.All()) != 2 {
			t.Errorf("%s: the chain is not the intermediate", name)
		}
	}
	if id := below.Issue(smimetest.P256, "a@x.example", smimetest.SignOnly); id.Certificate.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Error("more than signing")
	}
}

func TestRevocationListsNameTheRevoked(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, "a@x.example")
	list, err := x509.ParseRevocationList(root.RevocationList(time.Now(), id.Certificate))
	if err != nil || list.CheckSignatureFrom(root.Certificate) != nil {
		t.Fatal(err)
	}
	if e := list.RevokedCertificateEntries; len(e) != 1 || e[0].SerialNumber.Cmp(id.Certificate.SerialNumber) != 0 {
		t.Errorf("entries are %v", e)
	}
}

func TestFilesAreReadByOthers(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Intermediate().Issue(smimetest.RSA2048, "a@x.example")
	key, certificate, chain, err := pkcs12.DecodeChain(smimetest.PKCS12(id, "pass"), "pass")
	if err != nil || key == nil || !certificate.Equal(id.Certificate) || len(chain) != 1 {
		t.Errorf("PKCS#12: %v", err)
	}
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no openssl")
	}
	for name, c := range map[string]struct {
		data []byte
		args []string
	}{
		"certificates": {smimetest.PEM(id.All()...), []string{"x509", "-noout", "-in"}},
		"a key":        {smimetest.KeyPEM(id.Key), []string{"pkey", "-noout", "-in"}},
		"a list":       {smimetest.RevocationListPEM(root.RevocationList(time.Now())), []string{"crl", "-noout", "-in"}},
		"a bundle":     {smimetest.PKCS7PEM(id.All()...), []string{"pkcs7", "-noout", "-print_certs", "-in"}},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), program, append(c.args, path)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func TestAnUnknownKindPanics(t *testing.T) {
	t.Parallel()
	for _, f := range []func(smimetest.Kind){func(k smimetest.Kind) { smimetest.Key(k) }, func(k smimetest.Kind) { smimetest.NewKey(k) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f("rsa-512")
		}()
	}
}
