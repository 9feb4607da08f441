package pgp

import (
	"context"
	"errors"
	"net/mail"

	"github.com/phimail/sdk/crypt/internal/watch"
)

// maxSignerFile is the greatest size of a file with a private key, in bytes.
const maxSignerFile = 1 << 20

// SignerFile names a file with private keys of ours.
type SignerFile struct {
	// Key is a file with private keys, in armor or binary, as gpg
	// --export-secret-keys or --export-secret-subkeys writes it.
	Key string
	// Passphrase returns that of the keys, each time that the file is read. Nil
	// for none.
	Passphrase func() (string, error)
}

// SignerFiles is a [SignerSource] over files. It looks at them each time that a
// key is wanted and reads those that changed. If one can't be read nobody signs
// for anybody, and nothing is sent. It is safe for concurrent use.
type SignerFiles struct {
	files []*watch.Files[[]*PrivateKey]
}

// NewSignerFiles reads all files once. Each that is missing, or has no private key
// that its passphrase opens, is a [*FieldError], joined.
func NewSignerFiles(files ...SignerFile) (*SignerFiles, error) {
	source := &SignerFiles{}
	var faults []error
	for i, f := range files {
		one := &watch.Files[[]*PrivateKey]{
			Paths: []string{f.Key}, Limit: maxSignerFile, Merge: flat[*PrivateKey],
			Parse: func(_ string, data []byte) ([]*PrivateKey, bool) { return parseSigner(data, f.Passphrase) },
		}
		if _, err := one.Get(context.Background()); err != nil {
			faults = append(faults, &FieldError{
				Field: indexed("Files", i), Problem: "not a readable file with an OpenPGP private key, or not its passphrase",
			})
		}
		source.files = append(source.files, one)
	}
	return source, errors.Join(faults...)
}

func parseSigner(data []byte, passphrase func() (string, error)) ([]*PrivateKey, bool) {
	secret := ""
	if passphrase != nil {
		var err error
		if secret, err = passphrase(); err != nil {
			return nil, false
		}
	}
	keys, err := ParsePrivateKeys(data, []byte(secret))
	return keys, err == nil
}

// SignersFor returns all keys; the sealer picks one that names the address.
func (s *SignerFiles) SignersFor(ctx context.Context, _ mail.Address) ([]*PrivateKey, error) {
	return s.PrivateKeys(ctx)
}

// PrivateKeys returns all keys as their files hold them now, for a [Reader].
func (s *SignerFiles) PrivateKeys(ctx context.Context) ([]*PrivateKey, error) {
	var all []*PrivateKey
	for _, f := range s.files {
		keys, err := f.Get(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
	}
	return all, nil
}

func flat[T any](files [][]T) []T {
	var all []T
	for _, f := range files {
		all = append(all, f...)
	}
	return all
}

var _ SignerSource = (*SignerFiles)(nil)
