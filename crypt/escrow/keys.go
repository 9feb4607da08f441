package escrow

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/phimail/sdk/crypt"
)

// The keys of an item. All are 32 bytes.
//
//	access  = HKDF-SHA256(S,             salt: id,   info: "phimail escrow 1 access")
//	pepper  = HKDF-SHA256(S,             salt: salt, info: "phimail escrow 1 passcode")
//	P       = PBKDF2-HMAC-SHA256(pepper || passcode, salt, iterations)
//	proof   = HKDF-SHA256(P,             salt: salt, info: "phimail escrow 1 proof")
//	content = HKDF-SHA256(S || T [|| P], salt: salt, info: "phimail escrow 1 content")
//
// access shows the server that its sender has the link, and proof that they have
// the passcode too; neither gives anything of S, P or the content key. The
// passcode is stretched together with S, so that nobody without the link can try
// passcodes, whatever they got of the server's.
const (
	infoAccess   = "phimail escrow 1 access"
	infoPasscode = "phimail escrow 1 passcode" //nolint:gosec // a label, and no passcode
	infoProof    = "phimail escrow 1 proof"
	infoContent  = "phimail escrow 1 content"

	secretSize = 32
)

// Secret is S, what the link's fragment carries. It never reaches the server.
type Secret [secretSize]byte

// Share is T, what the server holds of an item's key. Without it the item can't
// be opened any more by anybody.
type Share [secretSize]byte

const redacted = "[redacted]"

// Format prints nothing of the secret, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, redacted) }

// LogValue logs nothing of the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText encodes nothing of the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format prints nothing of the share, whatever the verb.
func (Share) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, redacted) }

// LogValue logs nothing of the share.
func (Share) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText encodes nothing of the share.
func (Share) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func newSecret() (s Secret) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

func newShare() (t Share) {
	_, _ = rand.Read(t[:]) // never fails
	return t
}

func derive(secret, salt []byte, info string) []byte {
	key, err := hkdf.Key(sha256.New, secret, salt, info, secretSize)
	if err != nil { // of a secret under 112 bits in FIPS mode; ours have 256
		panic("escrow: HKDF refuses its own parameters")
	}
	return key
}

// accessKey is what shows that somebody has the link.
func accessKey(s Secret, id [idSize]byte) []byte { return derive(s[:], id[:], infoAccess) }

// stretch is P. A passcode is normalised before.
func stretch(s Secret, salt [saltSize]byte, passcode string, iterations int) ([]byte, error) {
	pepper := derive(s[:], salt[:], infoPasscode)
	return pbkdf2.Key(sha256.New, string(pepper)+normalPasscode(passcode), salt[:], iterations, secretSize)
}

// proofKey is what shows that somebody has the passcode.
func proofKey(stretched []byte, salt [saltSize]byte) []byte {
	return derive(stretched, salt[:], infoProof)
}

// contentKey opens the item. stretched is nil where no passcode is in the key.
func contentKey(s Secret, t Share, salt [saltSize]byte, stretched []byte) []byte {
	ikm := make([]byte, 0, 3*secretSize)
	ikm = append(append(append(ikm, s[:]...), t[:]...), stretched...)
	return derive(ikm, salt[:], infoContent)
}

// Open reads the sealed form of an item: the message as it was sealed, from
// somebody who has all that its key is made of. It is what the page does in the
// browser. passcode is ignored where none is in the key. Errors of Open and of
// its reader are [*crypt.Error]: ErrMalformed, ErrTooLarge or ErrIntegrity, which
// a wrong key is too; nothing of a chunk is released before it was verified, so
// the message is whole only at io.EOF.
func Open(sealed io.Reader, s Secret, t Share, passcode string) (io.Reader, error) {
	var raw [HeaderSize]byte
	if _, err := io.ReadFull(sealed, raw[:]); err != nil {
		return nil, &crypt.Error{Reason: crypt.ErrMalformed}
	}
	h, err := parsePreamble(raw[:])
	if err != nil {
		return nil, err
	}
	var stretched []byte
	if h.iterations > 0 {
		if stretched, err = stretch(s, h.salt, passcode, int(h.iterations)); err != nil {
			return nil, &crypt.Error{Reason: crypt.ErrConfig}
		}
	}
	return open(contentKey(s, t, h.salt, stretched), h, sealed)
}

var errEncoding = errors.New("escrow: not base64url of the right length")

// encode writes bytes as links and the page's requests have them: base64url
// without padding (RFC 4648 section 5).
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode is strict: one text for one value.
func decode(s string, size int) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != size || encode(b) != s {
		return nil, errEncoding
	}
	return b, nil
}

// Access is the key that shows that its holder has the link: what a reader sends
// in the secret's place. The id must be valid.
func (l Link) Access() []byte {
	id, err := parseID(l.ID)
	if err != nil {
		return nil
	}
	return accessKey(l.Secret, id)
}

// Proof is the key that shows that its holder has the passcode too. It takes as
// long as the challenge's iterations ask.
func (l Link) Proof(c *Challenge, passcode string) ([]byte, error) {
	if len(c.Salt) != saltSize || c.Iterations < 1 || c.Iterations > maxIterations {
		return nil, &crypt.Error{Reason: crypt.ErrMalformed}
	}
	salt := [saltSize]byte(c.Salt)
	stretched, err := stretch(l.Secret, salt, passcode, c.Iterations)
	if err != nil {
		return nil, &crypt.Error{Reason: crypt.ErrConfig}
	}
	return proofKey(stretched, salt), nil
}
