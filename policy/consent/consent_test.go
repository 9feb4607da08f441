package consent_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/consent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store that counts.
type memory struct {
	list []policy.Record
	err  error
}

func (m *memory) Find(_ context.Context, q policy.RecordQuery) ([]policy.Record, error) {
	var found []policy.Record
	for _, r := range m.list {
		if r.Tenant == q.Tenant && r.Address == q.Addresses[0] {
			found = append(found, r)
		}
	}
	return found, m.err
}

func (m *memory) Add(_ context.Context, list ...policy.Record) error {
	for i := range list {
		list[i].ID = strconv.Itoa(len(m.list))
		if err := list[i].Check(); err != nil {
			return err
		}
		m.list = append(m.list, list[i])
	}
	return nil
}

func (*memory) All(context.Context, string) iter.Seq2[policy.Record, error] { return nil }

var ada = mail.Address{Name: "Ada Day", Address: "Ada.Marker@Example.org"}

const adaKey = "ada.marker@example.org"

// world is links, handlers and a clock.
type world struct {
	t            *testing.T
	now          time.Time
	links        *consent.Links
	store        *memory
	unsub, optIn http.Handler
	failed       error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 9, 9, 0, 0, 0, time.UTC), store: &memory{}}
	w.links = newLinks(t, 7, func() time.Time { return w.now })
	cfg := consent.HandlerConfig{Tenant: "riverside", Name: "Riverside <Clinic>", Store: w.store, Failed: func(_ context.Context, err error) { w.failed = err }}
	var err error
	if w.unsub, err = w.links.UnsubscribeHandler(cfg); err != nil {
		t.Fatal(err)
	}
	if w.optIn, err = w.links.OptInHandler(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func newLinks(t testing.TB, secret byte, clock func() time.Time) *consent.Links {
	t.Helper()
	l, err := consent.New(consent.Config{
		Secret: bytes.Repeat([]byte{secret}, 32), UnsubscribeURL: "https://mail.clinic.example/unsubscribe",
		OptInURL: "https://mail.clinic.example/opt-in", Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (w *world) unsubscribe() string {
	w.t.Helper()
	link, err := w.links.Unsubscribe("riverside", ada)
	if err != nil {
		w.t.Fatal(err)
	}
	return link
}

func (w *world) optInLink() string {
	w.t.Helper()
	link, err := w.links.OptIn("riverside", ada, "form 2")
	if err != nil {
		w.t.Fatal(err)
	}
	return link
}

const (
	formType = "application/x-www-form-urlencoded"
	oneClick = "List-Unsubscribe=One-Click"
)

func (w *world) do(h http.Handler, method, link, contentType, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, link, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	res := rec.Result()
	defer func() { _ = res.Body.Close() }()
	text := rec.Body.String() + fmt.Sprint(res.Header)
	if strings.Contains(strings.ToLower(text), "marker") || strings.Contains(text, "<Clinic>") {
		w.t.Errorf("the page shows too much: %s", text)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
		if res.Header.Get(name) != want {
			w.t.Errorf("%s is %q", name, res.Header.Get(name))
		}
	}
	if len(res.Cookies()) > 0 || res.Header.Get("Location") != "" {
		w.t.Error("a cookie or a redirect (RFC 8058 section 3.2)")
	}
	return rec
}

func (w *world) expect(h http.Handler, method, link, contentType, body string, status, records int) {
	w.t.Helper()
	if res := w.do(h, method, link, contentType, body); res.Code != status || len(w.store.list) != records {
		w.t.Errorf("%s: status %d and %d records, want %d and %d", method, res.Code, len(w.store.list), status, records)
	}
}

func TestOneClickUnsubscribes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.unsubscribe()
	w.expect(w.unsub, http.MethodPost, link, formType, oneClick, 200, 1)
	got := w.store.list[0]
	if got.Kind != policy.Unsubscribe || got.Address != adaKey || got.Tenant != "riverside" || got.Source != "one-click" || !got.At.Equal(w.now) || got.By != "link" {
		t.Errorf("%+v %q", got, got.Address)
	}
	// Again, by whatever means: nothing more.
	w.now = w.now.Add(time.Hour)
	w.expect(w.unsub, http.MethodPost, link, formType, oneClick, 200, 1)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	if err := errors.Join(m.WriteField("List-Unsubscribe", "One-Click"), m.Close()); err != nil {
		t.Fatal(err)
	}
	w.expect(w.unsub, http.MethodPost, link, m.FormDataContentType(), form.String(), 200, 1)
	// After an opt-in a link that was used works again.
	w.store.list = nil
	w.expect(w.unsub, http.MethodPost, link, m.FormDataContentType(), form.String(), 200, 1)
}

func TestGETChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		w.expect(w.unsub, method, w.unsubscribe()+"&List-Unsubscribe=One-Click", formType, oneClick, 200, 0)
		w.expect(w.optIn, method, w.optInLink()+"&confirm=opt-in", formType, "confirm=opt-in", 200, 0)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "BREW"} {
		w.expect(w.unsub, method, w.unsubscribe(), formType, oneClick, 405, 0)
	}
	res := w.do(w.unsub, http.MethodGet, w.unsubscribe(), "", "")
	page := res.Body.String()
	if !strings.Contains(page, `<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">`) || !strings.Contains(page, "Riverside &lt;Clinic&gt;") {
		t.Error(page)
	}
}

func TestFormsThatDoNotAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string][2]string{
		"nothing":                {formType, ""},
		"another value":          {formType, "List-Unsubscribe=no"},
		"twice":                  {formType, oneClick + "&" + oneClick},
		"no type":                {"", oneClick},
		"JSON":                   {"application/json", oneClick},
		"a form that is broken":  {formType, "%zz"},
		"a long form":            {formType, oneClick + "&x=" + strings.Repeat("x", 1<<20)},
		"multipart, no boundary": {"multipart/form-data", oneClick},
		"multipart, long":        {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n" + strings.Repeat("x", 1<<20)},
		"multipart, another":     {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nOne-Click\r\n--x--"},
	} {
		t.Log(name)
		w.expect(w.unsub, http.MethodPost, w.unsubscribe(), c[0], c[1], 400, 0)
	}
}

func TestForgedTokensDoNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.unsubscribe()
	base, text, _ := strings.Cut(link, "?t=")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(link+string(raw)), "marker") || strings.Contains(string(raw), "riverside") {
		t.Error("the link shows the address or the tenant")
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		w.expect(w.unsub, http.MethodPost, base+"?t="+base64.RawURLEncoding.EncodeToString(bad), formType, oneClick, 400, 0)
	}
	other := newLinks(t, 8, func() time.Time { return w.now })
	foreign, err := other.Unsubscribe("riverside", ada)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := w.links.Unsubscribe("hillside", ada)
	if err != nil {
		t.Fatal(err)
	}
	for name, forged := range map[string]string{
		"another secret": foreign, "another tenant": tenant, "another use": base + "?" + strings.SplitN(w.optInLink(), "?", 2)[1],
		"none": base, "empty": base + "?t=", "two": link + "&t=" + text, "cut": link[:len(link)-1], "longer": link + "A", "no base64": base + "?t=%00%ff",
		"an address": base + "?t=" + url.QueryEscape(ada.Address), "huge": base + "?t=" + strings.Repeat("A", 100_000),
	} {
		if res := w.do(w.unsub, http.MethodPost, forged, formType, oneClick); res.Code != 400 || len(w.store.list) > 0 {
			t.Errorf("%s: status %d, %d records", name, res.Code, len(w.store.list))
		}
	}
	w.expect(w.optIn, http.MethodPost, base+"?t="+text, formType, "confirm=opt-in", 400, 0)
}

func TestLinksEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unsub, optIn := w.unsubscribe(), w.optInLink()
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.expect(w.optIn, http.MethodPost, optIn, formType, "confirm=opt-in", 410, 0)
	w.now = w.now.Add(390 * 24 * time.Hour)
	w.expect(w.unsub, http.MethodGet, unsub, "", "", 200, 0)
	w.now = w.now.Add(3 * 24 * time.Hour)
	w.expect(w.unsub, http.MethodPost, unsub, formType, oneClick, 410, 0)
	w.now = w.now.Add(-1000 * 24 * time.Hour) // a link of the future
	w.expect(w.unsub, http.MethodPost, unsub, formType, oneClick, 410, 0)
}

func TestOptInIsConfirmedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.optInLink()
	w.now = w.now.Add(time.Minute)
	w.expect(w.optIn, http.MethodPost, first, formType, "confirm=opt-in", 200, 1)
	if got := w.store.list[0]; got.Kind != policy.OptIn || got.Wording != "form 2" || got.Source != "confirmed-link" || got.Address != adaKey {
		t.Errorf("%+v", got)
	}
	w.expect(w.optIn, http.MethodPost, first, formType, "confirm=opt-in", 200, 1) // again
	// They unsubscribe; the old link, replayed, brings nothing back.
	w.now = w.now.Add(time.Minute)
	w.expect(w.unsub, http.MethodPost, w.unsubscribe(), formType, oneClick, 200, 2)
	w.now = w.now.Add(time.Minute)
	w.expect(w.optIn, http.MethodPost, first, formType, "confirm=opt-in", 410, 2)
	// A new one does, and takes the unsubscribe back.
	second := w.optInLink()
	w.now = w.now.Add(time.Minute)
	w.expect(w.optIn, http.MethodPost, second, formType, "confirm=opt-in", 200, 4)
	if policy.InForce(w.store.list, policy.Unsubscribe, "", adaKey, w.now) != nil || policy.InForce(w.store.list, policy.OptIn, "", adaKey, w.now) == nil {
		t.Error("the second opt-in is not in force")
	}
	w.now = w.now.Add(time.Minute)
	w.expect(w.unsub, http.MethodPost, w.unsubscribe(), formType, oneClick, 200, 5)
	if policy.InForce(w.store.list, policy.Unsubscribe, "", adaKey, w.now) == nil {
		t.Error("the second unsubscribe is not in force")
	}
}

func TestAStoreThatFailsIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.err = errors.New("down: Marker")
	w.expect(w.unsub, http.MethodPost, w.unsubscribe(), formType, oneClick, 503, 0)
	if w.failed == nil {
		t.Error("nobody was told")
	}
}

func TestNewListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := consent.New(consent.Config{Secret: []byte("marker"), UnsubscribeURL: "http://x.example", OptInURL: "https://x.example/?t=1", UnsubscribeFor: time.Hour, OptInFor: -1})
	for _, want := range []string{"Secret", "UnsubscribeURL", "OptInURL", "UnsubscribeFor", "OptInFor"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "marker") {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
	l := newLinks(t, 1, nil)
	for _, a := range []string{"", "x", "@x", "x@"} {
		if _, err := l.Unsubscribe("riverside", mail.Address{Address: a}); err == nil {
			t.Errorf("a link for %q", a)
		}
	}
	if _, err := l.OptIn("riverside", ada, ""); err == nil {
		t.Error("an opt-in without wording")
	}
	if _, err := l.UnsubscribeHandler(consent.HandlerConfig{}); err == nil {
		t.Error("a handler without a store")
	}
	none, err := consent.New(consent.Config{Secret: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Unsubscribe("riverside", ada); err == nil {
		t.Error("a link without a URL")
	}
}

func TestPrintedFormsHoldNoSecret(t *testing.T) {
	t.Parallel()
	cfg := consent.Config{Secret: []byte("marker4711marker4711")}
	l, err := consent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{cfg, l, *l, consent.HandlerConfig{Store: &memory{list: []policy.Record{{Address: "marker@x.example"}}}}} {
		out, err := json.Marshal(v)
		if err != nil {
			out = nil // a store can't be encoded
		}
		if s := fmt.Sprintf("%v %+v %#v %s", v, v, v, out); strings.Contains(s, "marker") || strings.Contains(s, "6d61726b6572") {
			t.Errorf("%T prints %s", v, s)
		}
	}
}

func FuzzHandler(f *testing.F) {
	now := time.Date(2026, 3, 9, 9, 0, 0, 0, time.UTC)
	l := newLinks(f, 7, func() time.Time { return now })
	link, err := l.Unsubscribe("riverside", ada)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("POST", link, formType, oneClick)
	f.Add("GET", link, "", "")
	f.Add("POST", link[:60], "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--")
	f.Fuzz(func(t *testing.T, method, target, contentType, body string) {
		u, err := url.Parse(target)
		if err != nil {
			return
		}
		store := &memory{}
		h, err := l.UnsubscribeHandler(consent.HandlerConfig{Tenant: "riverside", Store: store})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x.example/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set("Content-Type", contentType)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if len(store.list) > 0 && (method != http.MethodPost || store.list[0].Address != adaKey) {
			t.Errorf("%s %s recorded something", method, target)
		}
	})
}

func Example() {
	links, err := consent.New(consent.Config{Secret: bytes.Repeat([]byte{7}, 32), UnsubscribeURL: "https://mail.clinic.example/unsubscribe"})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := &memory{} // a store of package records in a real program
	handler, err := links.UnsubscribeHandler(consent.HandlerConfig{Tenant: "riverside", Name: "Riverside Clinic", Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	link, err := links.Unsubscribe("riverside", mail.Address{Address: "ada@example.org"}) // List-Unsubscribe: <link>
	if err != nil {
		fmt.Println(err)
		return
	}
	// What a mail provider sends when somebody clicks "unsubscribe".
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, link, strings.NewReader("List-Unsubscribe=One-Click"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, r)
	fmt.Println(answer.Code, store.list[0].Kind)
	// Output: 200 unsubscribe
}
