package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/phimail/sdk/audit"
)

func (a *app) auditCheckpoint(ctx context.Context, args []string) error {
	var file string
	f := newFlags("audit checkpoint")
	f.StringVar(&file, "config", "", "")
	if helped, err := f.parse(a, args); err != nil || helped {
		return err
	}
	if file == "" || f.NArg() > 0 {
		return fail(exitUsage, "audit checkpoint needs -config FILE and no other words")
	}
	cfg, err := loadConfig(file)
	if err != nil {
		return &failure{exitConfig, err}
	}
	path := cfg.path(cfg.audit.file)
	// A checkpoint of a chain that nobody has checked would make its faults
	// official.
	report, torn, err := verifyLog(ctx, path, audit.VerifyOptions{})
	if report == nil {
		return err
	}
	out := reportOf(report, torn)
	if code, said := judge(path, report, &out, err); code != exitOK {
		return &failure{code, said}
	}
	key, err := a.checkpointKey(cfg)
	if err != nil {
		return err
	}
	signed, err := audit.SignCheckpoint(audit.Checkpoint{Origin: cfg.origin(), Head: report.Head, Time: a.now()}, key)
	if err != nil {
		return fail(exitConfig, "the checkpoint could not be signed: %w", err)
	}
	if _, err := a.stdout.Write(signed); err != nil {
		return fail(exitAudit, "the checkpoint could not be written to standard output")
	}
	return nil
}

// origin names the log in its checkpoints: the sender's domain and the file.
func (c *config) origin() string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '+' {
			return '-'
		}
		return r
	}, filepath.Base(c.audit.file.v))
	return fromDomain(c) + "/" + name
}

// checkpointKey is the key of the configuration, or one beside the log.
func (c *config) checkpointKey() value[string] {
	return c.orBeside(c.audit.checkpointKey, "audit.checkpoint_key_file", ".key")
}

// checkpointKey reads the signing key. When it is missing it is made, and its
// public part is put beside it.
func (a *app) checkpointKey(c *config) (crypto.Signer, error) {
	v := c.checkpointKey()
	path := c.path(v)
	data, created, err := loadOrCreate(path, newCheckpointKey)
	if err != nil {
		return nil, &failure{exitConfig, c.fault(v.line, v.key, reasonOf("the key file", err))}
	}
	key, err := parseEd25519(data)
	if err != nil {
		return nil, &failure{exitConfig, c.fault(v.line, v.key, "the file holds no Ed25519 private key in PEM (PKCS#8)")}
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, &failure{exitConfig, c.fault(v.line, v.key, "the key has no public part that can be written")}
	}
	// Also when the key was there: the process that made it may have died
	// in between.
	err = createFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, &failure{exitConfig, fileFault("the public key", path+".pub", err)}
	}
	if created || err == nil {
		_, _ = fmt.Fprintf(a.stderr, "The public key of the checkpoints is in %s; keep a copy where nobody who can write to the log can write.\n", path+".pub")
	}
	return key, nil
}

// newCheckpointKey is the content of a fresh key file.
func newCheckpointKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

var errNoKey = errors.New("no Ed25519 key")

func parseEd25519(data []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errNoKey
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errNoKey
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errNoKey
	}
	return private, nil
}

func publicKey(path string) (ed25519.PublicKey, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, fileFault("the public key", path, err)
	}
	if block, _ := pem.Decode(data); block != nil {
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			if public, ok := key.(ed25519.PublicKey); ok {
				return public, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: this is no Ed25519 public key in PEM; it is the file that audit checkpoint made as FILE.pub", path)
}
