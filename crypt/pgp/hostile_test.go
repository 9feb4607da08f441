package pgp_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

const rsa, dsa = 1, 17

// hugeKey is a key with numbers of a size, and signatures on its user ID that would
// have to be verified: 40 KB that a hostile directory may answer with.
func hugeKey(algorithm byte, bits []int, signatures int) []byte {
	made := binary.BigEndian.AppendUint32(nil, uint32(time.Now().Add(-time.Hour).Unix()))
	mpi := func(n int) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(n))
		number := bytes.Repeat([]byte{0xff}, (n+7)/8)
		number[0] >>= (8 - n%8) % 8
		return append(b, number...)
	}
	packet := func(tag byte, body []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0xc0 | tag, 0xff}, uint32(len(body))), body...)
	}
	key := append(append([]byte{4}, made...), algorithm)
	for _, n := range bits {
		key = append(key, mpi(n)...)
	}
	// A certification of itself: SHA-256, its time, and numbers of one and two bits.
	hashed := append([]byte{5, 2}, made...)
	signature := append([]byte{4, 0x13, algorithm, 8, 0, byte(len(hashed))}, hashed...)
	id := sha1.Sum(append([]byte{0x99, byte(len(key) >> 8), byte(len(key))}, key...)) //nolint:gosec // the fingerprint of version 4
	signature = append(append(signature, 0, 10, 9, 16), id[12:]...)
	signature = append(signature, 0, 0, 0, 1, 1)
	if algorithm == dsa {
		signature = append(signature, 0, 2, 2)
	}
	out := append(packet(6, key), packet(13, []byte(dana))...)
	for range signatures {
		out = append(out, packet(2, signature)...)
	}
	return out
}

// TestKeysThatTakeMinutesToVerifyAreNotVerified has no end without the bound.
func TestKeysThatTakeMinutesToVerifyAreNotVerified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"DSA":           {hugeKey(dsa, []int{65528, 65528, 65528, 65528}, 100), crypt.ErrWeak},
		"DSA, small q":  {hugeKey(dsa, []int{65528, 256, 65528, 65528}, 100), crypt.ErrWeak},
		"RSA":           {hugeKey(rsa, []int{65535, 17}, 100), crypt.ErrUnsupported},
		"RSA of a size": {hugeKey(rsa, []int{4096, 17}, 1), crypt.ErrWrongAddress},
	} {
		list, err := pgp.ParseBinaryKeys(c.data)
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %d keys, %v", name, len(list), err)
			continue
		}
		s := newSealer(t, pgp.Config{Keys: sourceOf([]pgp.Candidate{{Key: list[0]}})})
		if _, err := s.Find(t.Context(), address(clinic), address(dana)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheNumberOfSignaturesIsBounded: each that names a known key costs as much as
// the whole content.
func TestTheNumberOfSignaturesIsBounded(t *testing.T) {
	t.Parallel()
	k, us := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{}), pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	r := readerOf(t, k, us)
	var one bytes.Buffer
	if err := openpgp.DetachSign(&one, []*openpgp.Entity{entityOf(t, us)}, strings.NewReader(text), nil); err != nil {
		t.Fatal(err)
	}
	inClear := func(n int) string {
		signatures := strings.Replace(armoredMessage(t, bytes.Repeat(one.Bytes(), n)), "BEGIN PGP MESSAGE", "BEGIN PGP SIGNATURE", 1)
		signatures = strings.Replace(signatures, "END PGP MESSAGE", "END PGP SIGNATURE", 1)
		return "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\r\n\r\n--b\r\n" + text +
			"\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n" + signatures + "\r\n--b--\r\n"
	}
	sealed := func(n int) string { // the old way: signatures before the content
		inside := append(bytes.Repeat(one.Bytes(), n), pgp.Inside([]byte(text))...)
		return carried(armoredMessage(t, pgp.EncryptPackets(k.Public(), inside)))
	}
	for name, message := range map[string]func(int) string{"in clear": inClear, "sealed": sealed} {
		for _, n := range []int{1, 64} {
			if opened, err := r.Read(t.Context(), strings.NewReader(message(n))); err != nil || !opened.SignedBy(address(clinic)) || len(opened.Signers) != n {
				t.Errorf("%s, %d signatures: %v, %v", name, n, opened, err)
			}
		}
		want := map[string]crypt.Reason{"in clear": crypt.ErrMalformed, "sealed": crypt.ErrIntegrity}[name]
		if opened, err := r.Read(t.Context(), strings.NewReader(message(65))); !errors.Is(err, want) || opened != nil {
			t.Errorf("%s, too many: %v, %v", name, opened, err)
		}
	}
}

// ending has senders' keys, and ends the context of whoever asks for them.
type ending struct {
	publicKeys

	end context.CancelFunc
}

func (e ending) PublicKeys(context.Context) ([]*pgp.PublicKey, error) {
	e.end()
	return e.publicKeys, nil
}

func TestReadingEndsWithItsContextAlsoWhenTheMessageIsHere(t *testing.T) {
	t.Parallel()
	k, us := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{}), pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	s, err := pgp.NewSigner(pgp.SignerConfig{Keys: pgp.PrivateKeys{us.Private()}})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{
		"in clear": whole(t, s, text), "sealed": carried(armoredMessage(t, other(t, text, k, us, nil))),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r := newReader(t, pgp.ReaderConfig{Keys: pgp.PrivateKeys{k.Private()}, Senders: ending{knowing(us), cancel}})
		if opened, err := r.Read(ctx, strings.NewReader(in)); !errors.Is(err, crypt.ErrCanceled) || opened != nil {
			t.Errorf("%s: %v, %v", name, opened, err)
		}
	}
}
