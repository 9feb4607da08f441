package pgp

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
)

// SignerConfig configures [NewSigner].
type SignerConfig struct {
	// Keys has our own keys. Required.
	Keys SignerSource
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
}

// Signer is the crypt.Signer of OpenPGP: it signs, with multipart/signed and
// protected headers, what travels in clear inside TLS. It is safe for concurrent
// use.
type Signer struct {
	keys  SignerSource
	clock func() time.Time
}

// NewSigner returns a signer, or every fault of cfg as a [*FieldError], joined.
func NewSigner(cfg SignerConfig) (*Signer, error) {
	var faults []error
	if cfg.Keys == nil {
		faults = append(faults, &FieldError{Field: "Keys", Problem: "missing; name a source of our keys"})
	}
	if fips140.Enforced() {
		faults = append(faults, &FieldError{Field: "Keys", Problem: "OpenPGP is not possible in FIPS 140-3 mode; use S/MIME"})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	s := &Signer{keys: cfg.Keys, clock: cfg.Clock}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// Sign signs the entity of job with the newest key for its sender: RFC 3156
// section 5. The signature is one of version 4, which every client reads. Its
// errors are [*crypt.Error]: ErrSigner if there is no key, ErrEntity if the lines
// of the entity do not end with CRLF.
func (s *Signer) Sign(ctx context.Context, job *crypt.Job) (*crypt.Signature, error) {
	now := s.clock()
	by, err := signerFor(ctx, s.keys, job.From, false, now)
	if err != nil {
		return nil, err
	}
	payload, err := fault.Payload(ctx, job, crypt.SignedOnly)
	if err != nil {
		return nil, err
	}
	signature, err := detached(payload, by, now)
	if err != nil {
		return nil, err
	}
	_, micalg := hashNames(hashFor(&by.private.PublicKey))
	boundary := "=_" + rand.Text()
	head, skip, tail := payload.Parts()
	before := "MIME-Version: 1.0\r\n" +
		"Content-Type: multipart/signed; protocol=\"application/pgp-signature\";\r\n" +
		" micalg=" + micalg + "; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary + "\r\n"
	after := "\r\n--" + boundary + "\r\n" +
		"Content-Type: application/pgp-signature; name=\"signature.asc\"\r\nContent-Description: OpenPGP digital signature\r\n" +
		"Content-Disposition: attachment; filename=\"signature.asc\"\r\n\r\n" + string(signature) + "\r\n--" + boundary + "--\r\n"
	return &crypt.Signature{
		Before: append([]byte(before), head...), Skip: skip, After: slices.Concat(tail, []byte(after)),
		Evidence: crypt.Evidence{Container: "multipart-signed", Algorithms: by.algorithms(), Signed: by.String()},
	}, nil
}

// detached reads the payload once and returns the armored signature of it.
func detached(payload *crypt.Payload, by *signing, now time.Time) (signature []byte, err error) {
	defer fault.Guard(crypt.ErrSigner, &err)
	var packets, out bytes.Buffer
	h, err := openpgp.DetachSignWriter(&packets, []*openpgp.Entity{signerEntity(by)}, &openpgp.SignParams{Config: config(now, hashFor(&by.private.PublicKey))})
	if err != nil {
		return nil, fail(crypt.ErrSigner)
	}
	entity, err := payload.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = entity.Close() }() // it was read to its end, or failed
	lines := &lineEnds{}
	if _, err := io.CopyBuffer(io.MultiWriter(h, lines), struct{ io.Reader }{entity}, make([]byte, bufferSize)); err != nil {
		return nil, err
	}
	if lines.cr != lines.lf { // other line ends would be changed on the way
		return nil, fail(crypt.ErrEntity)
	}
	if h.Close() != nil {
		return nil, fail(crypt.ErrSigner)
	}
	a := newArmor(&out, openpgp.SignatureType, int64(packets.Len()))
	_, _ = a.Write(packets.Bytes()) // a buffer takes everything
	_ = a.Close()
	return out.Bytes(), nil
}

// lineEnds counts what comes in pairs in canonical text.
type lineEnds struct{ cr, lf int }

func (l *lineEnds) Write(p []byte) (int, error) {
	l.cr += bytes.Count(p, []byte("\r"))
	l.lf += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

var _ crypt.Signer = (*Signer)(nil)
