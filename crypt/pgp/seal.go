package pgp

import (
	"context"
	"crypto"
	"crypto/rand"
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/internal/pinning"
)

// bufferSize is large enough that the cipher, not the reading, takes the time.
const bufferSize = 64 << 10

// Seal writes a multipart/encrypted entity (RFC 3156 section 4): the job's entity
// with its protected header, signed if there is a signer and encrypted in one
// OpenPGP message (section 6.2). It checks each key again, with the time of now,
// and pins those that were discovered. The entity is read once and nothing holds
// it in memory.
func (s *Sealer) Seal(ctx context.Context, w io.Writer, job *crypt.Job) (sealed *crypt.Sealed, err error) {
	now := s.clock()
	recipients, in, err := s.recipients(job, now)
	if err != nil {
		return nil, err
	}
	var signer *signing
	if s.signer != nil {
		if signer, err = signerFor(ctx, s.signer, job.From, in == seipd2, now); err != nil {
			return nil, err
		}
	}
	payload, err := fault.Payload(ctx, job, crypt.Encrypted)
	if err != nil {
		return nil, err
	}
	if err := pinning.Use(ctx, s.pins, mode, job); err != nil {
		return nil, err
	}
	if err := write(w, payload, recipients, in, signer, now); err != nil {
		return nil, err
	}
	return &crypt.Sealed{Evidence: evidence(job, recipients, in, signer)}, nil
}

// recipients reads the keys of a job and checks each again.
func (s *Sealer) recipients(job *crypt.Job, now time.Time) ([]*chosen, container, error) {
	if len(job.To) == 0 {
		return nil, container{}, fail(crypt.ErrNotFound)
	}
	var list []*chosen
	for i := range job.To {
		to := &job.To[i]
		c, err := s.recipient(&to.Address, &to.Key, now)
		if err != nil {
			return nil, container{}, err
		}
		if to.Key.Form != job.To[0].Key.Form {
			return nil, container{}, fail(crypt.ErrUnsupported)
		}
		list = append(list, c)
	}
	in, ok := containerOf(job.To[0].Key.Form, list[0].algorithm.family)
	if !ok {
		return nil, container{}, fail(crypt.ErrUnsupported)
	}
	return list, in, nil
}

func (s *Sealer) recipient(to *mail.Address, key *crypt.Key, now time.Time) (*chosen, error) {
	k, err := s.parsed.get(key)
	if err != nil {
		return nil, err
	}
	m, ok := mailbox.Parse(to.Address)
	if !ok {
		return nil, fail(crypt.ErrWrongAddress)
	}
	c, _, reason := k.usable(m, s.forms.aead(*to), now)
	if reason != "" {
		return nil, fail(reason)
	}
	if c.container(s.forms.aead(*to)).formName(c.algorithm.family) != key.Form {
		return nil, fail(crypt.ErrUnsupported) // another part is the newest now
	}
	c.source = key.Source
	return c, nil
}

// write writes the entity around the encrypted message.
func write(w io.Writer, payload *crypt.Payload, recipients []*chosen, in container, signer *signing, now time.Time) (err error) {
	defer fault.Guard(crypt.ErrUnsupported, &err) // of the library
	entity, err := payload.Open()
	if err != nil {
		return err
	}
	defer func() { _ = entity.Close() }() // it was read to its end, or failed
	boundary := "=_" + rand.Text()
	out := &output{w: w}
	_, _ = io.WriteString(out, "MIME-Version: 1.0\r\n"+
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\""+boundary+"\"\r\n\r\n"+
		"--"+boundary+"\r\nContent-Type: application/pgp-encrypted\r\nContent-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n"+
		"--"+boundary+"\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\nContent-Description: OpenPGP encrypted message\r\n"+
		"Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n")
	armor := newArmor(out, openpgp.MessageType, payload.Size())
	if err := encrypt(armor, entity, min(payload.Size(), bufferSize), recipients, in, signer, now); err != nil {
		return out.cause(err)
	}
	if err := armor.Close(); err != nil {
		return out.cause(err)
	}
	_, _ = io.WriteString(out, "\r\n--"+boundary+"--\r\n")
	return out.cause(nil)
}

// output keeps the error of the caller's writer apart from the library's.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	return n, err
}

func (o *output) cause(err error) error {
	if o.err != nil {
		return fault.Foreign(crypt.ErrWrite, o.err)
	}
	return err
}

// encrypt writes one OpenPGP message.
func encrypt(w io.Writer, entity io.Reader, size int64, recipients []*chosen, in container, signer *signing, now time.Time) error {
	to := make([]*openpgp.Entity, len(recipients))
	for i, c := range recipients {
		to[i] = recipientEntity(c, in)
	}
	p := &openpgp.EncryptParams{Config: config(now, crypto.SHA256)}
	if signer != nil {
		p.Signers = []*openpgp.Entity{signerEntity(signer)}
		p.Config.DefaultHash = hashFor(&signer.private.PublicKey)
	}
	m, err := openpgp.EncryptWithParams(w, to, nil, p)
	if err != nil {
		return fail(crypt.ErrUnsupported)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{m}, struct{ io.Reader }{entity}, make([]byte, size)); err != nil {
		if fault.ReasonOf(err) != "" {
			return err // of the entity
		}
		return fail(crypt.ErrUnsupported)
	}
	if m.Close() != nil {
		return fail(crypt.ErrSigner)
	}
	return nil
}

// evidence says how a job was sealed.
func evidence(job *crypt.Job, recipients []*chosen, in container, signer *signing) crypt.Evidence {
	e := crypt.Evidence{Container: in.name, Algorithms: []string{in.cipher}, Signed: "none"}
	var sources []string
	for i, c := range recipients {
		e.Algorithms = append(e.Algorithms, c.algorithm.code)
		e.Fingerprints = append(e.Fingerprints, c.key.fingerprint)
		sources = append(sources, job.To[i].Key.Source)
	}
	if signer != nil {
		e.Signed = signer.String()
		e.Algorithms = append(e.Algorithms, signer.algorithms()...)
	}
	e.Algorithms = distinct(e.Algorithms)
	slices.Sort(sources)
	e.KeySource = strings.Join(slices.Compact(sources), "+")
	return e
}

// distinct keeps the first of each.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
