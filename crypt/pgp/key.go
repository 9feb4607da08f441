package pgp

import (
	"strings"
	"sync"

	"github.com/phimail/sdk/crypt"
)

// newKey describes a key that was chosen.
func newKey(c *chosen, aead bool) crypt.Key {
	return crypt.Key{
		Fingerprint: c.key.fingerprint, Form: c.container(aead).formName(c.algorithm.family),
		Algorithm: c.algorithm.name, Bits: c.algorithm.bits,
		Source: c.source, NotAfter: c.notAfter, Data: c.key.data, Discovered: c.discovered,
	}
}

// maxParsed is how many parsed keys a sealer remembers.
const maxParsed = 4096

// parsed remembers the keys that crypt.Keys hold, so that they are not read and
// verified again for each message.
type parsed struct {
	mu   sync.Mutex
	keys map[string]*PublicKey // by Key.Data
}

// add remembers a key that was found.
func (p *parsed) add(k *PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys[string(k.data)] == k {
		return
	}
	if len(p.keys) >= maxParsed {
		clear(p.keys)
	}
	if p.keys == nil {
		p.keys = map[string]*PublicKey{}
	}
	p.keys[string(k.data)] = k
}

func (p *parsed) known(data []byte) *PublicKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[string(data)]
}

// get returns the key of a crypt.Key.
func (p *parsed) get(key *crypt.Key) (*PublicKey, error) {
	k := p.known(key.Data)
	if k == nil {
		list, err := ParsePublicKeys(key.Data)
		if err != nil || len(list) != 1 {
			return nil, fail(crypt.ErrUnsupported)
		}
		k = list[0]
		p.add(k)
	}
	if k.fingerprint != strings.ToLower(key.Fingerprint) {
		return nil, fail(crypt.ErrUnsupported)
	}
	return k, nil
}
