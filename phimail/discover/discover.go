// Package discover connects crypt/keyfind, which finds keys in recipients'
// domains, to the sealers that use them.
package discover

import (
	"context"
	"crypto/x509"
	"net/mail"
	"sync"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/keyfind"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/smime"
)

// maxParsed is how many parsed answers are remembered.
const maxParsed = 1024

// OpenPGP is a source of OpenPGP keys for pgp.Config, which then needs Pins. Put
// it behind the files in pgp.KeySources. It is safe for concurrent use.
func OpenPGP(f *keyfind.Finder) pgp.KeySource { return &openPGP{finder: f} }

type openPGP struct {
	finder *keyfind.Finder

	mu     sync.Mutex
	parsed map[string][]*pgp.PublicKey
}

// Keys returns what was found. Something that is no key is crypt.ErrBadKey.
func (o *openPGP) Keys(ctx context.Context, address mail.Address) ([]pgp.Candidate, error) {
	found, err := o.finder.OpenPGP(ctx, address)
	if err != nil {
		return nil, err
	}
	var list []pgp.Candidate
	for _, one := range found {
		for _, k := range o.parse(one.Data) {
			list = append(list, pgp.Candidate{Key: k, Source: one.Source, Discovered: true})
		}
	}
	if len(found) > 0 && len(list) == 0 {
		return nil, &crypt.Error{Reason: crypt.ErrBadKey}
	}
	return list, nil
}

// parse reads keys once: it verifies their signatures, which takes time.
func (o *openPGP) parse(data []byte) []*pgp.PublicKey {
	o.mu.Lock()
	keys, ok := o.parsed[string(data)]
	o.mu.Unlock()
	if ok {
		return keys
	}
	keys, err := pgp.ParseBinaryKeys(data)
	if err != nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.parsed == nil || len(o.parsed) >= maxParsed {
		o.parsed = map[string][]*pgp.PublicKey{}
	}
	o.parsed[string(data)] = keys
	return keys
}

// SMIME is a source of certificates for smime.Config, which then needs Pins. Put it
// behind the files in smime.KeySources. It is safe for concurrent use.
func SMIME(f *keyfind.Finder) smime.KeySource {
	return smime.KeySourceFunc(func(ctx context.Context, address mail.Address) ([]smime.Candidate, error) {
		found, err := f.Certificates(ctx, address)
		if err != nil {
			return nil, err
		}
		var list []smime.Candidate
		for _, one := range found {
			if c, err := x509.ParseCertificate(one.Data); err == nil { // keyfind has seen to that
				list = append(list, smime.Candidate{Certificate: c, Source: one.Source, Discovered: true, Proven: one.Proven})
			}
		}
		return list, nil
	})
}
