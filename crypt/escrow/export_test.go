package escrow

import "io"

// SealBytes is the sealed form of plain under fixed keys, for tests of the format.
func SealBytes(id string, salt [32]byte, s Secret, t Share, passcode string, iterations int, plain io.Reader, size int64) (io.Reader, error) {
	raw, err := parseID(id)
	if err != nil {
		return nil, err
	}
	var stretched []byte
	if iterations > 0 {
		if stretched, err = stretch(s, salt, passcode, iterations); err != nil {
			return nil, err
		}
	}
	h := &preamble{id: raw, salt: salt, iterations: uint32(iterations), size: uint64(size)}
	return seal(contentKey(s, t, salt, stretched), h, plain)
}

// SealedSize is the length of the sealed form.
func SealedSize(size int64) int64 { return sealedSize(size) }
