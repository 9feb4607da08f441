package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	netmail "net/mail"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

const (
	smallEntity = 2 << 10
	largeEntity = 10 << 20
)

// benchSMIME compares crypt/smime, through the doors that Send uses, with the
// other writers of CMS and with the primitives that none of them can do without.
func benchSMIME(w io.Writer, n int) error {
	dir, remove, err := scratch()
	if err != nil {
		return err
	}
	defer remove()
	root := smimetest.NewAuthority()
	reader := root.Issue(smimetest.RSA2048, recipient)
	turns := max(n/50, 1)
	if err := benchSmallSeal(w, root, reader, turns); err != nil {
		return err
	}
	ssl, err := newOpenSSL(dir, entityOf(largeEntity), reader)
	if err != nil {
		return err
	}
	for _, c := range ciphers() {
		if err := benchLargeSeal(w, reader, c, ssl, turns); err != nil {
			return err
		}
	}
	if err := benchSignatures(w, root, ssl, turns); err != nil {
		return err
	}
	return sealHeap(w, root, reader)
}

// contentCipher is a cipher as each of the contenders calls it.
type contentCipher struct {
	name    string
	form    smime.Form
	openssl string
	peer    int // the value of both libraries' package variable
	goal    float64
	held    bool // whether ours holds the content in memory
	raw     func(content []byte) error
}

func ciphers() []contentCipher {
	return []contentCipher{
		{"AES-256-CBC", smime.Standard, "-aes-256-cbc", peerCBC, 1.1, false, rawCBC},
		{"AES-256-GCM", smime.GCM, "-aes-256-gcm", peerGCM, 1.25, true, rawGCM},
	}
}

// rawCBC encrypts in place.
func rawCBC(content []byte) error {
	key := make([]byte, 32+aes.BlockSize)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		return err
	}
	cipher.NewCBCEncrypter(block, key[32:]).CryptBlocks(content, content)
	return nil
}

// rawGCM encrypts in place, but for the tag.
func rawGCM(content []byte) error {
	key := make([]byte, 32+12)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	aead.Seal(content[:0], key[32:], content[:len(content)-aead.Overhead()], nil)
	return nil
}

// rawBase64 is base64 in lines of 76, as mail has it.
func rawBase64(content []byte) error {
	const lines, in = 512, 57
	buf := make([]byte, 0, lines*78)
	for i := 0; i < len(content); i += in {
		buf = append(base64.StdEncoding.AppendEncode(buf, content[i:min(i+in, len(content))]), "\r\n"...)
		if len(buf) == cap(buf) {
			_, _ = io.Discard.Write(buf)
			buf = buf[:0]
		}
	}
	_, err := io.Discard.Write(buf)
	return err
}

// entityOf is a MIME entity of size bytes, with lines as an attachment has.
func entityOf(size int) []byte {
	const head, line = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n", 78
	entity := head + strings.Repeat(strings.Repeat("x", line-2)+"\r\n", (size-len(head))/line)
	return []byte(entity + strings.Repeat("x", size-len(entity)-2) + "\r\n")
}

func jobOf(entity []byte) *crypt.Job {
	return &crypt.Job{
		From:   netmail.Address{Address: sender},
		Header: []crypt.Field{{Name: "Subject", Value: "Your visit"}},
		Outer:  []crypt.Field{{Name: "Subject", Value: "Secure message"}},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(entity)), nil },
		Size:   int64(len(entity)),
	}
}

// sealing seals an entity for one recipient; without signer it is not signed.
func sealing(entity []byte, to *smimetest.Identity, trust *x509.Certificate, form smime.Form, signer smime.SignerSource) (func() error, error) {
	pool := x509.NewCertPool()
	pool.AddCert(trust)
	s, err := smime.New(smime.Config{
		Certificates: smime.KeySourceFunc(func(context.Context, netmail.Address) ([]smime.Candidate, error) {
			return []smime.Candidate{{Certificate: to.Certificate}}, nil
		}),
		Trust: pool, Signer: signer, Forms: []smime.FormRule{{For: recipient, Form: form}},
	})
	if err != nil {
		return nil, err
	}
	address := netmail.Address{Address: recipient}
	job := jobOf(entity)
	key, err := s.Find(context.Background(), job.From, address)
	if err != nil {
		return nil, err
	}
	job.To = []crypt.Target{{Address: address, Key: key}}
	return func() error { _, err := s.Seal(context.Background(), io.Discard, job); return err }, nil
}

