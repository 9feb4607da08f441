package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"

	smallstep "github.com/smallstep/pkcs7"
	mozilla "go.mozilla.org/pkcs7"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// Both libraries number their ciphers alike.
const (
	peerCBC = mozilla.EncryptionAlgorithmAES256CBC
	peerGCM = mozilla.EncryptionAlgorithmAES256GCM
)

// peerEncryption is the libraries' EnvelopedData in DER, with PKCS #1 v1.5. The
// cipher is a package variable of theirs; nothing else runs at the time.
func peerEncryption(content []byte, to *x509.Certificate, cipher int) []contender {
	list := []*x509.Certificate{to}
	return []contender{
		{"go.mozilla.org/pkcs7, DER", repeat(func() error {
			mozilla.ContentEncryptionAlgorithm = cipher
			_, err := mozilla.Encrypt(content, list)
			return err
		})},
		{"smallstep/pkcs7, DER", repeat(func() error {
			smallstep.ContentEncryptionAlgorithm = cipher
			_, err := smallstep.Encrypt(content, list)
			return err
		})},
	}
}

// peerSignatures is the libraries' detached SignedData.
func peerSignatures(content []byte, id *smimetest.Identity) []contender {
	return []contender{
		{"go.mozilla.org/pkcs7", repeat(func() error {
			data, err := mozilla.NewSignedData(content)
			if err != nil {
				return err
			}
			data.SetDigestAlgorithm(mozilla.OIDDigestAlgorithmSHA256)
			if err := data.AddSigner(id.Certificate, id.Key, mozilla.SignerInfoConfig{}); err != nil {
				return err
			}
			data.Detach()
			_, err = data.Finish()
			return err
		})},
		{"smallstep/pkcs7", repeat(func() error {
			data, err := smallstep.NewSignedData(content)
			if err != nil {
				return err
			}
			data.SetDigestAlgorithm(smallstep.OIDDigestAlgorithmSHA256)
			if err := data.AddSigner(id.Certificate, id.Key, smallstep.SignerInfoConfig{}); err != nil {
				return err
			}
			data.Detach()
			_, err = data.Finish()
			return err
		})},
	}
}

// openSSL runs `openssl cms` on a file, a process a message. It has no program
// where none is installed, and then does not take part.
type openSSL struct {
	program, dir, content, recipient string
}

func newOpenSSL(dir string, content []byte, to *smimetest.Identity) (*openSSL, error) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		return &openSSL{}, nil //nolint:nilerr // a peer that is not installed is left out
	}
	s := &openSSL{program, dir, filepath.Join(dir, "content"), filepath.Join(dir, "recipient.pem")}
	if err := os.WriteFile(s.content, content, 0o600); err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.recipient, smimetest.PEM(to.Certificate), 0o600)
}

func (s *openSSL) encryption(cipher string) []contender {
	return s.contenders("cms", "-encrypt", "-binary", "-outform", "DER", cipher, "-in", s.content, "-out", os.DevNull, s.recipient)
}

func (s *openSSL) signature(id *smimetest.Identity, name string) ([]contender, error) {
	if s.program == "" {
		return nil, nil
	}
	path := filepath.Join(s.dir, name+".pem")
	if err := os.WriteFile(path, append(smimetest.PEM(id.Certificate), smimetest.KeyPEM(id.Key)...), 0o600); err != nil {
		return nil, err
	}
	return s.contenders("cms", "-sign", "-binary", "-md", "sha256", "-outform", "DER", "-signer", path, "-in", s.content, "-out", os.DevNull), nil
}

// contenders are a command and, beside it, the start of a process that does
// nothing.
func (s *openSSL) contenders(args ...string) []contender {
	if s.program == "" {
		return nil
	}
	return []contender{
		{"openssl cms, a process a message", repeat(func() error { return exec.Command(s.program, args...).Run() })},
		{"  its start alone", repeat(func() error { return exec.Command(s.program, "version").Run() })},
	}
}
