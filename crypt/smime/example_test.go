package smime_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// A message is sealed for a recipient whose certificate is in a directory, and
// opened again with their key.
func Example() {
	authority := smimetest.NewAuthority()
	clinic := authority.Issue(smimetest.P256, "no-reply@clinic.example")
	dana := authority.Issue(smimetest.RSA2048, "dana@patient.example")
	dir, err := os.MkdirTemp("", "recipients")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "dana.pem"), smimetest.PEM(dana.Certificate), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	certificates, err := smime.NewCertificateFiles(smime.CertificateFilesConfig{Paths: []string{dir}})
	if err != nil {
		fmt.Println(err)
		return
	}
	trust := x509.NewCertPool()
	trust.AddCert(authority.Certificate)
	sealer, err := smime.New(smime.Config{
		Certificates: certificates,
		Trust:        trust,
		Signer:       smime.Identities{{Certificate: clinic.Certificate, Key: clinic.Key}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	from, to := mail.Address{Address: "no-reply@clinic.example"}, mail.Address{Address: "dana@patient.example"}
	key, err := sealer.Find(ctx, from, to)
	if err != nil {
		fmt.Println(err)
		return
	}
	const entity = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nSee you on Friday.\r\n"
	var message bytes.Buffer
	sealed, err := sealer.Seal(ctx, &message, &crypt.Job{
		From: from, To: []crypt.Target{{Address: to, Key: key}},
		Header: []crypt.Field{{Name: "Subject", Value: "Your appointment"}},
		Outer:  []crypt.Field{{Name: "Subject", Value: "Secure message"}},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(entity)), nil },
		Size:   int64(len(entity)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sealed.Evidence.Container, sealed.Evidence.Algorithms)

	reader, err := smime.NewReader(smime.ReaderConfig{Keys: smime.Identities{{Certificate: dana.Certificate, Key: dana.Key}}, Trust: trust})
	if err != nil {
		fmt.Println(err)
		return
	}
	opened, err := reader.Read(ctx, &message)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(opened.Protected.Fields[0].Value, opened.SignedBy(from))
	// Output:
	// cms-enveloped-data [aes-256-cbc rsa-pkcs1-v1.5 rsa-2048 ecdsa sha-256 ec-p-256]
	// Your appointment true
}

// Why a recipient can't be served is a code, and never a reason to send less.
func ExampleSealer_Find() {
	authority := smimetest.NewAuthority()
	old := authority.Issue(smimetest.P256, "dana@patient.example", smimetest.Expired)
	sealer, err := smime.New(smime.Config{
		Certificates: smime.KeySourceFunc(func(context.Context, mail.Address) ([]smime.Candidate, error) {
			return []smime.Candidate{{Certificate: old.Certificate}}, nil
		}),
		Trust: smimetest.Pool(authority),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = sealer.Find(context.Background(), mail.Address{}, mail.Address{Address: "dana@patient.example"})
	fmt.Println(errors.Is(err, crypt.ErrNoKey), errors.Is(err, crypt.ErrExpired))
	fmt.Println(err)
	// Output:
	// true true
	// crypt: the recipient's key has expired; get a new one from them
}
