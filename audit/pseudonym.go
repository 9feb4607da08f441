package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"sync"
)

// pseudonymDomain keeps these MACs apart from any other use of the key.
const pseudonymDomain = "phimail audit pseudonym v1\x00"

// pseudonymBytes is the length of a pseudonym before hex: 128 bits.
const pseudonymBytes = 16

// newPseudonym returns the function behind Log.Pseudonym. The key lives in the
// closure, where no verb of fmt reaches it.
func newPseudonym(key []byte) func(kind, value string) string {
	type state struct {
		mac hash.Hash
		buf []byte
	}
	key = append([]byte(nil), key...)
	pool := sync.Pool{New: func() any { return &state{mac: hmac.New(sha256.New, key)} }}
	return func(kind, value string) string {
		s, _ := pool.Get().(*state)
		defer pool.Put(s)
		s.mac.Reset()
		s.buf = append(s.buf[:0], pseudonymDomain...)
		s.buf = binary.AppendUvarint(s.buf, uint64(len(kind)))
		s.buf = append(s.buf, kind...)
		s.buf = append(s.buf, value...)
		_, _ = s.mac.Write(s.buf)
		clear(s.buf)
		s.buf = s.mac.Sum(s.buf[:0])
		return hex.EncodeToString(s.buf[:pseudonymBytes])
	}
}

// Pseudonym returns a keyed pseudonym of value, 32 hex digits: the first 128
// bits of HMAC-SHA256 over kind ("address" or "patient", say) and value. The
// same value of another kind has another pseudonym. Bring value into one form
// first, since each spelling of an address has a pseudonym of its own.
func (l *Log) Pseudonym(kind, value string) string { return l.pseudonym(kind, value) }
