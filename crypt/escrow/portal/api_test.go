package portal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/crypt/escrow/portal"
)

// office is a portal with one message in it, and what it logs.
type office struct {
	portal   *portal.Portal
	store    escrow.Store
	sealer   *escrow.Sealer
	link     escrow.Link
	passcode string

	mu     sync.Mutex
	events []escrow.EventKind
	log    bytes.Buffer
	codes  []string
}

func (o *office) record(_ context.Context, events ...escrow.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range events {
		o.events = append(o.events, e.Kind)
	}
	return nil
}

// recorded counts the events since the last call.
func (o *office) recorded() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.events)
	o.events = nil
	return n
}

// Write takes the log's lines.
func (o *office) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.Write(p)
}

type options struct {
	factor   escrow.Factor
	login    func(*http.Request) (string, error)
	entity   io.Reader
	size     int64
	store    *escrow.Store
	attempts int
}

const plainEntity = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nthe biopsy was benign\r\n"

func newOffice(t testing.TB, opt options) *office {
	t.Helper()
	o := &office{store: escrowmem.New().Store()}
	if opt.store != nil {
		o.store = *opt.store
	}
	var err error
	o.sealer, err = escrow.New(escrow.Config{
		Store: o.store, BaseURL: "https://mail.clinic.example/m", LinkKey: bytes.Repeat([]byte{1}, 32), Record: o.record, Factor: opt.factor,
		Iterations: escrow.MinIterations,
	})
	if err != nil {
		t.Fatal(err)
	}
	gate, err := escrow.NewGate(escrow.GateConfig{
		Store: o.store, Record: o.record, NetworkAttempts: 1 << 20, Attempts: opt.attempts,
		SendCode: func(_ context.Context, _, _, code string) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.codes = append(o.codes, code)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	o.portal, err = portal.New(portal.Config{
		Gate: gate, BaseURL: "https://mail.clinic.example/m", Brand: portal.Brand{Name: "Riverside Clinic"}, Login: opt.login,
		Log: slog.New(slog.NewTextHandler(o, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if opt.entity == nil {
		opt.entity, opt.size = strings.NewReader(plainEntity), int64(len(plainEntity))
	}
	o.link, o.passcode = o.send(t, "1@clinic.example", opt.entity, opt.size)
	return o
}

// send seals and publishes a message.
func (o *office) send(t testing.TB, id string, entity io.Reader, size int64) (escrow.Link, string) {
	t.Helper()
	var notice bytes.Buffer
	sealed, err := o.sealer.Seal(t.Context(), &notice, &crypt.Job{
		MessageID: id, From: mail.Address{Name: "Clinic", Address: "no-reply@clinic.example"},
		To:     []crypt.Target{{Address: mail.Address{Address: "ada@example.org"}, Ref: "portal-9", Access: crypt.Access{LinkEnough: true}}},
		Header: []crypt.Field{{Name: "Subject", Value: "Your biopsy"}},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(entity), nil }, Size: size,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sealed.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.recorded()
	text := strings.ReplaceAll(notice.String(), "=\r\n", "")
	_, after, _ := strings.Cut(text, "https://")
	line, _, _ := strings.Cut(after, "\r\n")
	link, err := escrow.ParseLink("https://" + line)
	if err != nil {
		t.Fatal(err)
	}
	return link, sealed.Passcode
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// do makes a request as the page does, unless change makes it another.
func (o *office) do(method, path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "mail.clinic.example"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	o.portal.ServeHTTP(w, r)
	return w
}

func (o *office) post(t testing.TB, link escrow.Link, action string, body map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	all := map[string]string{"access": b64(link.Access())}
	maps.Copy(all, body)
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return o.do(http.MethodPost, "/m/"+link.ID+"/"+action, string(b), nil)
}

// challenge is what ask answers.
type challenge struct {
	Factor       string `json:"factor"`
	Salt         string `json:"salt"`
	Iterations   int    `json:"iterations"`
	Size         int64  `json:"size"`
	Token        string `json:"token"`
	AttemptsLeft int    `json:"attempts_left"`
}

func (o *office) ask(t testing.TB, link escrow.Link) challenge {
	t.Helper()
	w := o.post(t, link, "ask", nil)
	var c challenge
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return c
}

// proof shows a passcode to a challenge.
func proof(t testing.TB, link escrow.Link, c challenge, passcode string) string {
	t.Helper()
	salt, err := base64.RawURLEncoding.DecodeString(c.Salt)
	if err != nil {
		t.Fatal(err)
	}
	p, err := link.Proof(&escrow.Challenge{Salt: salt, Iterations: c.Iterations}, passcode)
	if err != nil {
		t.Fatal(err)
	}
	return b64(p)
}

func (o *office) open(t testing.TB, link escrow.Link, passcode string) *httptest.ResponseRecorder {
	t.Helper()
	c := o.ask(t, link)
	body := map[string]string{"token": c.Token}
	if c.Factor == "passcode" {
		body["proof"] = proof(t, link, c, passcode)
	}
	return o.post(t, link, "open", body)
}

// read decrypts what open answered.
func read(t testing.TB, link escrow.Link, passcode string, body []byte) string {
	t.Helper()
	if len(body) < 32 {
		t.Fatalf("an answer of %d bytes", len(body))
	}
	plain, err := escrow.Open(bytes.NewReader(body[32:]), link.Secret, escrow.Share(body[:32]), passcode)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheRequestsOfThePage(t *testing.T) {
	t.Parallel()
	o := newOffice(t, options{})
	w := o.open(t, o.link, o.passcode)
	if w.Code != http.StatusOK || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if got := read(t, o.link, o.passcode, w.Body.Bytes()); !strings.Contains(got, "benign") || !strings.HasPrefix(got, "Subject: Your biopsy") {
		t.Errorf("read %q", got)
	}
	for i := range 5 {
		want := http.StatusForbidden
		if i == 4 {
			want = http.StatusLocked
		}
		if w := o.open(t, o.link, "wrong"); w.Code != want {
			t.Errorf("wrong passcode %d: %d %s", i, w.Code, w.Body)
		}
	}
	if w := o.post(t, o.link, "ask", nil); w.Code != http.StatusLocked || w.Body.String() != `{"error":"locked"}` {
		t.Errorf("locked: %d %s", w.Code, w.Body)
	}
	if _, err := o.sealer.Unlock(t.Context(), escrow.Actor{ID: "a"}, "", o.link.ID); err != nil {
		t.Fatal(err)
	}
	if w := o.open(t, o.link, o.passcode); w.Code != http.StatusOK {
		t.Errorf("unlocked: %d %s", w.Code, w.Body)
	}
	if _, err := o.sealer.Recall(t.Context(), escrow.Actor{ID: "a"}, "", o.link.ID); err != nil {
		t.Fatal(err)
	}
	if w := o.post(t, o.link, "ask", nil); w.Code != http.StatusGone || w.Body.String() != `{"error":"recalled"}` {
		t.Errorf("recalled: %d %s", w.Code, w.Body)
	}
}

func TestCodesAndLogin(t *testing.T) {
	t.Parallel()
	o := newOffice(t, options{factor: escrow.Code})
	c := o.ask(t, o.link)
	if w := o.post(t, o.link, "open", map[string]string{"token": c.Token, "code": "1"}); w.Code != http.StatusForbidden || w.Body.String() != `{"error":"no-code"}` {
		t.Errorf("before it was sent: %d %s", w.Code, w.Body)
	}
	if w := o.post(t, o.link, "code", nil); w.Code != http.StatusNoContent {
		t.Errorf("code: %d %s", w.Code, w.Body)
	}
	if w := o.post(t, o.link, "open", map[string]string{"token": c.Token, "code": o.codes[0]}); w.Code != http.StatusOK {
		t.Errorf("open: %d %s", w.Code, w.Body)
	}
	who := ""
	o = newOffice(t, options{factor: escrow.Login, login: func(*http.Request) (string, error) {
		if who == "panic" {
			panic(who)
		}
		return who, nil
	}})
	for name, want := range map[string]int{"": 401, "portal-8": 403, "panic": 503, "portal-9": 200} {
		who = name
		if w := o.open(t, o.link, ""); w.Code != want {
			t.Errorf("login %q: %d %s", name, w.Code, w.Body)
		}
	}
}

// A link scanner: whatever it fetches, nothing is counted, recorded or read.
func TestFetchingChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, options{})
	before, err := o.store.Items.Load(t.Context(), o.link.ID)
	if err != nil {
		t.Fatal(err)
	}
	page := o.do(http.MethodGet, "/m/"+o.link.ID, "", nil)
	other := o.do(http.MethodGet, "/m/"+strings.Repeat("0", 32), "", nil)
	if page.Code != http.StatusOK || page.Body.String() != other.Body.String() {
		t.Error("the page of an item that exists is another")
	}
	var wg sync.WaitGroup
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, "PROPFIND"} {
		for _, path := range []string{"", "/", "/ask", "/open", "/code", "%23" + o.link.Text("")[34:], "?utm=1", "/ask?access=" + b64(o.link.Access())} {
			wg.Go(func() {
				w := o.do(method, "/m/"+o.link.ID+path, "", func(r *http.Request) {
					r.Header.Set("Sec-Purpose", "prefetch")
				})
				get := method == http.MethodGet || method == http.MethodHead
				if w.Code >= 500 || !get && w.Code < 400 || method == http.MethodHead && w.Body.Len() > 0 {
					t.Errorf("%s %s: %d", method, path, w.Code)
				}
			})
		}
	}
	wg.Wait()
	after, err := o.store.Items.Load(t.Context(), o.link.ID)
	if err != nil || after.Version != before.Version || o.recorded() != 0 {
		t.Errorf("something has changed: %v, %v", after, err)
	}
	if w := o.open(t, o.link, o.passcode); w.Code != http.StatusOK {
		t.Errorf("spoilt: %d", w.Code)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, options{})
	access := b64(o.link.Access())
	good := `{"access":"` + access + `"}`
	ask := "/m/" + o.link.ID + "/ask"
	tests := map[string]struct {
		path, body string
		change     func(*http.Request)
		want       int
	}{
		"no body":           {ask, "", nil, 400},
		"no JSON":           {ask, "access=" + access, nil, 400},
		"cut":               {ask, good[:len(good)-2], nil, 400},
		"two objects":       {ask, good + good, nil, 400},
		"another field":     {ask, `{"access":"` + access + `","admin":true}`, nil, 400},
		"a list":            {ask, `[` + good + `]`, nil, 400},
		"no access":         {ask, `{}`, nil, 400},
		"short access":      {ask, `{"access":"` + access[:42] + `"}`, nil, 400},
		"padded access":     {ask, `{"access":"` + access + `="}`, nil, 400},
		"standard base64":   {ask, `{"access":"` + strings.Repeat("+", 43) + `"}`, nil, 400},
		"wrong access":      {ask, `{"access":"` + strings.Repeat("A", 43) + `"}`, nil, 404},
		"unknown item":      {"/m/" + strings.Repeat("0", 32) + "/ask", good, nil, 404},
		"huge":              {ask, `{"access":"` + strings.Repeat("A", 1<<20) + `"}`, nil, 400},
		"deep":              {ask, strings.Repeat(`{"access":`, 1000), nil, 400},
		"a form":            {ask, good, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400},
		"of another site":   {ask, good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 400},
		"of a sibling site": {ask, good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 400},
		"of another origin": {ask, good, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.example") }, 400},
		"of our origin": {ask, good, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://mail.clinic.example")
		}, 200},
		"of no browser":        {ask, good, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, 200},
		"forged token":         {"/m/" + o.link.ID + "/open", `{"access":"` + access + `","token":"` + strings.Repeat("A", 43) + `","proof":"` + strings.Repeat("A", 43) + `"}`, nil, 409},
		"no token":             {"/m/" + o.link.ID + "/open", `{"access":"` + access + `","proof":"` + strings.Repeat("A", 43) + `"}`, nil, 409},
		"no proof":             {"/m/" + o.link.ID + "/open", good, nil, 400},
		"bad proof":            {"/m/" + o.link.ID + "/open", `{"access":"` + access + `","proof":"x"}`, nil, 400},
		"a code for a message": {"/m/" + o.link.ID + "/code", good, nil, 400},
		"another action":       {"/m/" + o.link.ID + "/delete", good, nil, 404},
		"below":                {ask + "/x", good, nil, 404},
		"path trick":           {"/m/" + o.link.ID + "/../" + o.link.ID + "/ask", good, nil, 404},
		"encoded path trick":   {"/m/..%2f..%2fetc%2fpasswd", good, nil, 405},
		"capital id":           {"/m/" + strings.ToUpper(o.link.ID) + "/ask", good, nil, 405},
		"elsewhere":            {"/", good, nil, 404},
	}
	for name, tt := range tests {
		w := o.do(http.MethodPost, tt.path, tt.body, tt.change)
		if w.Code != tt.want || !json.Valid(w.Body.Bytes()) || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), access) {
			t.Errorf("%s: the answer repeats what was sent", name)
		}
	}
	unknown := o.do(http.MethodPost, "/m/"+strings.Repeat("0", 32)+"/ask", good, nil)
	wrong := o.do(http.MethodPost, ask, `{"access":"`+strings.Repeat("A", 43)+`"}`, nil)
	if unknown.Code != wrong.Code || unknown.Body.String() != wrong.Body.String() || fmt.Sprint(unknown.Header()) != fmt.Sprint(wrong.Header()) {
		t.Error("unknown and wrong do not look alike")
	}
	for path, want := range map[string]int{
		"/m/assets/": 404, "/m/assets/../portal.go": 404, "/m/assets/page.js": 404, "/m": 404, "/": 404, "/m/xyz": 404, "/m/" + o.link.ID[:31]: 404,
	} {
		if w := o.do(http.MethodGet, path, "", nil); w.Code != want || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
}

// The log has no path, key, token or text of a peer's.
func TestTheLogTellsNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, options{})
	fragment := strings.SplitN(o.link.Text("https://x.example"), "#", 2)[1]
	c := o.ask(t, o.link)
	o.open(t, o.link, o.passcode)
	o.do(http.MethodGet, "/m/"+o.link.ID+"%23"+fragment, "", nil)
	o.do(http.MethodGet, "/canary", "", func(r *http.Request) { r.Header.Set("User-Agent", "canary") })
	o.do("CANARY", "/m/"+o.link.ID, "", nil)
	log := o.log.String()
	for name, secret := range map[string]string{
		"secret": fragment, "access": b64(o.link.Access()), "token": c.Token, "passcode": o.passcode, "canary": "anary", "capital": "CANARY", "network": "192.0.2",
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds the %s:\n%s", name, log)
		}
	}
	if !strings.Contains(log, "route=open id="+o.link.ID+" status=200") || strings.Count(log, "\n") != 6 {
		t.Errorf("the log is\n%s", log)
	}
}

// FuzzHandler: whatever is asked, there is an answer with a status that fits, and
// nobody gets a message.
func FuzzHandler(f *testing.F) {
	o := newOffice(f, options{})
	access := b64(o.link.Access())
	f.Add("POST", "/m/"+o.link.ID+"/open", `{"access":"`+access+`","token":"x","proof":"`+strings.Repeat("A", 43)+`"}`, "application/json", "same-origin")
	f.Add("POST", "/m/"+o.link.ID+"/ask", `{"access":"`+access+`"}`, "application/json", "cross-site")
	f.Add("GET", "/m/"+o.link.ID+"%23s1.x", "", "", "")
	f.Add("HEAD", "/m/assets/../x", "", "", "none")
	f.Fuzz(func(t *testing.T, method, path, body, contentType, site string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://mail.clinic.example"+path, strings.NewReader(body))
		if err != nil || r.URL.Path == "" {
			return
		}
		r.RemoteAddr = "192.0.2.1:1"
		r.Header["Content-Type"], r.Header["Sec-Fetch-Site"] = []string{contentType}, []string{site}
		w := httptest.NewRecorder()
		o.portal.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 || w.Code >= 500 && w.Code != 503 || w.Header().Get("Content-Type") == "application/octet-stream" {
			t.Errorf("%s %q: %d", method, path, w.Code)
		}
	})
}

func unmarshal(t testing.TB, b []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
}
