package portal

import (
	"bytes"
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"crypto/sha256"

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
	// Login says who is signed in at the host, by the Ref of the message's
	// recipient; "" if nobody is. Needed for items with the factor Login.
	Login func(*http.Request) (ref string, err error)
	// LoginURL is where a reader who is not signed in is sent.
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

// Brand is what the page shows of the host.
type Brand struct {
	// Name of the host, such as "Riverside Clinic". Defaults to the base URL's
	// host name.
	Name string
}

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
	page   []byte
	assets map[string]asset
}

type asset struct {
	content     []byte
	contentType string
}

//go:embed assets templates
var files embed.FS

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
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if cfg.Stall == 0 {
		cfg.Stall = 30 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Addr == nil {
		cfg.Addr = peer
	}
	if cfg.Brand.Name == "" {
		cfg.Brand.Name = base.Hostname()
	}
	p := &Portal{cfg: cfg, prefix: strings.TrimRight(base.Path, "/"), origin: http.NewCrossOriginProtection()}
	if err := p.origin.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		return nil, &FieldError{Field: "BaseURL", Problem: "has no origin"}
	}
	if err := p.build(); err != nil {
		return nil, err
	}
	return p, nil
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

// assetTypes are what the page is made of.
var assetTypes = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
}

// build reads the assets, names each after its content, and makes the page, the
// same bytes for everybody.
func (p *Portal) build() error {
	p.assets = map[string]asset{}
	names := map[string]string{} // by the file's name
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return errors.New("portal: the built-in files are damaged")
	}
	for _, e := range entries {
		content, err := files.ReadFile("assets/" + e.Name())
		dot := strings.LastIndexByte(e.Name(), '.')
		if err != nil || dot < 0 || assetTypes[e.Name()[dot:]] == "" {
			return errors.New("portal: the built-in files are damaged")
		}
		sum := sha256.Sum256(content)
		name := e.Name()[:dot] + "." + hex.EncodeToString(sum[:8]) + e.Name()[dot:]
		names[e.Name()] = p.prefix + "/assets/" + name
		p.assets[name] = asset{content, assetTypes[e.Name()[dot:]]}
	}
	t, err := template.ParseFS(files, "templates/page.html")
	if err != nil {
		return errors.New("portal: the built-in files are damaged")
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Brand": p.cfg.Brand, "Prefix": p.prefix, "Assets": names})
	p.page = b.Bytes()
	return err
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
	p.secure(w.Header())
	rest, ok := strings.CutPrefix(r.URL.Path, p.prefix+"/")
	if !ok && r.URL.Path == p.prefix {
		rest, ok = "", true
	}
	if !ok {
		return "none", p.notFound(w, r)
	}
	first, tail, _ := strings.Cut(rest, "/")
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case first == "assets" && get:
		return "asset", p.asset(w, r, tail)
	case escrow.ValidID(first) && r.Method == http.MethodPost:
		return p.act(w, r, first, tail), first
	case get && beginsWithID(first):
		p.writePage(w, r, http.StatusOK)
		return "page", first[:32]
	case get:
		return "none", p.notFound(w, r)
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

// secure sets what every answer has.
func (p *Portal) secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "+
		"connect-src 'self'; frame-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cache-Control", "no-store")
}

func (p *Portal) writePage(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(p.page)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(p.page) // the reader is gone
	}
}

// notFound is the page too: its script says that this is no link.
func (p *Portal) notFound(w http.ResponseWriter, r *http.Request) (id string) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		p.writePage(w, r, http.StatusNotFound)
	} else {
		p.refuse(w, http.StatusNotFound, escrow.RefusedUnknown)
	}
	return ""
}

func (p *Portal) asset(w http.ResponseWriter, r *http.Request, name string) (id string) {
	a, ok := p.assets[name]
	if !ok {
		return p.notFound(w, r)
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // its name changes with it
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(a.content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.content) // the reader is gone
	}
	return ""
}
