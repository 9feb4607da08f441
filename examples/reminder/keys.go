package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// minSecret is the least length of a secret, in hex digits: 128 bits.
const minSecret = 32

// readSecret reads the secret of a file, as the phimail command does, and makes
// it if the file is missing.
func readSecret(path string) ([]byte, error) {
	data, err := readOrCreate(path, func() ([]byte, error) {
		var b [32]byte
		_, _ = rand.Read(b[:]) // never fails
		return append(hex.AppendEncode(nil, b[:]), '\n'), nil
	})
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSpace(data)
	if len(data) < minSecret {
		return nil, fmt.Errorf("%s: the secret is shorter than %d characters; delete the file if it was never used", path, minSecret)
	}
	return data, nil
}

// readCheckpointKey reads the key that signs checkpoints, and makes it if the
// file is missing. Its public part lies beside it, with ".pub" at the end.
func readCheckpointKey(path string) (ed25519.PrivateKey, error) {
	data, err := readOrCreate(path, func() ([]byte, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
	})
	if err != nil {
		return nil, err
	}
	key, err := parseEd25519(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600)
}

func parseEd25519(data []byte) (ed25519.PrivateKey, error) {
	if block, _ := pem.Decode(data); block != nil {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if private, ok := key.(ed25519.PrivateKey); ok {
				return private, nil
			}
		}
	}
	return nil, errors.New("the file holds no Ed25519 key in PEM (PKCS#8)")
}

func readOrCreate(path string, generate func() ([]byte, error)) ([]byte, error) {
	data, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	fresh, err := generate()
	if err != nil {
		return nil, err
	}
	// O_EXCL: of two that start at once, one makes the key and the other fails.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(fresh)
	return fresh, errors.Join(err, f.Sync(), f.Close())
}
