package pgp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
)

// maxKeyBytes is the most that is read of keys at once.
const maxKeyBytes = 64 << 20

// ParsePublicKeys reads keys in binary or in armor, several in a row, with other
// text around, or a keybox of GnuPG. Keys that can't be read are left out, so that
// one bad key of a thousand stops nobody else's; the error is crypt.ErrMalformed
// if there is no other. Private keys are read as the public keys in them.
func ParsePublicKeys(data []byte) ([]*PublicKey, error) {
	var list []*PublicKey
	for _, e := range readEntities(data) {
		if k, ok := verified(e); ok {
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return nil, fail(crypt.ErrMalformed)
	}
	return list, nil
}

// ParseBinaryKeys reads keys that must be in binary, as a Web Key Directory and
// DNS have them.
func ParseBinaryKeys(data []byte) ([]*PublicKey, error) {
	if len(data) == 0 || data[0]&0x80 == 0 { // no packet begins so
		return nil, fail(crypt.ErrMalformed)
	}
	return ParsePublicKeys(data)
}

// verified is newPublicKey of what may make the library panic.
func verified(e *openpgp.Entity) (k *PublicKey, ok bool) {
	defer func() {
		if recover() != nil {
			k, ok = nil, false
		}
	}()
	return newPublicKey(e)
}

func readEntities(data []byte) []*openpgp.Entity {
	if len(data) > maxKeyBytes {
		return nil
	}
	var list []*openpgp.Entity
	for _, block := range blocks(data) {
		list = append(list, readBinary(block)...)
	}
	return list
}

// readBinary reads one key after another until something can't be read.
func readBinary(data []byte) (list []*openpgp.Entity) {
	defer func() { _ = recover() }() // what was read before is not wrong
	packets := packet.NewReader(bytes.NewReader(data))
	for {
		e, err := openpgp.ReadEntity(packets)
		switch {
		case err == nil:
			list = append(list, e)
		case errors.Is(err, io.EOF) || !skippable(err) || !nextKey(packets):
			return list
		}
	}
}

func skippable(err error) bool {
	if _, ok := errors.AsType[pgperrors.UnsupportedError](err); ok {
		return true
	}
	_, ok := errors.AsType[pgperrors.StructuralError](err)
	return ok
}

// nextKey goes on to the next primary key.
func nextKey(packets *packet.Reader) bool {
	for {
		p, err := packets.Next()
		if err != nil {
			if skippable(err) {
				continue
			}
			return false
		}
		switch k := p.(type) {
		case *packet.PublicKey:
			if !k.IsSubkey {
				packets.Unread(p)
				return true
			}
		case *packet.PrivateKey:
			if !k.IsSubkey {
				packets.Unread(p)
				return true
			}
		}
	}
}

var (
	armorBegin = []byte("-----BEGIN PGP ")
	armorEnd   = []byte("-----END PGP ")
	boxMagic   = []byte("KBXf")
)

// blocks returns the packets of a file: each armored block, each key of a keybox,
// or all of it.
func blocks(data []byte) [][]byte {
	if len(data) > 12 && bytes.Equal(data[8:12], boxMagic) {
		return boxed(data)
	}
	if !bytes.Contains(data, armorBegin) {
		return [][]byte{data}
	}
	var list [][]byte
	for {
		start := bytes.Index(data, armorBegin)
		if start < 0 {
			return list
		}
		data = data[start:]
		end := bytes.Index(data, armorEnd)
		if end < 0 {
			return list
		}
		length := len(data)
		if i := bytes.IndexByte(data[end:], '\n'); i >= 0 {
			length = end + i + 1
		}
		if b, ok := unarmored(data[:length], openpgp.PublicKeyType, openpgp.PrivateKeyType); ok {
			list = append(list, b)
		}
		data = data[length:]
	}
}

// unarmored decodes one armored block, if it is of one of the types.
func unarmored(data []byte, types ...string) ([]byte, bool) {
	block, err := armor.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	if !slices.Contains(types, block.Type) {
		return nil, false
	}
	b, err := io.ReadAll(block.Body)
	return b, err == nil
}

// boxed returns the keys of a keybox, as kbx/keybox-blob.c of GnuPG describes it:
// blobs that begin with their length and kind, and those of kind 2 have the place
// and length of an OpenPGP key.
func boxed(data []byte) [][]byte {
	const header, openPGP = 16, 2
	var list [][]byte
	for len(data) >= header {
		length := int64(binary.BigEndian.Uint32(data))
		if length < header || length > int64(len(data)) {
			return list
		}
		blob := data[:length]
		at, n := int64(binary.BigEndian.Uint32(blob[8:])), int64(binary.BigEndian.Uint32(blob[12:]))
		if blob[4] == openPGP && at+n <= length {
			list = append(list, blob[at:at+n])
		}
		data = data[length:]
	}
	return list
}
