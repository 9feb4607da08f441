package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"hash"
)

const (
	// wrapIV is the initial value of RFC 3394 section 2.2.3.1, which shows at
	// the end whether a wrapped key is what it was.
	wrapIV = 0xa6a6a6a6a6a6a6a6
	// semiblock is half a block of AES, what key wrap works in.
	semiblock = 8
)

// wrapKey wraps a key of at least 16 bytes in full semiblocks (RFC 3394 section
// 2.2.1), which content keys are.
func wrapKey(kek cipher.Block, key []byte) []byte {
	n := len(key) / semiblock
	out := make([]byte, semiblock+len(key))
	r := out[semiblock:]
	copy(r, key)
	var block [aes.BlockSize]byte
	a := uint64(wrapIV)
	for j := range uint64(6) {
		for i := range n {
			ri := r[i*semiblock : (i+1)*semiblock]
			binary.BigEndian.PutUint64(block[:], a)
			copy(block[semiblock:], ri)
			kek.Encrypt(block[:], block[:])
			a = binary.BigEndian.Uint64(block[:]) ^ (j*uint64(n) + uint64(i) + 1)
			copy(ri, block[semiblock:])
		}
	}
	binary.BigEndian.PutUint64(out, a)
	return out
}

// unwrapKey is the inverse (RFC 3394 section 2.2.2). It says false if wrapped was
// altered or wrapped with another key.
func unwrapKey(kek cipher.Block, wrapped []byte) ([]byte, bool) {
	n := len(wrapped)/semiblock - 1
	if len(wrapped)%semiblock != 0 || n < 2 {
		return nil, false
	}
	r := append([]byte(nil), wrapped[semiblock:]...)
	var block [aes.BlockSize]byte
	a := binary.BigEndian.Uint64(wrapped)
	for j := range uint64(6) {
		for i := n - 1; i >= 0; i-- {
			ri := r[i*semiblock : (i+1)*semiblock]
			binary.BigEndian.PutUint64(block[:], a^((5-j)*uint64(n)+uint64(i)+1))
			copy(block[semiblock:], ri)
			kek.Decrypt(block[:], block[:])
			a = binary.BigEndian.Uint64(block[:])
			copy(ri, block[semiblock:])
		}
	}
	binary.BigEndian.PutUint64(block[:], a)
	var want [semiblock]byte
	binary.BigEndian.PutUint64(want[:], wrapIV)
	if subtle.ConstantTimeCompare(block[:semiblock], want[:]) != 1 {
		clear(r)
		return nil, false
	}
	return r, true
}

// deriveKey is the KDF of ANSI X9.63, SEC 1 section 3.6.1: it makes a key of size
// bytes from a shared secret.
func deriveKey(newHash func() hash.Hash, secret, info []byte, size int) []byte {
	h := newHash()
	var out []byte
	for counter := uint32(1); len(out) < size; counter++ {
		h.Reset()
		_, _ = h.Write(secret) // a hash never fails
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, counter))
		_, _ = h.Write(info)
		out = h.Sum(out)
	}
	return out[:size]
}
