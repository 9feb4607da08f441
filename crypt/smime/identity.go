package smime

import (
	"context"
	"crypto"
	"crypto/x509"
	"net/mail"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
)

// Identity is a certificate of ours with its private key.
type Identity struct {
	Certificate *x509.Certificate
	// Chain are the intermediates that lead Certificate to a root. They are sent
	// along with signatures: a missing one fails at every reader.
	Chain []*x509.Certificate
	// Key is the private key, which may live elsewhere. To sign it is a
	// crypto.Signer with an RSA key of 2048 bits or more, or an ECDSA key on
	// P-256 or P-384. To read it is a crypto.Decrypter that does as an
	// *rsa.PrivateKey does, an *ecdsa.PrivateKey or an ecdh.KeyExchanger.
	Key crypto.PrivateKey
	// PSS signs with RSASSA-PSS in place of PKCS #1 v1.5, which every client
	// verifies.
	PSS bool
}

// SignerSource finds the identities that sign for a sender: files
// ([IdentityFiles]), a key service. Implementations are safe for concurrent use.
type SignerSource interface {
	// SignersFor returns those that may be of an address, in any order. The
	// newest of those that may sign for it now does; if there is none the message
	// is refused. An error means that nobody can say now.
	SignersFor(ctx context.Context, from mail.Address) ([]Identity, error)
}

// Identities are a fixed [SignerSource] and [IdentitySource].
type Identities []Identity

// SignersFor returns all; the sealer picks.
func (s Identities) SignersFor(context.Context, mail.Address) ([]Identity, error) { return s, nil }

// Identities returns all.
func (s Identities) Identities(context.Context) ([]Identity, error) { return s, nil }

// signerFor picks the identity that signs for from. Its certificate has to pass
// the checks that a recipient's has to, but for those of trust and revocation,
// which are the readers' to make.
func signerFor(ctx context.Context, source SignerSource, from mail.Address, at time.Time) (*sign.Identity, error) {
	m, ok := mailbox.Parse(from.Address)
	if !ok {
		return nil, fail(crypt.ErrSigner)
	}
	list, err := signersOf(ctx, source, from)
	if err != nil {
		return nil, err
	}
	var best *sign.Identity
	for i := range list {
		id := &list[i]
		if !id.signsFor(m, at) || best != nil && !id.Certificate.NotBefore.After(best.Certificate.NotBefore) {
			continue
		}
		key, ok := id.Key.(crypto.Signer)
		if !ok {
			continue
		}
		best = &sign.Identity{Certificate: id.Certificate, Chain: id.Chain, Key: key, PSS: id.PSS}
	}
	if best == nil {
		return nil, fail(crypt.ErrSigner)
	}
	return best, nil
}

func (i *Identity) signsFor(m mailbox.Mailbox, at time.Time) bool {
	c := i.Certificate
	return c != nil && checkAddress(c, m) == "" && checkKey(c) == "" && checkStrength(c) == "" &&
		checkPurpose(c) == "" && checkUsage(c, toSign) == "" && checkDates(c, at) == ""
}

func signersOf(ctx context.Context, source SignerSource, from mail.Address) (list []Identity, err error) {
	if err := ctx.Err(); err != nil {
		return nil, foreign(crypt.ErrCanceled, err)
	}
	defer fault.Guard(crypt.ErrSigner, &err)
	if list, err = source.SignersFor(ctx, from); err != nil {
		return nil, fault.Source(ctx, crypt.ErrSigner, err)
	}
	return list, nil
}
