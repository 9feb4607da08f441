package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	gopenpgp "github.com/ProtonMail/gopenpgp/v3/crypto"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

// benchPGP compares crypt/pgp, through the doors that Send uses, with the library
// that it stands on, with the other one on that, and with GnuPG: all sign and
// encrypt for one recipient, and write armor.
func benchPGP(w io.Writer, n int) error {
	dir, err := os.MkdirTemp("/tmp", "bench") // GnuPG's sockets need a short path
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	turns := max(n/50, 1)
	for _, kind := range []pgptest.Kind{pgptest.Curve25519, pgptest.RSA3072} {
		to, from := pgptest.New(kind, recipient, pgptest.Options{}), pgptest.New(kind, sender, pgptest.Options{})
		gpg, err := newGnuPG(filepath.Join(dir, string(kind)), to, from)
		if err != nil {
			return err
		}
		err = benchPGPSizes(w, kind, to, from, gpg, turns)
		gpg.end()
		if err != nil {
			return err
		}
	}
	return pgpHeap(w)
}

const (
	bareGoCrypto = "bare go-crypto"
	ourSeal      = "Seal"
)

func benchPGPSizes(w io.Writer, kind pgptest.Kind, to, from *pgptest.Key, gpg *gnuPG, turns int) error {
	for _, size := range []int{smallEntity, largeEntity} {
		entity := entityOf(size)
		contenders, err := pgpContenders(entity, to, from)
		if err != nil {
			return err
		}
		contenders = append(contenders, gpg.encryption(entity)...)
		name, each := "2 KiB", min(turns, 10)
		if size == largeEntity {
			name, each = "10 MiB", 1
		}
		costs, err := fastest(turns, each, contenders...)
		if err != nil {
			return err
		}
		table(w, "OpenPGP, signing and encrypting "+name+", "+string(kind), bareGoCrypto, costs, names(contenders))
		if size == smallEntity {
			verdict(w, "CPU of Seal, of bare go-crypto", float64(costs[ourSeal].cpu)/float64(costs[bareGoCrypto].cpu), 1.15, false)
		} else {
			verdict(w, "speed of Seal (CPU), of bare go-crypto", float64(costs[bareGoCrypto].cpu)/float64(costs[ourSeal].cpu), 0.9, true)
		}
	}
	return nil
}

func pgpContenders(entity []byte, to, from *pgptest.Key) ([]contender, error) {
	ours, err := pgpSealing(entity, to, from)
	if err != nil {
		return nil, err
	}
	bare, err := bareOpenPGP(entity, to, from)
	if err != nil {
		return nil, err
	}
	high, err := highOpenPGP(entity, to, from)
	if err != nil {
		return nil, err
	}
	return []contender{{bareGoCrypto, repeat(bare)}, {ourSeal, repeat(ours)}, {"gopenpgp v3", repeat(high)}}, nil
}

func pgpSealing(entity []byte, to, from *pgptest.Key) (func() error, error) {
	known := []pgp.Candidate{{Key: to.Public(), Source: "file"}}
	s, err := pgp.New(pgp.Config{
		Keys:   pgp.KeySourceFunc(func(context.Context, netmail.Address) ([]pgp.Candidate, error) { return known, nil }),
		Signer: pgp.PrivateKeys{from.Private()},
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

// bareOpenPGP is what a program would write with go-crypto alone. The keys are
// read once.
func bareOpenPGP(entity []byte, to, from *pgptest.Key) (func() error, error) {
	recipients, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(pgptest.Armored(to)))
	if err != nil {
		return nil, err
	}
	signers, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(from.Secret("")))
	if err != nil {
		return nil, err
	}
	return func() error {
		a, err := armor.Encode(io.Discard, openpgp.MessageType, nil)
		if err != nil {
			return err
		}
		m, err := openpgp.Encrypt(a, recipients, nil, signers, nil, &packet.Config{DefaultCipher: packet.CipherAES256})
		if err != nil {
			return err
		}
		if _, err := io.Copy(m, bytes.NewReader(entity)); err != nil {
			return err
		}
		if err := m.Close(); err != nil {
			return err
		}
		return a.Close()
	}, nil
}

// highOpenPGP is the library of Proton's programs.
func highOpenPGP(entity []byte, to, from *pgptest.Key) (func() error, error) {
	public, err := gopenpgp.NewKeyFromArmored(string(pgptest.Armored(to)))
	if err != nil {
		return nil, err
	}
	private, err := gopenpgp.NewKeyFromArmored(string(from.Secret("")))
	if err != nil {
		return nil, err
	}
	library := gopenpgp.PGP()
	return func() error {
		handle, err := library.Encryption().Recipient(public).SigningKey(private).New()
		if err != nil {
			return err
		}
		message, err := handle.Encrypt(entity)
		if err != nil {
			return err
		}
		_, err = message.ArmorBytes()
		return err
	}, nil
}

// gnuPG is one process a message; its CPU is not counted here.
type gnuPG struct{ home string }

func newGnuPG(home string, to, from *pgptest.Key) (*gnuPG, error) {
	g := &gnuPG{home}
	if _, err := exec.LookPath("gpg"); err != nil {
		g.home = ""
		return g, nil //nolint:nilerr // then there is no such peer
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	for _, key := range [][]byte{pgptest.Armored(to), from.Secret("")} {
		if err := g.run(key, "--import"); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *gnuPG) run(stdin []byte, args ...string) error {
	cmd := exec.Command("gpg", append([]string{"--homedir", g.home, "--batch", "--yes", "--quiet", "--trust-model", "always"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("gpg: %w: %s", err, out)
	}
	return nil
}

// encryption signs and encrypts as gpg does by default, and without compressing.
func (g *gnuPG) encryption(entity []byte) []contender {
	if g.home == "" {
		return nil
	}
	args := []string{"--armor", "--sign", "--encrypt", "--recipient", recipient, "--local-user", sender, "--output", os.DevNull}
	return []contender{
		{"gpg --batch", repeat(func() error { return g.run(entity, args...) })},
		{"gpg --batch -z 0", repeat(func() error { return g.run(entity, append([]string{"-z", "0"}, args...)...) })},
	}
}

// end ends the agent that holds the keys.
func (g *gnuPG) end() {
	if g.home != "" {
		_ = exec.Command("gpgconf", "--homedir", g.home, "--kill", "all").Run() // it ends by itself too
	}
}

// pgpHeap is how much the heap grows beyond the entity, which is there before.
func pgpHeap(w io.Writer) error {
	to, from := pgptest.New(pgptest.Curve25519, recipient, pgptest.Options{}), pgptest.New(pgptest.Curve25519, sender, pgptest.Options{})
	entity := entityOf(largeEntity)
	contenders, err := pgpContenders(entity, to, from)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nOpenPGP, heap for 10 MiB, of the message, GOGC=100\n")
	for _, one := range contenders {
		before, err := peak(100, func() error { return nil })
		if err != nil {
			return err
		}
		during, err := peak(100, func() error { return one.run(1) })
		if err != nil {
			return err
		}
		share := float64(during-before) / float64(len(entity))
		if one.name == ourSeal {
			verdict(w, one.name, share, 1.5, false)
		} else {
			fmt.Fprintf(w, "  %s: %.2f\n", one.name, share)
		}
	}
	return nil
}
