package portal_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/crypt/escrow/portal"
)

const item = "/m/0123456789abcdef0123456789abcdef"

func newPage(t *testing.T, change func(*portal.Config)) (*portal.Portal, error) {
	t.Helper()
	gate, err := escrow.NewGate(escrow.GateConfig{
		Store: escrowmem.New().Store(), Record: func(context.Context, ...escrow.Event) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := portal.Config{Gate: gate, BaseURL: "https://mail.clinic.example/m", Brand: portal.Brand{Name: "Riverside Clinic"}}
	if change != nil {
		change(&cfg)
	}
	return portal.New(cfg)
}

func get(h http.Handler, path, language string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPageSpeaksTheReadersLanguage(t *testing.T) {
	t.Parallel()
	p, err := newPage(t, func(c *portal.Config) {
		c.Texts = fstest.MapFS{
			"fr.json":    {Data: []byte(`{"language": "Français", "start_title": "{name} vous a envoyé un message"}`)},
			"es.json":    {Data: []byte(`{"start_button": "Leer"}`)},
			"README.txt": {Data: []byte("not a text")},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, header, lang, text string }{
		{item, "", "en", "Riverside Clinic has sent you a message"},
		{item, "de", "en", "Riverside Clinic has sent you a message"},
		{item, "es-MX,es;q=0.9,en;q=0.5", "es", "Riverside Clinic le ha enviado un mensaje"},
		{item, "es", "es", ">Leer<"},
		{item, "fr-CA", "fr", "Riverside Clinic vous a envoyé un message"},
		{item, "fr", "fr", "Enter your passcode"}, // what the file leaves out
		{item + "?lang=es", "en", "es", "Riverside Clinic le ha enviado un mensaje"},
		{item + "?lang=fr", "en-US,en;q=0.9", "fr", "vous a envoyé"},
		{item + "?lang=%3Cscript%3E", "en", "en", "has sent you"},
	} {
		w := get(p, c.path, c.header)
		if w.Code != http.StatusOK || w.Header().Get("Content-Language") != c.lang || !strings.Contains(w.Body.String(), `<html lang="`+c.lang+`">`) ||
			!strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s %q: %d in %q", c.path, c.header, w.Code, w.Header().Get("Content-Language"))
		}
		if strings.Contains(w.Body.String(), "{name}") {
			t.Error("the name is not filled in")
		}
	}
}

func TestBrandIsShown(t *testing.T) {
	t.Parallel()
	p, err := newPage(t, func(c *portal.Config) {
		c.Brand = portal.Brand{Name: `A <b>"Clinic"</b>`, Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), Color: "#7a1f3d"}
	})
	if err != nil {
		t.Fatal(err)
	}
	body := get(p, item, "").Body.String()
	if strings.Contains(body, "<b>") || !strings.Contains(body, "A &lt;b&gt;") {
		t.Error("the name is not escaped")
	}
	for file, want := range map[string]string{"logo.": "image/svg+xml", "brand.": "text/css; charset=utf-8"} {
		at := strings.Index(body, "/m/assets/"+file)
		if at < 0 {
			t.Fatalf("the page does not name %s", file)
		}
		url, _, _ := strings.Cut(body[at:], `"`)
		w := get(p, url, "")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != want || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", file, w.Code, w.Header())
		}
		if file == "brand." && !strings.Contains(w.Body.String(), "--accent: #7a1f3d") {
			t.Errorf("the colours are %s", w.Body)
		}
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*portal.Config){
		"Gate":        func(c *portal.Config) { c.Gate = nil },
		"BaseURL":     func(c *portal.Config) { c.BaseURL = "http://mail.clinic.example/m" },
		"Stall":       func(c *portal.Config) { c.Stall = -1 },
		"IdleLock":    func(c *portal.Config) { c.IdleLock = -1 },
		"Brand.Name":  func(c *portal.Config) { c.Brand.Name = "two\nlines" },
		"Brand.Logo":  func(c *portal.Config) { c.Brand.Logo = []byte("GIF89a") },
		"Brand.Color": func(c *portal.Config) { c.Brand.Color = "#ffe000" },
		"Texts": func(c *portal.Config) {
			c.Texts = fstest.MapFS{"de.json": {Data: []byte(`{"no_such_key": "x"}`)}}
		},
	} {
		_, err := newPage(t, change)
		if err == nil || !strings.Contains(err.Error(), "Config."+field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
	for what, file := range map[string]string{
		"no tag": "x y.json", "no JSON": "de.json", "empty": "it.json",
	} {
		content := map[string]string{"x y.json": "{}", "de.json": "[", "it.json": `{"start": ""}`}[file]
		_, err := newPage(t, func(c *portal.Config) { c.Texts = fstest.MapFS{file: {Data: []byte(content)}} })
		if err == nil || !strings.Contains(err.Error(), "Config.Texts:") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := newPage(t, func(c *portal.Config) { c.Brand.Color = "red" }); err == nil {
		t.Error("a color that is no color was taken")
	}
}

// The page allows nothing inline and nothing from elsewhere; only the frame that
// shows a message's HTML may have styles of its own, and it runs no script.
func TestHeadersAreStrict(t *testing.T) {
	t.Parallel()
	p, err := newPage(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := get(p, item, "")
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the page's policy lacks %s", want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("the page's policy allows too much: %s", policy)
	}
	for name, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Vary": "Accept-Language",
	} {
		if w.Header().Get(name) != want {
			t.Errorf("%s is %q", name, w.Header().Get(name))
		}
	}
	body := w.Body.String()
	if strings.Contains(body, "<style") || strings.Contains(body, "style=") || strings.Contains(body, "onclick") || strings.Count(body, "<script") != 1 {
		t.Error("something in the page is inline")
	}
	at := strings.Index(body, "/m/assets/frame.")
	url, _, _ := strings.Cut(body[at:], `"`)
	frame := get(p, url, "").Header().Get("Content-Security-Policy")
	if strings.Contains(frame, "script") || !strings.Contains(frame, "default-src 'none'") || !strings.Contains(frame, "sandbox allow-same-origin allow-popups") {
		t.Errorf("the frame's policy is %s", frame)
	}
}
