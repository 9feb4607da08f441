package keyfind

import (
	"context"
	"crypto/fips140"
	"errors"
	"net/mail"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// Resolver asks the DNS. transport/lookup has one. Implementations are safe for
// concurrent use.
type Resolver interface {
	// Raw returns the content of the records of a type at a name, in the wire
	// format; whether DNSSEC proves the answer, as validated by a resolver that
	// is trusted for it; and until when it may be remembered. That there are no
	// records is an answer. An error means that nobody can say now: SERVFAIL, a
	// bogus answer, a timeout.
	Raw(ctx context.Context, name string, rrtype uint16) (records [][]byte, secure bool, until time.Time, err error)
}

// Fetcher fetches small documents. transport/lookup has one. Implementations are
// safe for concurrent use.
type Fetcher interface {
	// Get fetches an https URL from a host that others name: verified TLS, no
	// redirects (the status of one is returned), no proxy, no inner addresses,
	// an error for a body over limit bytes, within a bounded time.
	Get(ctx context.Context, url string, limit int64) (status int, contentType string, body []byte, err error)
}

// Config configures [New].
type Config struct {
	// WKD, OpenPGPKey and SMIMEA switch on what is asked. Each tells a third
	// party who is written to; see the package's doc comment.
	WKD, OpenPGPKey, SMIMEA bool
	// Resolver is required.
	Resolver Resolver
	// HTTPS is required for WKD.
	HTTPS Fetcher
	// MaxAge is how long a found key is remembered at most. Defaults to an hour.
	MaxAge time.Duration
	// NegativeAge is how long it is remembered that there is none. Defaults to
	// five minutes.
	NegativeAge time.Duration
	// MaxEntries bounds what is remembered. Defaults to 10,000.
	MaxEntries int
	// Timeout bounds one search. Defaults to 20 seconds.
	Timeout time.Duration
	// Clock says what time it is. Defaults to time.Now.
	Clock func() time.Time
}

// FieldError is one fault of a configuration. It matches crypt.ErrConfig.
type FieldError struct {
	// Field is the path of the field.
	Field string
	// Problem is what is wrong and what to do.
	Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return "keyfind: " + e.Field + ": " + e.Problem }

// Unwrap returns crypt.ErrConfig.
func (e *FieldError) Unwrap() error { return crypt.ErrConfig }

// Found is a key, or several, as a source has them.
type Found struct {
	// Data are OpenPGP keys in binary, or one certificate in DER.
	Data []byte
	// Source is "wkd", "openpgpkey" or "smimea".
	Source string
	// Proven says that DNSSEC stands for the key itself, in the place of any
	// authority: certificate usage 3 of an SMIMEA record (RFC 8162 section 4).
	Proven bool
}

const (
	defaultMaxAge      = time.Hour
	defaultNegativeAge = 5 * time.Minute
	defaultMaxEntries  = 10_000
	defaultTimeout     = 20 * time.Second
)

// Finder finds keys and remembers answers. It is safe for concurrent use, asks
// each question once however many wait for the answer, and has nothing to close.
type Finder struct {
	cfg    Config
	memory memory
}

// New returns a finder, or every fault of cfg as a [*FieldError], joined.
func New(cfg Config) (*Finder, error) {
	var faults []error
	fault := func(field, problem string) { faults = append(faults, &FieldError{Field: field, Problem: problem}) }
	if cfg.Resolver == nil {
		fault("Resolver", "missing; name one that validates DNSSEC")
	}
	if cfg.WKD && cfg.HTTPS == nil {
		fault("HTTPS", "missing; a Web Key Directory needs it")
	}
	if cfg.WKD && fips140.Enforced() {
		fault("WKD", "not possible in FIPS 140-3 mode, for its names are SHA-1")
	}
	if !cfg.WKD && !cfg.OpenPGPKey && !cfg.SMIMEA {
		fault("WKD", "nothing is switched on; switch on WKD, OpenPGPKey or SMIMEA, or leave discovery out")
	}
	for field, d := range map[string]*time.Duration{"MaxAge": &cfg.MaxAge, "NegativeAge": &cfg.NegativeAge, "Timeout": &cfg.Timeout} {
		if *d < 0 {
			fault(field, "negative")
		}
		if *d == 0 {
			*d = map[string]time.Duration{"MaxAge": defaultMaxAge, "NegativeAge": defaultNegativeAge, "Timeout": defaultTimeout}[field]
		}
	}
	if cfg.MaxEntries < 0 {
		fault("MaxEntries", "negative")
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = defaultMaxEntries
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Finder{cfg: cfg, memory: memory{limit: cfg.MaxEntries}}, nil
}

// OpenPGP returns OpenPGP keys of an address: those of OPENPGPKEY if there are
// any, else those of the Web Key Directory, and nothing if there are none.
//
// Its errors are [*crypt.Error]: ErrUnproven for DNS without DNSSEC, ErrBadKey
// for what is no key in the form that its source prescribes, ErrSource with Retry
// if nobody can say now, ErrCanceled.
func (f *Finder) OpenPGP(ctx context.Context, address mail.Address) ([]Found, error) {
	return f.search(ctx, "openpgp", address, func(ctx context.Context, m mailbox.Mailbox) (answer, error) {
		var unproven error
		if f.cfg.OpenPGPKey {
			a, err := f.openPGPKey(ctx, m)
			switch {
			case fault.ReasonOf(err) == crypt.ErrUnproven && f.cfg.WKD:
				unproven = err
			case err != nil || len(a.found) > 0:
				return a, err
			}
		}
		if f.cfg.WKD {
			a, err := f.wkd(ctx, m)
			if err != nil || len(a.found) > 0 || unproven == nil {
				return a, err
			}
		}
		return answer{}, unproven
	})
}

// Certificates returns certificates of an address by SMIMEA, and nothing if there
// are none. Its errors are those of [Finder.OpenPGP].
func (f *Finder) Certificates(ctx context.Context, address mail.Address) ([]Found, error) {
	return f.search(ctx, "smime", address, func(ctx context.Context, m mailbox.Mailbox) (answer, error) {
		if !f.cfg.SMIMEA {
			return answer{}, nil
		}
		return f.smimea(ctx, m)
	})
}

// answer is what a source has, and until when it may be remembered.
type answer struct {
	found []Found
	until time.Time
}

// search asks the memory first.
func (f *Finder) search(
	ctx context.Context, kind string, address mail.Address, ask func(context.Context, mailbox.Mailbox) (answer, error),
) (found []Found, err error) {
	m, ok := mailbox.Parse(address.Address)
	if !ok || m.Domain[0] == '[' { // an address literal has no domain
		return nil, nil
	}
	return f.memory.get(ctx, question{kind, m}, f.cfg.Clock, func() (a answer, err error) {
		defer fault.Guard(crypt.ErrSource, &err)
		bound, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
		defer cancel()
		a, err = ask(bound, m)
		if fault.ReasonOf(err) == crypt.ErrCanceled && ctx.Err() == nil {
			err = &crypt.Error{Reason: crypt.ErrSource, Retry: true} // a source that is slow
		}
		now := f.cfg.Clock()
		limit := now.Add(f.cfg.MaxAge)
		if len(a.found) == 0 {
			limit = now.Add(f.cfg.NegativeAge)
		}
		if a.until.IsZero() || a.until.After(limit) {
			a.until = limit
		}
		return a, err
	})
}
