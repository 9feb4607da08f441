package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"io"
	"sync/atomic"
)

var (
	errGuardStopped = errors.New("stopped")
	errGuardFailed  = errors.New("failed")
)

// guard stands between go-msgauth and a key. go-msgauth calls it in a
// goroutine of its own, where a panic would end the process.
type guard struct {
	key *chosen
	// stop is set when the message could not be read to its end: the key never
	// signs a message that was cut off.
	stop *atomic.Bool
	// cause is what the signer failed with, if a context ended. It is read
	// after the signature is closed.
	cause error
}

func (g *guard) Public() crypto.PublicKey { return g.key.public }

func (g *guard) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	if g.stop.Load() {
		return nil, errGuardStopped
	}
	defer func() {
		if recover() != nil {
			sig, err = nil, errGuardFailed
		}
	}()
	sig, err = g.key.Signer.Sign(rand, digest, opts)
	if err != nil {
		g.cause = contextCause(err)
		return nil, errGuardFailed
	}
	if !g.trusted() && !verify(g.key.public, digest, sig) {
		return nil, errGuardFailed
	}
	return sig, nil
}

// trusted: the standard library's keys check their own signatures. What comes
// back from a service or a device is checked here.
func (g *guard) trusted() bool {
	switch g.key.Signer.(type) {
	case *rsa.PrivateKey, ed25519.PrivateKey:
		return true
	}
	return false
}

func verify(public crypto.PublicKey, digest, sig []byte) bool {
	switch pub := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest, sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(pub, digest, sig)
	}
	return false
}
