// Package smimetest is a throw-away certificate authority for tests of S/MIME:
// roots, intermediates and end entities of every kind that a sealer accepts or
// refuses, revocation lists, and the files that hold them.
//
// Keys are of this process and nothing here is for use outside of tests.
// Functions panic where only the test's own code can be at fault. Everything is
// safe for concurrent use.
package smimetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
)

// Kind is a kind of key.
type Kind string

// The kinds of keys.
const (
	RSA1024 Kind = "rsa-1024" // too short
	RSA2048 Kind = "rsa-2048"
	RSA3072 Kind = "rsa-3072"
	RSA4096 Kind = "rsa-4096"
	P256    Kind = "p-256"
	P384    Kind = "p-384"
	P521    Kind = "p-521"   // not supported for encryption
	Ed25519 Kind = "ed25519" // not able to encrypt
)

// Key returns this process's key of a kind, always the same one: RSA keys take
// long to make. Certificates that share a key still differ in their serial
// numbers, by which S/MIME tells recipients apart.
func Key(kind Kind) crypto.Signer {
	switch kind {
	case RSA1024:
		return rsa1024()
	case RSA2048:
		return rsa2048()
	case RSA3072:
		return rsa3072()
	case RSA4096:
		return rsa4096()
	case P256:
		return p256()
	case P384:
		return p384()
	case P521:
		return p521()
	case Ed25519:
		return ed()
	}
	panic("smimetest: no kind of key: " + string(kind))
}

var (
	rsa1024 = sync.OnceValue(func() crypto.Signer { return NewKey(RSA1024) })
	rsa2048 = sync.OnceValue(func() crypto.Signer { return NewKey(RSA2048) })
	rsa3072 = sync.OnceValue(func() crypto.Signer { return NewKey(RSA3072) })
	rsa4096 = sync.OnceValue(func() crypto.Signer { return NewKey(RSA4096) })
	p256    = sync.OnceValue(func() crypto.Signer { return NewKey(P256) })
	p384    = sync.OnceValue(func() crypto.Signer { return NewKey(P384) })
	p521    = sync.OnceValue(func() crypto.Signer { return NewKey(P521) })
	ed      = sync.OnceValue(func() crypto.Signer { return NewKey(Ed25519) })
)

// NewKey returns a new key of a kind.
func NewKey(kind Kind) crypto.Signer {
	var key crypto.Signer
	var err error
	switch kind {
	case RSA1024:
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case RSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	case P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("no kind of key: %s", kind)
	}
	must(err)
	return key
}

func must(err error) {
	if err != nil {
		panic("smimetest: " + err.Error())
	}
}
