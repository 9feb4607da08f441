package portal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

//go:embed assets templates
var files embed.FS

// errDamaged can't happen in a build whose tests ran.
var errDamaged = errors.New("portal: the built-in files are damaged")

// assetTypes are what the page is made of.
var assetTypes = map[string]string{
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".jpg":  "image/jpeg",
	".webp": "image/webp",
}

type asset struct {
	content     []byte
	contentType string
}

// page is the page in one language: the same bytes for everybody.
type page struct {
	content  []byte
	language string
}

// pages are the page in every language.
type pages struct {
	all     []page
	matcher language.Matcher
}

// choose picks the language that the reader asked for on the page, or that their
// browser prefers.
func (p *pages) choose(r *http.Request) *page {
	asked := r.URL.Query().Get("lang")
	header := r.Header.Get("Accept-Language")
	const most = 500 // bytes worth looking at
	_, i := language.MatchStrings(p.matcher, asked[:min(len(asked), most)], header[:min(len(header), most)])
	return &p.all[i]
}

// assets are the page's files by the name under which they are served, which
// changes with their content.
type assets struct {
	prefix string
	byName map[string]asset
	urls   map[string]string // by the file's own name
}

func (a *assets) add(name string, content []byte) error {
	ext := path.Ext(name)
	if assetTypes[ext] == "" {
		return errDamaged
	}
	sum := sha256.Sum256(content)
	served := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
	a.urls[name] = a.prefix + "/assets/" + served
	a.byName[served] = asset{content, assetTypes[ext]}
	return nil
}

// logo is the logo's URL, "" if there is none.
func (a *assets) logo(b *Brand) string { return a.urls["logo"+logoType(b.Logo)] }

func newAssets(prefix string, b *Brand) (*assets, error) {
	a := &assets{prefix: prefix, byName: map[string]asset{}, urls: map[string]string{}}
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return nil, errDamaged
	}
	// The frame's page names its stylesheet, which therefore comes first.
	for _, e := range entries {
		content, err := files.ReadFile("assets/" + e.Name())
		if err != nil || a.add(e.Name(), content) != nil {
			return nil, errDamaged
		}
	}
	if len(b.Logo) > 0 {
		if err := a.add("logo"+logoType(b.Logo), b.Logo); err != nil {
			return nil, err
		}
	}
	if err := a.add("brand.css", b.stylesheet()); err != nil {
		return nil, err
	}
	frame, err := render("frame.html", map[string]any{"Assets": a.urls})
	if err != nil {
		return nil, err
	}
	return a, a.add("frame.html", frame)
}

func render(name string, data map[string]any) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(files, "templates/"+name)
	if err != nil {
		return nil, errDamaged
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, errDamaged
	}
	return b.Bytes(), nil
}

// ends are the views in which there is no message, by the key of their texts, and
// the text of the button, if the message can be opened again from there.
func ends() [][2]string {
	return [][2]string{
		{"unknown", ""}, {"expired", ""}, {"recalled", ""}, {"busy", ""}, {"old", ""},
		{"locked", "retry_button"}, {"wrong", "retry_button"}, {"failed", "retry_button"}, {"damaged", "retry_button"},
		{"closed", "again_button"}, {"idle", "again_button"},
	}
}

// build makes everything that is served by GET, once.
func (p *Portal) build() error {
	list, err := catalogs(p.cfg.Texts)
	if err != nil {
		return err
	}
	if p.assets, err = newAssets(p.prefix, &p.cfg.Brand); err != nil {
		return err
	}
	type choice struct{ Tag, Name string }
	var choices []choice
	var tags []language.Tag
	for _, c := range list {
		choices = append(choices, choice{c.tag.String(), c.texts["language"]})
		tags = append(tags, c.tag)
	}
	for _, c := range list {
		texts := c.named(p.cfg.Brand.Name)
		said, err := spoken(texts)
		if err != nil {
			return errDamaged
		}
		content, err := render("page.html", map[string]any{
			"Brand": p.cfg.Brand.Name, "Logo": p.assets.logo(&p.cfg.Brand), "Prefix": p.prefix, "Assets": p.assets.urls,
			"T": texts, "Say": said, "Lang": c.tag.String(), "Languages": choices, "Idle": strconv.FormatInt(p.cfg.IdleLock.Milliseconds(), 10),
			"Ends": ends(),
		})
		if err != nil {
			return err
		}
		p.pages.all = append(p.pages.all, page{content, c.tag.String()})
	}
	p.pages.matcher = language.NewMatcher(tags)
	return nil
}

// The policies of the page, and of the frame that shows a message's HTML: styles
// of the message's own, its own pictures, nothing from anywhere, and no script.
const (
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	framePolicy = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src blob: data:; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)

// secure sets what every answer has.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", pagePolicy)
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
	page := p.pages.choose(r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", page.language)
	w.Header().Set("Vary", "Accept-Language")
	w.Header().Set("Content-Length", strconv.Itoa(len(page.content)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.content) // the reader is gone
	}
}

// notFound is the page too: its script says that this is no link.
func (p *Portal) notFound(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		p.writePage(w, r, http.StatusNotFound)
		return
	}
	p.refuse(w, http.StatusNotFound, "unknown")
}

func (p *Portal) writeAsset(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := p.assets.byName[name]
	if !ok {
		p.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable") // its name changes with it
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(a.content)))
	if path.Ext(name) == ".html" {
		h.Set("Content-Security-Policy", framePolicy)
		h.Set("X-Frame-Options", "SAMEORIGIN")
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.content) // the reader is gone
	}
}
