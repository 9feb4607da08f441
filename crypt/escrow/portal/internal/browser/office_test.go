package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/crypt/escrow/portal"
)

// office seals messages, and serves the page for them.
type office struct {
	t      *testing.T
	store  escrow.Store
	sealer *escrow.Sealer
	desk   *escrow.Desk
	server *httptest.Server
	log    *buffer

	mu     sync.Mutex
	now    time.Time
	events []escrow.Event
	codes  []string
	user   string // who is signed in
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) advance(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *office) record(_ context.Context, events ...escrow.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, events...)
	return nil
}

// recorded counts the events of a kind.
func (o *office) recorded(kind escrow.EventKind) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, e := range o.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func (o *office) signIn(ref string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.user = ref
}

func (o *office) lastCode() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.codes) == 0 {
		o.t.Fatal("no code was sent")
	}
	return o.codes[len(o.codes)-1]
}

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40" width="40" height="40"><circle cx="20" cy="20" r="20" fill="#0b5394"/><path d="M17 9h6v8h8v6h-8v8h-6v-8H9v-6h8z" fill="#fff"/></svg>`

// newOffice serves the page below /m, with a host's login at /login.
func newOffice(t *testing.T, factor escrow.Factor, change func(*portal.Config)) *office {
	t.Helper()
	o := &office{t: t, store: escrowmem.New().Store(), log: &buffer{}, now: time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)}
	var handler http.Handler
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(o.server.Close)
	base := o.server.URL + "/m"
	var err error
	if o.sealer, err = escrow.New(escrow.Config{
		Store: o.store, BaseURL: base, LinkKey: bytes.Repeat([]byte{3}, 32), Record: o.record, Factor: factor,
		Iterations: escrow.MinIterations, Clock: o.clock,
	}); err != nil {
		t.Fatal(err)
	}
	if o.desk, err = escrow.NewDesk(escrow.DeskConfig{Store: o.store, Record: o.record, Clock: o.clock}); err != nil {
		t.Fatal(err)
	}
	gate, err := escrow.NewGate(escrow.GateConfig{
		Store: o.store, Record: o.record, Clock: o.clock, NetworkAttempts: 1000,
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
	cfg := portal.Config{
		Gate: gate, BaseURL: base, Brand: portal.Brand{Name: "Riverside Clinic", Logo: []byte(logo)},
		LoginURL: o.server.URL + "/login?to={return}", Clock: o.clock,
	}
	if factor == escrow.Login {
		cfg.Login = func(*http.Request) (string, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.user, nil
		}
	}
	if change != nil {
		change(&cfg)
	}
	page, err := portal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/m/", page)
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		o.signIn("portal-9")
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusSeeOther)
	})
	handler = mux
	return o
}

// item is a message that was sealed and published.
type item struct {
	escrow.Link

	url      string
	passcode string
}

// send seals a message with a subject; the entity has its own fields.
func (o *office) send(subject, entity string, access crypt.Access) item {
	o.t.Helper()
	return o.sendSized(subject, int64(len(entity)), func() io.Reader { return strings.NewReader(entity) }, access)
}

func (o *office) sendSized(subject string, size int64, entity func() io.Reader, access crypt.Access) item {
	o.t.Helper()
	var out bytes.Buffer
	job := &crypt.Job{
		Tenant: "riverside", MessageID: fmt.Sprintf("%p@clinic.example", &out),
		From: mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		To:   []crypt.Target{{Address: mail.Address{Address: "ada@example.org"}, Ref: "portal-9", Access: access}},
		Header: []crypt.Field{
			{Name: "From", Value: "Riverside Clinic <no-reply@clinic.example>"}, {Name: "To", Value: "Ada Day <ada@example.org>"},
			{Name: "Date", Value: "Mon, 09 Mar 2026 12:00:00 +0000"}, {Name: "Subject", Value: subject},
		},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(entity()), nil }, Size: size,
	}
	sealed, err := o.sealer.Seal(o.t.Context(), &out, job)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := sealed.Publish(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	text := strings.ReplaceAll(out.String(), "=\r\n", "")
	text = strings.ReplaceAll(text, "=3D", "=")
	at := strings.Index(text, o.server.URL)
	if at < 0 {
		o.t.Fatal("the notification has no link")
	}
	url, _, _ := strings.Cut(text[at:], "\r\n")
	link, err := escrow.ParseLink(url)
	if err != nil {
		o.t.Fatal(err)
	}
	return item{link, url, sealed.Passcode}
}

