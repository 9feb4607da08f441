package portal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
)

// Config configures [New]. Gate and BaseURL are required.
type Config struct {
	// Gate lets readers in.
	Gate *escrow.Gate
	// BaseURL is where readers reach the portal, as in escrow.Config.
	BaseURL string
	// Brand is what the page shows of the host.
	Brand Brand
	// Texts are the page's words in further languages, or in place of the built-in
	// ones: files named by language tag ("fr.json"), each an object of the keys in
	// texts/en.json. What a file leaves out is taken from English. "{name}" stands
	// for Brand.Name. Defaults to English and Spanish.
	Texts fs.FS
	// IdleLock is after how much idling the page closes a message. Defaults to
	// DefaultIdleLock; at most a day.
	IdleLock time.Duration
	// Login says who is signed in at the host, by the Ref of the message's
	// recipient; "" if nobody is. Needed for items with the factor Login.
	Login func(*http.Request) (ref string, err error)
	// LoginURL is where a reader who is not signed in is sent. In it "{return}"
	// stands for the path of the item's page, escaped, to come back to.
	LoginURL string
	// Addr says where a request comes from, for limits and records. Defaults to
	// the connection's peer; behind a proxy, read what it says instead.
	Addr func(*http.Request) netip.Addr
	// Log gets one line a request: method, route, item id, status, bytes and
	// duration. No path, address, header or body. Defaults to none.
	Log *slog.Logger
	// Stall is how long a reader may take nothing of a message before the
	// connection is given up. Defaults to 30 seconds.
	Stall time.Duration
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// DefaultIdleLock is after how much idling the page closes a message.
const DefaultIdleLock = 10 * time.Minute

// FieldError says which field of a Config is wrong, and what to do.
type FieldError struct {
	Field, Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return "portal: Config." + e.Field + ": " + e.Problem }

// Portal is the handler. It is safe for concurrent use and starts no goroutine.
type Portal struct {
	cfg    Config
	prefix string // of paths, without a trailing slash
	origin *http.CrossOriginProtection
	pages  pages
	assets *assets
}

// New returns a portal, or every fault of cfg as a [*FieldError], joined.
func New(cfg Config) (*Portal, error) {
	var errs []error
	fault := func(field, problem string) { errs = append(errs, &FieldError{Field: field, Problem: problem}) }
	if cfg.Gate == nil {
		fault("Gate", "missing; make one with escrow.NewGate")
	}
	base, err := url.Parse(cfg.BaseURL)
	if escrow.CheckBaseURL(cfg.BaseURL) != nil || err != nil {
		fault("BaseURL", "must be https, or http on this machine, without query and fragment")
	}
	if cfg.Stall < 0 {
		fault("Stall", "negative; leave it zero for the default")
	}
	if cfg.IdleLock < 0 || cfg.IdleLock > 24*time.Hour {
		fault("IdleLock", "must be between zero and a day")
	}
	if cfg.Brand.Color == "" {
		cfg.Brand.Color = DefaultColor
	}
	errs = append(errs, cfg.Brand.faults()...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	cfg.setDefaults(base.Hostname())
	p := &Portal{cfg: cfg, prefix: strings.TrimRight(base.Path, "/"), origin: http.NewCrossOriginProtection()}
	if err := p.origin.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		return nil, &FieldError{Field: "BaseURL", Problem: "has no origin"}
	}
	if err := p.build(); err != nil {
		return nil, err
	}
	return p, nil
}

func (c *Config) setDefaults(host string) {
	if c.Stall == 0 {
		c.Stall = 30 * time.Second
	}
	if c.IdleLock == 0 {
		c.IdleLock = DefaultIdleLock
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Addr == nil {
		c.Addr = peer
	}
	if c.Brand.Name == "" {
		c.Brand.Name = host
	}
}

// Format prints nothing of what it holds, whatever the verb.
func (*Portal) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "portal.Portal{}") }

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}

// ServeHTTP serves the page, its assets, and what it asks for.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := p.cfg.Clock()
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	route, id := p.serve(rec, r)
	if p.cfg.Log != nil {
		p.cfg.Log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request", slog.String("method", method(r)), slog.String("route", route),
			slog.String("id", id), slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
			slog.Int64("ms", p.cfg.Clock().Sub(start).Milliseconds()))
	}
}

// method is one of ours, so that nothing that a peer wrote gets into the log.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// recorder counts what was written.
type recorder struct {
	http.ResponseWriter

	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// serve routes a request, and says by which route for which item.
func (p *Portal) serve(w http.ResponseWriter, r *http.Request) (route, id string) {
	secure(w.Header())
	rest, ok := strings.CutPrefix(r.URL.Path, p.prefix+"/")
	if !ok && r.URL.Path == p.prefix {
		rest, ok = "", true
	}
	if !ok {
		p.notFound(w, r)
		return "none", ""
	}
	first, tail, _ := strings.Cut(rest, "/")
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case first == "assets" && get:
		p.writeAsset(w, r, tail)
		return "asset", ""
	case escrow.ValidID(first) && r.Method == http.MethodPost:
		return p.act(w, r, first, tail), first
	case get && beginsWithID(first):
		p.writePage(w, r, http.StatusOK)
		return "page", first[:32]
	case get:
		p.notFound(w, r)
		return "none", ""
	}
	w.Header().Set("Allow", "GET, HEAD, POST")
	p.refuse(w, http.StatusMethodNotAllowed, escrow.RefusedRequest)
	return "none", ""
}

// beginsWithID reports whether a path begins with an item's id: also one into
// which a mail service has brought the link's fragment. The page's script reads
// what follows, and the server does not.
func beginsWithID(s string) bool {
	return len(s) >= 32 && escrow.ValidID(s[:32]) && (len(s) == 32 || strings.IndexByte("#?&;", s[32]) >= 0)
}
