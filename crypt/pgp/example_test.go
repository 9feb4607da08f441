package pgp_test

import (
	"bytes"
	"context"
	"fmt"
	"net/mail"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

func ExampleNew() {
	// In your own code these are NewKeyFiles and NewSignerFiles.
	dana := pgptest.New(pgptest.Curve25519, "dana@patient.example", pgptest.Options{})
	clinic := pgptest.New(pgptest.Curve25519, "no-reply@clinic.example", pgptest.Options{})
	keys := pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) {
		return []pgp.Candidate{{Key: dana.Public(), Source: "database"}}, nil
	})
	sealer, err := pgp.New(pgp.Config{Keys: keys, Signer: pgp.PrivateKeys{clinic.Private()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := sealer.Find(context.Background(), mail.Address{Address: "no-reply@clinic.example"}, mail.Address{Address: "dana@patient.example"})
	fmt.Println(key.Algorithm, key.Form, key.Source, err)
	_, err = sealer.Find(context.Background(), mail.Address{Address: "no-reply@clinic.example"}, mail.Address{Address: "lee@patient.example"})
	fmt.Println(err)
	// Output:
	// Curve25519 openpgp-seipd-v1/aes-256-cfb database <nil>
	// crypt: the key is of another address than the recipient's
}

func ExampleReader() {
	clinic := pgptest.New(pgptest.Curve25519, "no-reply@clinic.example", pgptest.Options{})
	signer, err := pgp.NewSigner(pgp.SignerConfig{Keys: pgp.PrivateKeys{clinic.Private()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	const entity = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nYour results are here.\r\n"
	signature, err := signer.Sign(context.Background(), letter(entity))
	if err != nil {
		fmt.Println(err)
		return
	}
	message := bytes.Join([][]byte{signature.Before, []byte(entity[signature.Skip:]), signature.After}, nil)
	reader, err := pgp.NewReader(pgp.ReaderConfig{Senders: publicKeys{clinic.Public()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	opened, err := reader.Read(context.Background(), bytes.NewReader(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(opened.SignedBy(mail.Address{Address: "no-reply@clinic.example"}), opened.SignedBy(mail.Address{Address: "eve@clinic.example"}))
	_, err = reader.Read(context.Background(), bytes.NewReader(bytes.Replace(message, []byte("results"), []byte("refunds"), 1)))
	fmt.Println(err)
	// Output:
	// true false
	// crypt: the signature does not verify
}
