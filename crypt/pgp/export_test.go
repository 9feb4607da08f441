package pgp

import (
	"bytes"
	"crypto/rand"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// What the tests reach without going through files and sealers.

// Data returns the key as a crypt.Key holds it.
func (k *PublicKey) Data() []byte { return k.data }

// Usable asks whether a key may be used.
func Usable(k *PublicKey, address string, at time.Time) bool {
	m, _ := mailbox.Parse(address)
	_, _, reason := k.usable(m, true, at)
	return reason == ""
}

// Inside is a literal data packet.
func Inside(content []byte) []byte {
	var out bytes.Buffer
	w, err := packet.SerializeLiteral(nopCloser{&out}, true, "", 0)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(content)
	_ = w.Close()
	return out.Bytes()
}

type nopCloser struct{ *bytes.Buffer }

func (nopCloser) Close() error { return nil }

// EncryptPackets encrypts packets that need not be any.
func EncryptPackets(k *PublicKey, packets []byte) []byte {
	var out bytes.Buffer
	session := make([]byte, 32)
	_, _ = rand.Read(session)
	if err := packet.SerializeEncryptedKeyAEAD(&out, k.entity.Subkeys[0].PublicKey, packet.CipherAES256, false, session, nil); err != nil {
		panic(err)
	}
	w, err := packet.SerializeSymmetricallyEncrypted(&out, packet.CipherAES256, false, packet.CipherSuite{}, session, nil)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(packets)
	_ = w.Close()
	return out.Bytes()
}

// CRC24 is the checksum of armor.
func CRC24(b []byte) uint32 { return crc24(crcInit, b) }
