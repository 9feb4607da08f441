package dkim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

// DefaultExpiry outlasts the five days that relays keep trying, with room for a
// recipient's own forwarding.
const DefaultExpiry = 14 * 24 * time.Hour

const (
	minExpiry = time.Hour
	maxExpiry = 90 * 24 * time.Hour
)

// Config says how a [Signer] signs.
type Config struct {
	// Keys knows the keys. Required.
	Keys KeySource
	// Clock tells the time that the dates of keys are compared with. Defaults
	// to time.Now. The tags t= and x= follow the system's clock.
	Clock func() time.Time
	// Expiry is how long a signature holds (x= minus t=), from one hour to 90
	// days. Defaults to [DefaultExpiry].
	Expiry time.Duration
}

// Signer makes DKIM-Signature header fields. It is safe for concurrent use and
// keeps no goroutine.
type Signer struct {
	keys    KeySource
	clock   func() time.Time
	expiry  time.Duration
	buffers sync.Pool
}

// New checks cfg and lists every fault as a [*FieldError], joined. The keys of
// [StaticKeys] and of [Files] are checked too, those of other sources when
// they are used.
func New(cfg Config) (*Signer, error) {
	var faults []error
	if cfg.Keys == nil {
		faults = append(faults, &FieldError{Field: "Keys", Problem: "missing; give a source such as StaticKeys", Reason: ErrNoKey})
	}
	if source, ok := cfg.Keys.(interface{ known() []Key }); ok {
		faults = append(faults, checkKeys(source.known())...)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Expiry == 0 {
		cfg.Expiry = DefaultExpiry
	}
	if cfg.Expiry < minExpiry || cfg.Expiry > maxExpiry {
		faults = append(faults, &FieldError{Field: "Expiry", Problem: "out of range; one hour to 90 days", Reason: ErrConfig})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	s := &Signer{keys: cfg.Keys, clock: cfg.Clock, expiry: cfg.Expiry}
	s.buffers.New = func() any { b := make([]byte, 0, bufferSize); return &b }
	return s, nil
}

func checkKeys(keys []Key) []error {
	var errs []error
	if len(keys) == 0 {
		errs = append(errs, &FieldError{Field: "Keys", Problem: "empty; give at least one key", Reason: ErrNoKey})
	}
	seen := make(map[string]bool, len(keys))
	for i, k := range keys {
		c, faults := inspect(k)
		for _, f := range faults {
			f.Field = fmt.Sprintf("Keys[%d].%s", i, f.Field)
			errs = append(errs, f)
		}
		name := c.Selector + "." + c.domain
		if len(faults) == 0 && seen[name] {
			errs = append(errs, &FieldError{
				Field:   fmt.Sprintf("Keys[%d].Selector", i),
				Problem: "used twice for this domain; one selector publishes one key",
				Reason:  ErrKey,
			})
		}
		seen[name] = true
	}
	return errs
}

// bufferSize holds nearly every message without an attachment, so that these
// take one hand-over to each signature.
const bufferSize = 32 << 10

// Sign reads a message once, in pieces, and returns the DKIM-Signature header
// fields to put before it, complete with CRLF, and the ids of their keys
// (DOMAIN/SELECTOR/ALGORITHM) in the same order.
//
// domain is that of the From field; the message is refused if its From says
// otherwise. The message is RFC 5322 with CRLF line ends. Without a key that is
// valid now the error is ErrNoKey; all errors are an [*Error].
func (s *Signer) Sign(ctx context.Context, domain string, message func() (io.ReadCloser, error)) (fields []byte, ids []string, err error) {
	domain, ok := normalize(domain)
	if !ok {
		return nil, nil, fail(ErrNoKey)
	}
	keys, err := s.choose(ctx, domain)
	if err != nil {
		return nil, nil, err
	}
	if message == nil {
		return nil, nil, fail(ErrRead)
	}
	r, err := message()
	if err != nil {
		return nil, nil, readError(err)
	}
	defer func() {
		if cerr := r.Close(); cerr != nil && err == nil {
			fields, ids, err = nil, nil, readError(cerr)
		}
	}()
	fields, err = s.sign(ctx, r, domain, keys)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range keys {
		ids = append(ids, k.id())
	}
	return fields, ids, nil
}

// Check says whether a message of this From domain could be signed now, and
// returns the ids of the keys that would. It asks no key to sign.
func (s *Signer) Check(ctx context.Context, domain string) (ids []string, err error) {
	domain, ok := normalize(domain)
	if !ok {
		return nil, fail(ErrNoKey)
	}
	keys, err := s.choose(ctx, domain)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		ids = append(ids, k.id())
	}
	return ids, nil
}

func (s *Signer) sign(ctx context.Context, r io.Reader, domain string, keys []chosen) (_ []byte, err error) {
	buf, _ := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	head, length, err := readHead(ctx, r, (*buf)[:0])
	if err != nil {
		return nil, err
	}
	if cap(head) > cap(*buf) && cap(head) <= 4*bufferSize {
		*buf = head
	}
	h, ok := scanHeader(head[:length])
	if !ok {
		return nil, fail(ErrMessage)
	}
	if !alignedFrom(h.from, domain) {
		return nil, fail(ErrAlignment)
	}
	sigs, err := s.begin(keys, h.keys)
	defer sigs.abandon()
	if err != nil {
		return nil, err
	}
	if err := sigs.write(head); err != nil {
		return nil, err
	}
	if err := copyBody(ctx, sigs, r, head[:cap(head)]); err != nil {
		return nil, err
	}
	return sigs.finish()
}

// readHead reads until the header is complete, and as much more as fits. It
// returns what it read and the length of the header.
func readHead(ctx context.Context, r io.Reader, head []byte) ([]byte, int, error) {
	length := -1
	for {
		if len(head) == cap(head) {
			if length >= 0 {
				return head, length, nil
			}
			if len(head) >= maxHeader {
				return nil, 0, fail(ErrMessage)
			}
			head = slices.Grow(head, len(head))
		}
		n, err := read(ctx, r, head[len(head):cap(head)])
		if length < 0 {
			length = headerLength(head[:len(head)+n], len(head))
		}
		head = head[:len(head)+n]
		switch {
		case err == io.EOF && length >= 0:
			return head, length, nil
		case err == io.EOF:
			return nil, 0, fail(ErrMessage)
		case err != nil:
			return nil, 0, err
		}
	}
}

func copyBody(ctx context.Context, w *signatures, r io.Reader, buf []byte) error {
	for {
		n, err := read(ctx, r, buf)
		if n > 0 {
			if werr := w.write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxEmptyReads is when a reader that yields nothing is given up.
const maxEmptyReads = 100

// read returns io.EOF as it is and any other error as an Error.
func read(ctx context.Context, r io.Reader, b []byte) (int, error) {
	for range maxEmptyReads {
		if ctx.Err() != nil {
			return 0, &Error{Reason: ErrCanceled, cause: ctx.Err()}
		}
		n, err := r.Read(b)
		if err != nil && err != io.EOF {
			err = readError(err)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, readError(io.ErrNoProgress)
}

func readError(err error) error { return &Error{Reason: ErrRead, cause: err} }

// signatures are the signatures of one message while it is read. go-msgauth
// makes each in a goroutine that ends with Close.
type signatures struct {
	stop   atomic.Bool
	guards []*guard
	open   []*msgauth.Signer
	done   bool
}

func (s *Signer) begin(keys []chosen, fields []string) (*signatures, error) {
	sigs := &signatures{}
	// go-msgauth takes t= from the system's clock, so x= has to follow it.
	expiration := time.Now().Add(s.expiry)
	for i := range keys {
		g := &guard{key: &keys[i], stop: &sigs.stop}
		signer, err := msgauth.NewSigner(&msgauth.SignOptions{
			Domain:                 keys[i].domain,
			Selector:               keys[i].Selector,
			Signer:                 g,
			HeaderCanonicalization: msgauth.CanonicalizationRelaxed,
			BodyCanonicalization:   msgauth.CanonicalizationRelaxed,
			HeaderKeys:             fields,
			Expiration:             expiration,
		})
		if err != nil {
			return sigs, &Error{Reason: ErrKey, Key: keys[i].id()}
		}
		sigs.guards = append(sigs.guards, g)
		sigs.open = append(sigs.open, signer)
	}
	return sigs, nil
}

func (s *signatures) write(b []byte) error {
	for _, w := range s.open {
		if _, err := w.Write(b); err != nil {
			return fail(ErrMessage)
		}
	}
	return nil
}

// finish lets all keys sign at once, since one may be a service away.
func (s *signatures) finish() ([]byte, error) {
	errs := make([]error, len(s.open))
	var wg sync.WaitGroup
	for i, w := range s.open {
		wg.Go(func() { errs[i] = w.Close() })
	}
	wg.Wait()
	s.done = true
	var fields bytes.Buffer
	for i, w := range s.open {
		if errs[i] != nil {
			return nil, &Error{Reason: ErrSigner, Key: s.guards[i].key.id(), cause: s.guards[i].cause}
		}
		fields.WriteString(w.Signature())
	}
	return fields.Bytes(), nil
}

// abandon ends the goroutines of a message that finish was not reached for.
func (s *signatures) abandon() {
	if s.done {
		return
	}
	s.stop.Store(true)
	for _, w := range s.open {
		_ = w.Close()
	}
}
