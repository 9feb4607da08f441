package pgp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
)

const (
	// maxRecipients bounds the encrypted session keys of a message that are looked
	// at.
	maxRecipients = 1000
	// maxSigners bounds the signatures of a message: all of its content is hashed
	// anew for each that names a known key.
	maxSigners = 64
)

// ring has the keys that a message is read with.
type ring struct {
	openpgp.EntityList

	keys   map[string]*PublicKey // by the fingerprint of the primary key
	config *packet.Config
	limit  int64
	// left is how often the library may still ask for a key: once for each session
	// key and signature.
	left int
}

// EntitiesById finds keys for the library, which has no bound of its own. It
// panics where there is too much to ask for, since it can't return an error.
func (r *ring) EntitiesById(id uint64) []*openpgp.Entity { //nolint:revive // the library's name
	if r.left--; r.left < 0 {
		panic("pgp: too many signatures")
	}
	return r.EntityList.EntitiesById(id)
}

func (r *Reader) ring(ctx context.Context) (list *ring, err error) {
	defer fault.Guard(crypt.ErrSource, &err)
	now := r.cfg.Clock()
	list = &ring{keys: map[string]*PublicKey{}, limit: r.cfg.MaxBytes, config: config(now, 0)}
	list.config.MaxDecompressedMessageSize = &r.cfg.MaxBytes
	list.config.RejectHashAlgorithms = rejectedHashes()
	list.config.RejectMessageHashAlgorithms = rejectedHashes()
	if r.cfg.Keys != nil {
		private, err := r.cfg.Keys.PrivateKeys(ctx)
		if err != nil {
			return nil, fault.Source(ctx, crypt.ErrSource, err)
		}
		for _, k := range private {
			list.EntityList = append(list.EntityList, k.entity())
			list.keys[k.public.fingerprint] = k.public
		}
	}
	if r.cfg.Senders != nil {
		public, err := r.cfg.Senders.PublicKeys(ctx)
		if err != nil {
			return nil, fault.Source(ctx, crypt.ErrSource, err)
		}
		for _, k := range public {
			if list.keys[k.fingerprint] == nil {
				list.EntityList = append(list.EntityList, k.entity)
				list.keys[k.fingerprint] = k
			}
		}
	}
	return list, nil
}

// entity returns the whole key with its private parts.
func (k *PrivateKey) entity() *openpgp.Entity {
	e := *k.public.entity
	e.PrivateKey = k.parts[string(e.PrimaryKey.Fingerprint)]
	e.Identities = maps.Clone(e.Identities)
	e.Subkeys = append([]openpgp.Subkey(nil), e.Subkeys...)
	for i := range e.Subkeys {
		e.Subkeys[i].Primary = &e
		e.Subkeys[i].PrivateKey = k.parts[string(e.Subkeys[i].PublicKey.Fingerprint)]
	}
	return &e
}

// decrypt puts what is inside a multipart/encrypted into opened, if its integrity
// and its signatures hold. Past the matching key there is one error for all that
// may be wrong, so that nobody can ask an oracle.
func (r *ring) decrypt(ctx context.Context, opened *Opened, body []byte, params map[string]string) (err error) {
	defer fault.Guard(crypt.ErrIntegrity, &err) // of the library
	message, ok := encryptedPart(body, params)
	if !ok {
		return fail(crypt.ErrMalformed)
	}
	var sessions int
	if opened.Container, sessions, err = containerIn(message); err != nil {
		return err
	}
	r.left = sessions + maxSigners
	md, err := openpgp.ReadMessage(bytes.NewReader(message), r, nil, r.config)
	switch {
	case errors.Is(err, pgperrors.ErrKeyIncorrect):
		return fail(crypt.ErrRecipient)
	case err != nil:
		return fail(crypt.ErrIntegrity)
	}
	switch md.DecryptedWithAlgorithm { //nolint:exhaustive // no other cipher is read
	case packet.CipherAES128, packet.CipherAES192, packet.CipherAES256:
	default:
		return fail(crypt.ErrAlgorithm)
	}
	entity, err := io.ReadAll(io.LimitReader(fault.Reader(ctx, md.UnverifiedBody), r.limit+1))
	switch {
	case ctx.Err() != nil:
		return fault.Foreign(crypt.ErrCanceled, ctx.Err())
	case err != nil:
		return fail(crypt.ErrIntegrity)
	case int64(len(entity)) > r.limit:
		return fail(crypt.ErrTooLarge)
	}
	opened.Entity = entity
	return r.signatures(opened, md)
}

// containerIn looks at the packets before the encrypted data and counts the session
// keys among them that a key of ours may open. It refuses what has no integrity,
// and LibrePGP's packet 20.
func containerIn(message []byte) (container string, sessions int, err error) {
	packets := packet.NewReader(bytes.NewReader(message))
	for range maxRecipients {
		p, err := packets.Next()
		if err != nil {
			return "", 0, fail(crypt.ErrMalformed)
		}
		switch p := p.(type) {
		case *packet.EncryptedKey:
			if p.Algo.CanEncrypt() {
				sessions++
			}
		case *packet.SymmetricKeyEncrypted, *packet.Marker, *packet.Padding:
		case *packet.SymmetricallyEncrypted:
			switch {
			case p.IntegrityProtected && p.Version == 1:
				return seipd1.name, sessions, nil
			case p.IntegrityProtected && p.Version == 2:
				return seipd2.name, sessions, nil
			}
			return "", 0, fail(crypt.ErrAlgorithm)
		case *packet.AEADEncrypted:
			return "", 0, fail(crypt.ErrAlgorithm)
		default: // signed or in clear, which is no multipart/encrypted
			return "", 0, fail(crypt.ErrMalformed)
		}
	}
	return "", 0, fail(crypt.ErrTooLarge)
}

// verify puts what a multipart/signed has signed into opened.
func (r *ring) verify(ctx context.Context, opened *Opened, body []byte, params map[string]string) error {
	content, signature, ok := signedParts(body, params)
	if !ok {
		return fail(crypt.ErrMalformed)
	}
	r.left = maxSigners
	md, err := openpgp.VerifyDetachedSignatureReader(r, bytes.NewReader(content), bytes.NewReader(signature), r.config)
	if err != nil {
		return fail(crypt.ErrMalformed)
	}
	_, err = io.Copy(io.Discard, fault.Reader(ctx, md.UnverifiedBody))
	switch {
	case ctx.Err() != nil:
		return fault.Foreign(crypt.ErrCanceled, ctx.Err())
	case err != nil:
		return fail(crypt.ErrMalformed)
	}
	opened.Entity = content
	return r.signatures(opened, md)
}

// signatures takes over the signatures of a message that was read to its end. One
// by a known key that does not verify is an error.
func (r *ring) signatures(opened *Opened, md *openpgp.MessageDetails) error {
	for _, c := range md.SignatureCandidates {
		var s Signature
		if c.CorrespondingSig != nil {
			s.Time = c.CorrespondingSig.CreationTime
		}
		switch {
		case errors.Is(c.SignatureError, pgperrors.ErrUnknownIssuer):
			s.Fault = crypt.ErrUntrusted
		case c.SignatureError != nil || c.SignedBy == nil:
			return fail(crypt.ErrSignature)
		default:
			s.Key = r.keys[hexOf(c.SignedBy.Entity.PrimaryKey)]
		}
		opened.Signers = append(opened.Signers, s)
	}
	return nil
}
