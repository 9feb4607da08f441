package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// people are identities with all kinds of keys, made once: RSA takes its time.
type people struct {
	rsa, other, large, p256, p384, p521, weak cms.Identity
}

var everybody = sync.OnceValue(func() people {
	return people{
		rsa:   identity(1, must(rsa.GenerateKey(rand.Reader, 2048))),
		other: identity(0x80, must(rsa.GenerateKey(rand.Reader, 2048))),
		large: identity(3, must(rsa.GenerateKey(rand.Reader, 3072))),
		p256:  identity(4, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))),
		p384:  identity(5, must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))),
		p521:  identity(6, must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))),
		weak: cms.Identity{Certificate: &x509.Certificate{ // FIPS 140-3 allows to make no such key
			PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2046), E: 65537}, SerialNumber: big.NewInt(7),
		}},
	}
})

func identity(serial int64, key crypto.Signer) cms.Identity {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "Zoë Recipient", Organization: []string{"Riverside Clinic"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:         true, BasicConstraintsValid: true,
		EmailAddresses: []string{"zoe@patient.example"},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return cms.Identity{Certificate: must(x509.ParseCertificate(der)), Key: key}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func to(transport cms.Transport, whom ...cms.Identity) []cms.Recipient {
	var recipients []cms.Recipient
	for _, w := range whom {
		recipients = append(recipients, cms.Recipient{Certificate: w.Certificate, Transport: transport})
	}
	return recipients
}

func encrypt(t testing.TB, content []byte, c cms.Cipher, recipients ...cms.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := new(cms.Encrypter).Encrypt(&out, bytes.NewReader(content), int64(len(content)), recipients, c); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// open decrypts a copy of message.
func open(message []byte, whom ...cms.Identity) ([]byte, *cms.Facts, error) {
	return cms.Decrypt(bytes.Clone(message), len(message), whom)
}

func wantReason(t *testing.T, err error, want crypt.Reason) {
	t.Helper()
	got, ok := errors.AsType[*crypt.Error](err)
	if !ok || got.Reason != want {
		t.Errorf("got %#v, want %s", err, string(want))
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
