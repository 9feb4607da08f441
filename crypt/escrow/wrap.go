package escrow

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/phimail/sdk/crypt"
)

// senderKeys are what senders know and the portal does not: derived from the
// link key.
type senderKeys struct {
	wrap, index, digest []byte
}

func newSenderKeys(linkKey []byte) *senderKeys {
	of := func(info string) []byte { return derive(linkKey, nil, "phimail escrow 1 "+info) }
	return &senderKeys{wrap: of("link"), index: of("item"), digest: of("plaintext")}
}

// itemID names the item of a message and a recipient, so that a retry finds it.
// round counts the items that were settled before.
func (k *senderKeys) itemID(tenant, messageID, address string, round int) string {
	mac := hmac.New(sha256.New, k.index)
	for _, s := range []string{tenant, messageID, address} {
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s)))) // never fails
		_, _ = mac.Write([]byte(s))
	}
	_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(round))) //nolint:gosec // a small count
	return hex.EncodeToString(mac.Sum(nil)[:idSize])
}

// pending is what a retry needs and nobody else may have.
type pending struct {
	secret   Secret
	passcode string // empty if none was generated
}

// wrapped is p under the wrapping key, bound to the item.
func (k *senderKeys) wrapped(id string, p *pending) ([]byte, error) {
	aead, err := newAEAD(k.wrap)
	if err != nil {
		return nil, &crypt.Error{Reason: crypt.ErrConfig}
	}
	plain := append(append([]byte{1}, p.secret[:]...), p.passcode...)
	return aead.Seal(nil, nil, plain, []byte("link "+id)), nil //nolint:gosec // this AEAD makes its own random nonce
}

func (k *senderKeys) unwrap(id string, b []byte) (*pending, error) {
	aead, err := newAEAD(k.wrap)
	if err != nil {
		return nil, &crypt.Error{Reason: crypt.ErrConfig}
	}
	plain, err := aead.Open(nil, nil, b, []byte("link "+id))
	if err != nil || len(plain) < 1+secretSize || plain[0] != 1 {
		return nil, &crypt.Error{Reason: crypt.ErrIntegrity}
	}
	return &pending{secret: Secret(plain[1 : 1+secretSize]), passcode: string(plain[1+secretSize:])}, nil
}
