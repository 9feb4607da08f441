package smime

import (
	"context"
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/internal/pinning"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
)

// Seal writes an application/pkcs7-mime entity (RFC 8551 section 3.3): the job's
// entity with its protected header, signed if there is a signer, then encrypted.
// It checks each key again, with the time and the revocations of now. The entity
// is read twice if it is signed, once if not; only AES-256-GCM holds it in memory.
func (s *Sealer) Seal(ctx context.Context, w io.Writer, job *crypt.Job) (*crypt.Sealed, error) {
	now := s.clock()
	recipients, cipher, err := s.recipients(ctx, job, now)
	if err != nil {
		return nil, err
	}
	content, evidence, err := s.content(ctx, job, now)
	if err != nil {
		return nil, err
	}
	if err := pinning.Use(ctx, s.pins, mode, job); err != nil {
		return nil, err
	}
	entity, err := content.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = entity.Close() }() // it was read to its end, or failed
	out := s.lines.get(w, content.Size())
	defer s.lines.put(out)
	out.head(cipher)
	if err := s.encrypter.Encrypt(out, entity, content.Size(), recipients, cipher); err != nil {
		return nil, err
	}
	if err := out.Close(); err != nil {
		return nil, foreign(crypt.ErrWrite, err)
	}
	describe(evidence, job, recipients, cipher)
	return &crypt.Sealed{Evidence: *evidence}, nil
}

// recipients reads the keys of a job and checks each again.
func (s *Sealer) recipients(ctx context.Context, job *crypt.Job, now time.Time) ([]cms.Recipient, cms.Cipher, error) {
	if len(job.To) == 0 {
		return nil, 0, fail(crypt.ErrNotFound)
	}
	var list []cms.Recipient
	var shared cms.Cipher
	for i := range job.To {
		to := &job.To[i]
		r, cipher, err := s.recipient(ctx, to.Address, &to.Key, now)
		if err != nil {
			return nil, 0, err
		}
		if i > 0 && cipher != shared {
			return nil, 0, fail(crypt.ErrUnsupported)
		}
		list, shared = append(list, r), cipher
	}
	return list, shared, nil
}

func (s *Sealer) recipient(ctx context.Context, to mail.Address, k *crypt.Key, now time.Time) (r cms.Recipient, cipher cms.Cipher, err error) {
	known, cipher, transport, err := s.parseKey(k)
	if err != nil {
		return r, 0, err
	}
	m, ok := mailbox.Parse(to.Address)
	if !ok {
		return r, 0, fail(crypt.ErrWrongAddress)
	}
	candidate := Candidate{Certificate: known.certificates[0], Intermediates: known.certificates[1:], Proven: known.proven && k.Discovered}
	if _, _, err := s.verifier.check(ctx, candidate, m, now); err != nil {
		return r, 0, err
	}
	return cms.Recipient{Certificate: known.certificates[0], Transport: transport}, cipher, nil
}

// content is what is encrypted. Each pass over it yields the same bytes.
type content interface {
	Size() int64
	Open() (io.ReadCloser, error)
}

func (s *Sealer) content(ctx context.Context, job *crypt.Job, now time.Time) (content, *crypt.Evidence, error) {
	payload, err := fault.Payload(ctx, job, crypt.Encrypted)
	if err != nil {
		return nil, nil, err
	}
	if s.signer == nil {
		return payload, &crypt.Evidence{Signed: "none"}, nil
	}
	id, err := signerFor(ctx, s.signer, job.From, now)
	if err != nil {
		return nil, nil, err
	}
	signed, err := sign.Wrap(payload, id, now)
	if err != nil {
		return nil, nil, err
	}
	return signed, &crypt.Evidence{Algorithms: signed.Algorithms(), Signed: signed.Signed()}, nil
}

// describe completes the evidence of a signature with that of the encryption.
func describe(e *crypt.Evidence, job *crypt.Job, recipients []cms.Recipient, cipher cms.Cipher) {
	signature := e.Algorithms
	e.Container, e.Algorithms = cipher.Container(), []string{cipher.String()}
	for i := range recipients {
		name(e, recipients[i].Algorithms())
	}
	// All of it, though the keys may be of one kind: what follows the name of a
	// signature is about that.
	e.Algorithms = append(e.Algorithms, signature...)
	var sources []string
	for i := range job.To {
		e.Fingerprints = append(e.Fingerprints, job.To[i].Key.Fingerprint)
		sources = append(sources, job.To[i].Key.Source)
	}
	slices.Sort(sources)
	e.KeySource = strings.Join(slices.Compact(sources), "+")
}

// name adds algorithms that are not named yet.
func name(e *crypt.Evidence, algorithms []string) {
	for _, a := range algorithms {
		if !slices.Contains(e.Algorithms, a) {
			e.Algorithms = append(e.Algorithms, a)
		}
	}
}
