package escrow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt"
)

const (
	// DefaultExpires is how long an item can be read.
	DefaultExpires = 30 * 24 * time.Hour
	// DefaultIterations of PBKDF2-HMAC-SHA256, as OWASP's cheat sheet on the
	// storage of passwords has it.
	DefaultIterations = 600_000
	// MinIterations is the least that may be configured.
	MinIterations = 100_000

	minLinkKey = 16
	maxExpires = 10 * 366 * 24 * time.Hour
)

// Config configures [New]. Store, BaseURL, LinkKey and Record are required.
type Config struct {
	// Store is where items live. The Sealer does not close it.
	Store Store
	// BaseURL is where the portal is reached: links lie below it. https, or http
	// on this machine.
	BaseURL string
	// LinkKey keys what a retry needs: at least 16 random bytes, the same in
	// every process that sends, and unknown to the portal.
	LinkKey []byte
	// Record makes events durable.
	Record Recorder
	// Factor is what recipients show beside the link. Defaults to Passcode;
	// LinkOnly gives a passcode all the same wherever the link is not enough.
	Factor Factor
	// Expires is how long an item can be read. Defaults to DefaultExpires.
	Expires time.Duration
	// Iterations of PBKDF2 for a passcode. Defaults to DefaultIterations.
	Iterations int
	// Notice writes the notification. Defaults to [DefaultNotice].
	Notice Notice
	// Language of the notification, as a language tag. Defaults to "en".
	Language string
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// Sealer is the crypt.Sealer of escrow, and the sender's side of items: see
// [Sealer.Recall] and [Sealer.Unlock]. It is safe for concurrent use.
type Sealer struct {
	*Desk

	cfg  Config
	keys *senderKeys
}

// New returns a sealer, or every fault of cfg as a [*FieldError], joined.
func New(cfg Config) (*Sealer, error) {
	errs := cfg.Store.faults()
	fault := func(field, problem string) { errs = append(errs, &FieldError{Field: field, Problem: problem}) }
	if err := CheckBaseURL(cfg.BaseURL); err != nil {
		errs = append(errs, err)
	}
	if len(cfg.LinkKey) < minLinkKey {
		fault("LinkKey", fmt.Sprintf("too short; use at least %d random bytes", minLinkKey))
	}
	if cfg.Record == nil {
		fault("Record", "missing; phimail.RecordEscrow writes to the audit log")
	}
	if cfg.Factor == "" {
		cfg.Factor = Passcode
	}
	if !cfg.Factor.known() {
		fault("Factor", "must be passcode, code, login or none")
	}
	if cfg.Expires == 0 {
		cfg.Expires = DefaultExpires
	}
	if cfg.Expires < time.Minute || cfg.Expires > maxExpires {
		fault("Expires", "must be between a minute and ten years")
	}
	if cfg.Iterations == 0 {
		cfg.Iterations = DefaultIterations
	}
	if cfg.Iterations < MinIterations || cfg.Iterations > maxIterations {
		fault("Iterations", fmt.Sprintf("must be between %d and %d", MinIterations, maxIterations))
	}
	if cfg.Language == "" {
		cfg.Language = "en"
	}
	if cfg.Notice == nil {
		cfg.Notice = DefaultNotice()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s := &Sealer{cfg: cfg, keys: newSenderKeys(slices.Clone(cfg.LinkKey))}
	s.cfg.LinkKey = nil
	s.Desk = &Desk{store: cfg.Store, record: cfg.Record, clock: cfg.Clock}
	return s, nil
}

// Mode returns "escrow".
func (*Sealer) Mode() string { return "escrow" }

// Find serves every address. The key's Form is the factor that is configured.
func (s *Sealer) Find(context.Context, mail.Address, mail.Address) (crypt.Key, error) {
	return crypt.Key{Form: string(s.cfg.Factor), Algorithm: "AES", Bits: 8 * secretSize, Source: "escrow"}, nil
}

// Seal seals the message of job, which has one recipient, into the store and
// writes the notification to w. Nobody can read the item before
// [crypt.Sealed.Publish]. An item of the same message and recipient that is not
// settled yet is taken again, with its link and passcode.
func (s *Sealer) Seal(ctx context.Context, w io.Writer, job *crypt.Job) (*crypt.Sealed, error) {
	if len(job.To) != 1 {
		return nil, &crypt.Error{Reason: crypt.ErrConfig}
	}
	to := &job.To[0]
	factor := s.cfg.Factor.For(to.Access)
	it, p, err := s.prepare(ctx, job, factor)
	if err != nil {
		return nil, err
	}
	if it, err = s.keep(ctx, job, it, p); err != nil {
		return nil, err
	}
	link := Link{ID: it.ID, Secret: p.secret}
	notice := &Notification{
		Sender: senderName(job.From), Link: link.Text(s.cfg.BaseURL), Expires: it.Expires, Factor: factor, Language: s.cfg.Language,
	}
	if err := writeNotice(w, s.cfg.Notice, notice); err != nil {
		return nil, err
	}
	d := &draft{sealer: s, id: it.ID, content: it.Pending}
	return &crypt.Sealed{
		Evidence: crypt.Evidence{
			Container: "escrow-1", Algorithms: it.algorithms(), KeySource: "escrow", Signed: "none", EscrowID: it.ID, Factor: string(factor),
		},
		Publish: d.publish, Withdraw: d.withdraw, Settle: d.settle, Passcode: p.passcode,
	}, nil
}

func (it *Item) algorithms() []string {
	list := []string{"aes-256-gcm", "hkdf-sha256"}
	if it.Iterations > 0 {
		list = append(list, "pbkdf2-hmac-sha256")
	}
	return list
}

// senderName is what the notification calls the sender.
func senderName(from mail.Address) string {
	if from.Name != "" {
		return from.Name
	}
	return from.Address[strings.LastIndexByte(from.Address, '@')+1:]
}

// maxRounds bounds how many settled items of one message and recipient are passed
// over before a new one is made.
const maxRounds = 1000

// prepare finds the item of job's message and recipient that is not settled, or
// makes one that is not stored yet.
func (s *Sealer) prepare(ctx context.Context, job *crypt.Job, factor Factor) (*Item, *pending, error) {
	address := strings.ToLower(job.To[0].Address.Address)
	now := s.cfg.Clock().UTC().Truncate(time.Second)
	for round := range maxRounds {
		id := s.keys.itemID(job.Tenant, job.MessageID, address, round)
		it, err := s.store.Items.Load(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return s.fresh(job, id, factor, now)
		case err != nil:
			return nil, nil, storeError(err)
		case it.Link == nil || it.Erased || it.Factor != factor || !now.Before(it.Expires) || it.State != Sealed && it.State != Published:
			continue
		}
		p, err := s.keys.unwrap(id, it.Link)
		if err != nil {
			continue // wrapped by another key
		}
		return it, p, nil
	}
	return nil, nil, &crypt.Error{Reason: crypt.ErrStore}
}

func (s *Sealer) fresh(job *crypt.Job, id string, factor Factor, now time.Time) (*Item, *pending, error) {
	p := &pending{secret: newSecret()}
	salt := [saltSize]byte(newSecret())
	raw, err := parseID(id)
	if err != nil {
		return nil, nil, &crypt.Error{Reason: crypt.ErrConfig}
	}
	it := &Item{
		ID: id, Tenant: job.Tenant, Ref: job.To[0].Ref, Message: messageDigest(job.Tenant, job.MessageID),
		Created: now, Expires: now.Add(s.cfg.Expires), State: Sealed, Factor: factor, Salt: salt[:],
		Access: verifier(salt[:], accessKey(p.secret, raw), "access"),
	}
	if factor == Passcode {
		p.passcode = newPasscode()
		it.Iterations = s.cfg.Iterations
	}
	if it.Link, err = s.keys.wrapped(id, p); err != nil {
		return nil, nil, err
	}
	return it, p, nil
}
