package consent

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"github.com/phimail/sdk/policy"
)

// HandlerConfig sets up a handler.
type HandlerConfig struct {
	// Tenant is whose links the handler takes: those of another are not valid.
	Tenant string
	// Name is the organisation as it stands on the page.
	Name string
	// Store is where records go. phimail.AuditRecords makes each an event.
	Store policy.RecordStore
	// By is the actor on the records. Defaults to "link".
	By string
	// Failed is told of a store that failed; the person is asked to try again.
	// Its errors may come from the store. Nil: nobody is told.
	Failed func(ctx context.Context, err error)
}

const (
	maxForm     = 4 << 10
	oneClickKey = "List-Unsubscribe" // RFC 8058 section 3.2
	oneClick    = "One-Click"
	confirmKey  = "confirm"
	confirm     = "opt-in"
	defaultBy   = "link"
	storeWithin = 10 * time.Second
)

// UnsubscribeHandler serves Config.UnsubscribeURL. A POST with
// "List-Unsubscribe=One-Click", by a mail provider or the page's button, records
// an [policy.Unsubscribe] at once: no login, no cookie, no redirect (RFC 8058
// section 3.2). It answers 200 also if there is one already. 400 means that the
// token or the form is not valid, 410 that the link has ended, 503 that it could
// not be stored.
func (l *Links) UnsubscribeHandler(cfg HandlerConfig) (http.Handler, error) {
	return l.handler(cfg, forUnsub, oneClickKey, oneClick, l.unsubscribe)
}

// OptInHandler serves Config.OptInURL. The page's button records an
// [policy.OptIn] and takes back an Unsubscribe from before. A link that is used
// again does nothing more, and after a later unsubscribe it is not valid: a new
// one has to be asked for.
func (l *Links) OptInHandler(cfg HandlerConfig) (http.Handler, error) {
	return l.handler(cfg, forOptIn, confirmKey, confirm, l.optIn)
}

func (l *Links) handler(cfg HandlerConfig, use, key, value string, act action) (http.Handler, error) {
	if cfg.Store == nil {
		return nil, errors.New("consent: Store is missing")
	}
	if cfg.By == "" {
		cfg.By = defaultBy
	}
	return &handler{links: l, cfg: cfg, use: use, key: key, value: value, act: act}, nil
}

// action records what a token asks for.
type action func(ctx context.Context, cfg *HandlerConfig, t *token, on []policy.Record, now time.Time) error

type handler struct {
	links      *Links
	cfg        HandlerConfig
	use        string
	key, value string
	act        action
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.show(w, r, http.StatusMethodNotAllowed, pageInvalid)
		return
	}
	t, err := h.links.open(h.cfg.Tenant, h.use, onlyValue(r.URL.Query(), tokenParam))
	switch {
	case errors.Is(err, errExpired):
		h.show(w, r, http.StatusGone, pageExpired)
	case err != nil:
		h.show(w, r, http.StatusBadRequest, pageInvalid)
	case r.Method != http.MethodPost:
		h.show(w, r, http.StatusOK, h.use)
	case !h.asked(w, r):
		h.show(w, r, http.StatusBadRequest, pageInvalid)
	default:
		h.do(w, r, t)
	}
}

// do records, with a time limit of its own: the peer's connection may end before.
func (h *handler) do(w http.ResponseWriter, r *http.Request, t *token) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeWithin)
	defer cancel()
	on, err := h.cfg.Store.Find(ctx, policy.RecordQuery{Tenant: h.cfg.Tenant, Addresses: []string{t.Address}})
	if err == nil {
		err = h.act(ctx, &h.cfg, t, on, h.links.cfg.Clock().UTC())
	}
	switch {
	case errors.Is(err, errExpired):
		h.show(w, r, http.StatusGone, pageExpired)
	case err != nil:
		if h.cfg.Failed != nil {
			h.cfg.Failed(ctx, err)
		}
		w.Header().Set("Retry-After", "60")
		h.show(w, r, http.StatusServiceUnavailable, pageFailed)
	default:
		h.show(w, r, http.StatusOK, h.use+" done")
	}
}

// unsubscribe always works, also with a link that was used before an opt-in.
func (*Links) unsubscribe(ctx context.Context, cfg *HandlerConfig, t *token, on []policy.Record, now time.Time) error {
	if policy.InForce(on, policy.Unsubscribe, "", t.Address, now) != nil {
		return nil
	}
	return cfg.Store.Add(ctx, policy.Record{
		Tenant: cfg.Tenant, Kind: policy.Unsubscribe, Address: t.Address, By: cfg.By, At: now, Source: "one-click",
	})
}

