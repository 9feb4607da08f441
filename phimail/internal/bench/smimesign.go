package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"

	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func identity(i *smimetest.Identity) smime.Identities {
	return smime.Identities{{Certificate: i.Certificate, Chain: i.Chain, Key: i.Key}}
}

// benchSignatures is about multipart/signed: ours reads the entity once, checks
// its line ends, signs and verifies what the key made.
func benchSignatures(w io.Writer, root *smimetest.Authority, ssl *openSSL, turns int) error {
	const hashing, operation, ours = "SHA-256", "SHA-256 of a stream, one operation", "Sign"
	entity := entityOf(largeEntity)
	for _, kind := range []smimetest.Kind{smimetest.RSA2048, smimetest.P256} {
		id := root.Issue(kind, sender)
		signer, err := smime.NewSigner(smime.SignerConfig{Keys: identity(id)})
		if err != nil {
			return err
		}
		contenders := []contender{
			{hashing, repeat(func() error { sha256.Sum256(entity); return nil })},
			{"SHA-256 of a stream", repeat(func() error { hashStream(entity); return nil })},
			{operation, repeat(func() error {
				_, err := id.Key.Sign(rand.Reader, hashStream(entity), crypto.SHA256)
				return err
			})},
			{ours, repeat(func() error { _, err := signer.Sign(context.Background(), jobOf(entity)); return err })},
		}
		contenders = append(contenders, peerSignatures(entity, id)...)
		more, err := ssl.signature(id, string(kind))
		if err != nil {
			return err
		}
		contenders = append(contenders, more...)
		costs, err := fastest(turns, 1, contenders...)
		if err != nil {
			return err
		}
		table(w, "S/MIME, signing 10 MiB, "+string(kind), hashing, costs, names(contenders))
		us := float64(costs[ours].cpu)
		verdict(w, "CPU of Sign, of hashing", us/float64(costs[hashing].cpu), 1.15, false)
		verdict(w, "CPU of Sign, of hashing a stream and one operation", us/float64(costs[operation].cpu), 1.15, false)
	}
	return nil
}

// hashStream hashes what comes in pieces, as an attachment does.
func hashStream(entity []byte) []byte {
	h := sha256.New()
	_, _ = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{bytes.NewReader(entity)}, make([]byte, 64<<10)) // neither fails
	return h.Sum(nil)
}