// reads is how often the item was read.
func (o *office) reads(it item) int {
	o.t.Helper()
	list, err := o.desk.Status(o.t.Context(), "riverside", it.ID)
	if err != nil || len(list) != 1 {
		o.t.Fatal(len(list), err)
	}
	return list[0].Reads
}

const plain = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
	"Hello Ada,\r\n\r\nyour biopsy was benign. Nothing more is needed for now; the next check is in a year.\r\n" +
	"You can see the images at https://portal.clinic.example/images?id=7, and call us with questions.\r\n\r\nDr. Lena Ortiz\r\n"

// dot is a red picture of one pixel.
const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="

// rich has HTML with an inline picture, a remote one, what HTML of a hostile
// sender has, and two files with names.
var rich = strings.ReplaceAll(`MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b1"

--b1
Content-Type: multipart/related; boundary="b1x"

--b1x
Content-Type: multipart/alternative; boundary="alt"

--alt
Content-Type: text/plain; charset=utf-8

Your results
--alt
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<html><head><style>h2 { color: #0b5394 } @import url(https://evil.example/x.css);</style><title>no</title></head>
<body onload=3D"parent.stolen=3D1"><h2>Your results, Ada</h2><p id=3D"good">Glucose: <b>92 mg/dL</b> =E2=80=93 normal</p>
<img id=3D"inline" alt=3D"chart" src=3D"cid:chart@clinic" width=3D"40" height=3D"40"><img alt=3D"" src=3D"https://evil.example/track.gif">
<img alt=3D"" src=3D"data:image/svg+xml,<svg/>" onerror=3D"parent.stolen=3D1">
<script>parent.stolen =3D 1; document.body.remove()</script><iframe src=3D"https://evil.example"></iframe>
<form action=3D"https://evil.example"><p>Reply here <input name=3D"q"><button>Send</button></p></form>
<a href=3D"javascript:parent.stolen=3D1">one</a> <a href=3D"https://portal.clinic.example/">portal</a>
<svg><script>parent.stolen=3D1</script></svg><math><mtext></mtext></math><table border=3D"1"><tr><td>HDL</td><td>55</td></tr></table>
<p style=3D"background:url(https://evil.example/bg.png)">styled</p></body></html>
--alt--
--b1x
Content-Type: image/png
Content-ID: <chart@clinic>
Content-Transfer-Encoding: base64

`+dot+`
--b1x--
--b1
Content-Type: text/html; name="=?utf-8?q?..=2F..=2Fr=C3=A9sultats=E2=80=AE.html?="
Content-Disposition: attachment; filename*=utf-8''..%2F..%2Fr%C3%A9sultats%E2%80%AE.html
Content-Transfer-Encoding: base64

PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==
--b1
Content-Type: application/pdf; name="lab.pdf"
Content-Disposition: attachment; filename="lab.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjQK
--b1--
`, "\n", "\r\n")

// french is a language that a host adds.
func french(t *testing.T) fstest.MapFS {
	t.Helper()
	b, err := json.Marshal(map[string]string{"language": "Français", "start_title": "{name} vous a envoyé un message"})
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"fr.json": {Data: b}}
}

// kinds lists what was recorded, each once.
func (o *office) kinds() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []string
	for _, e := range o.events {
		if !slices.Contains(list, string(e.Kind)) {
			list = append(list, string(e.Kind))
		}
	}
	return list
}