func (*Links) optIn(ctx context.Context, cfg *HandlerConfig, t *token, on []policy.Record, now time.Time) error {
	for i := range on {
		r := &on[i]
		left := r.Kind == policy.Unsubscribe && !r.Withdrawn || r.Kind == policy.Complaint && !r.Withdrawn || r.Kind == policy.OptIn && r.Withdrawn
		if left && r.At.After(t.made()) {
			return errExpired // they changed their mind after this link was made
		}
	}
	if in := policy.InForce(on, policy.OptIn, "", t.Address, now); in != nil && !in.At.Before(t.made()) {
		return nil
	}
	record := policy.Record{
		Tenant: cfg.Tenant, Kind: policy.OptIn, Address: t.Address, By: cfg.By, At: now, Wording: t.Wording, Source: "confirmed-link",
	}
	add := []policy.Record{record}
	if policy.InForce(on, policy.Unsubscribe, "", t.Address, now) != nil {
		back := record
		back.Kind, back.Withdrawn = policy.Unsubscribe, true
		add = []policy.Record{back, record}
	}
	return cfg.Store.Add(ctx, add...)
}

// asked reports whether the form says what the handler waits for.
func (h *handler) asked(w http.ResponseWriter, r *http.Request) bool {
	body := http.MaxBytesReader(w, r.Body, maxForm)
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return false
	}
	switch media {
	case "application/x-www-form-urlencoded":
		raw, err := io.ReadAll(body)
		if err != nil {
			return false
		}
		form, err := url.ParseQuery(string(raw))
		return err == nil && onlyValue(form, h.key) == h.value
	case "multipart/form-data":
		part, err := multipart.NewReader(body, params["boundary"]).NextPart()
		if err != nil || part.FormName() != h.key {
			return false
		}
		value, err := io.ReadAll(io.LimitReader(part, maxForm))
		return err == nil && string(value) == h.value
	}
	return false
}

// onlyValue returns the value of a name that stands once.
func onlyValue(v url.Values, name string) string {
	if len(v[name]) != 1 {
		return ""
	}
	return v[name][0]
}

func secure(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the token stands in the URL
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
}

// The pages beside those of the two uses.
const (
	pageInvalid = "invalid"
	pageExpired = "expired"
	pageFailed  = "failed"
)

type page struct {
	Name, Title, Text, Button, Key, Value string
}

func (h *handler) show(w http.ResponseWriter, r *http.Request, status int, what string) {
	p := page{Name: h.cfg.Name, Key: h.key, Value: h.value}
	switch what {
	case forUnsub:
		p.Title, p.Button = "Unsubscribe", "Unsubscribe"
		p.Text = "Do you want no more newsletters and offers from us? Messages about your care and your bills are not affected."
	case forUnsub + " done":
		p.Title = "You are unsubscribed"
		p.Text = "You will get no more newsletters and offers from us. Messages about your care and your bills are not affected."
	case forOptIn:
		p.Title, p.Text, p.Button = "Confirm", "Do you want newsletters and offers from us at this address?", "Yes, I do"
	case forOptIn + " done":
		p.Title, p.Text = "Thank you", "You will get our newsletters and offers. Each of them has a link to unsubscribe."
	case pageExpired:
		p.Title, p.Text = "This link has ended", "Please use the link in a newer message, or write to us."
	case pageFailed:
		p.Title, p.Text = "This did not work", "We could not store what you want. Please try again in a minute."
	default:
		p.Title, p.Text = "This link is not valid", "Please check that it is complete, or write to us."
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_ = pages().Execute(w, p) // the peer may be gone
	}
}

// pages is parsed anew for each page: it is small, and seldom asked for.
func pages() *template.Template {
	return template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>body{font:1.1em sans-serif;max-width:32em;margin:3em auto;padding:0 1em}button{font:inherit;padding:.5em 1em}</style></head>
<body><p>{{.Name}}</p><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Button}}
<form method="post"><input type="hidden" name="{{.Key}}" value="{{.Value}}"><button>{{.Button}}</button></form>{{end}}
</body></html>
`))
}

// Format prints no store, whatever the verb.
func (c HandlerConfig) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "consent.HandlerConfig{tenant:%q}", c.Tenant)
}