// benchSmallSeal is about what is paid for each message. Seal checks the
// certificate each time, which the libraries leave to their caller, and adds the
// protected header. What it has parsed and verified it remembers: the last row is
// what the first message to a recipient costs.
func benchSmallSeal(w io.Writer, root *smimetest.Authority, to *smimetest.Identity, turns int) error {
	const raw, ours, encode = "raw RSA and AES", "Seal", "  base64"
	entity, scratch := entityOf(smallEntity), entityOf(smallEntity)
	seal, err := sealing(entity, to, root.Certificate, smime.Standard, nil)
	if err != nil {
		return err
	}
	public, ok := to.Certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("no RSA key: %T", to.Certificate.PublicKey)
	}
	key := make([]byte, 32)
	contenders := []contender{
		{raw, repeat(func() error {
			_, _ = rand.Read(key)                                                    // never fails
			if _, err := rsa.EncryptPKCS1v15(rand.Reader, public, key); err != nil { //nolint:staticcheck // what every client reads
				return err
			}
			return rawCBC(scratch)
		})},
		{ours, repeat(seal)},
		{encode, repeat(func() error { return rawBase64(entity) })},
		{"  verifying a new certificate", repeat(func() error {
			c, err := x509.ParseCertificate(to.Certificate.Raw)
			if err != nil {
				return err
			}
			return c.CheckSignatureFrom(root.Certificate)
		})},
	}
	contenders = append(contenders, peerEncryption(entity, to.Certificate, peerCBC)...)
	costs, err := fastest(turns*4, min(turns, 10), contenders...)
	if err != nil {
		return err
	}
	table(w, "S/MIME, encrypting 2 KiB for one RSA-2048 key", raw, costs, names(contenders))
	verdict(w, "CPU of Seal less base64, of raw RSA and AES", float64(costs[ours].cpu-costs[encode].cpu)/float64(costs[raw].cpu), 1.15, false)
	return nil
}

func benchLargeSeal(w io.Writer, to *smimetest.Identity, c contentCipher, ssl *openSSL, turns int) error {
	const ours, encode, other, filled = "Seal", "  base64", "  raw into another buffer", "  raw into a new buffer"
	entity, scratch := entityOf(largeEntity), entityOf(largeEntity)
	seal, err := sealing(entity, to, to.Certificate, c.form, nil)
	if err != nil {
		return err
	}
	raw := "raw " + c.name
	contenders := []contender{
		{raw, repeat(func() error { return c.raw(scratch) })},
		{ours, repeat(seal)},
		{encode, repeat(func() error { return rawBase64(entity) })},
	}
	if c.held {
		contenders = append(contenders,
			contender{other, repeat(func() error { copy(scratch, entity); return c.raw(scratch) })},
			contender{filled, repeat(func() error {
				buf := make([]byte, len(entity))
				copy(buf, entity)
				return c.raw(buf)
			})})
	}
	contenders = append(contenders, peerEncryption(entity, to.Certificate, c.peer)...)
	contenders = append(contenders, ssl.encryption(c.openssl)...)
	costs, err := fastest(turns, 1, contenders...)
	if err != nil {
		return err
	}
	table(w, "S/MIME, encrypting 10 MiB with "+c.name, raw, costs, names(contenders))
	verdict(w, "CPU of Seal less base64, of "+raw, float64(costs[ours].cpu-costs[encode].cpu)/float64(costs[raw].cpu), c.goal, false)
	if c.held {
		for _, base := range []string{other, filled} {
			verdict(w, "CPU of Seal less base64, of"+base[1:], float64(costs[ours].cpu-costs[encode].cpu)/float64(costs[base].cpu), c.goal, false)
		}
	}
	return nil
}

// sealHeap is how much the heap grows beyond the entity, which is there before.
func sealHeap(w io.Writer, root *smimetest.Authority, to *smimetest.Identity) error {
	entity := entityOf(largeEntity)
	clinic := identity(root.Issue(smimetest.P256, sender))
	fmt.Fprintf(w, "\nS/MIME, heap for 10 MiB, of the message, GOGC=100\n")
	for _, c := range ciphers() {
		seal, err := sealing(entity, to, root.Certificate, c.form, clinic)
		if err != nil {
			return err
		}
		contenders := append([]contender{{"Seal, signed inside", repeat(seal)}}, peerEncryption(entity, to.Certificate, c.peer)...)
		for i, one := range contenders {
			before, err := peak(100, func() error { return nil })
			if err != nil {
				return err
			}
			during, err := peak(100, func() error { return one.run(1) })
			if err != nil {
				return err
			}
			share := float64(during-before) / float64(len(entity))
			if i == 0 {
				verdict(w, c.name+", "+one.name, share, 1.5, false)
			} else {
				fmt.Fprintf(w, "  %s, %s: %.2f\n", c.name, one.name, share)
			}
		}
	}
	return nil
}
