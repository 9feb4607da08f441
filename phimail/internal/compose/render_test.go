package compose_test

import (
	"bytes"
	"errors"
	"io"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func TestMessageHasTheStructureThatClientsExpect(t *testing.T) {
	t.Parallel()
	image := attachment("logo.png", "\x89PNG")
	image.ContentID = "logo"
	file := attachment("eob.pdf", "%PDF")
	tests := map[string]struct {
		text, html string
		files      []compose.Attachment
		want       []leaf
	}{
		"nothing": {want: []leaf{{mediaType: "text/plain"}}},
		"text":    {text: "Hello", want: []leaf{{mediaType: "text/plain", content: "Hello\r\n"}}},
		"html":    {html: "<p>Hi</p>", want: []leaf{{mediaType: "text/html", content: "<p>Hi</p>\r\n"}}},
		"text and html": {text: "Hello", html: "<p>Hi</p>", want: []leaf{
			{path: "alternative", mediaType: "text/plain", content: "Hello"},
			{path: "alternative", mediaType: "text/html", content: "<p>Hi</p>"},
		}},
		"file": {files: []compose.Attachment{file}, want: []leaf{
			{mediaType: "application/pdf", disposition: "attachment", fileName: "eob.pdf", content: "%PDF"},
		}},
		"text and file": {text: "Hello", files: []compose.Attachment{file}, want: []leaf{
			{path: "mixed", mediaType: "text/plain", content: "Hello"},
			{path: "mixed", mediaType: "application/pdf", disposition: "attachment", fileName: "eob.pdf", content: "%PDF"},
		}},
		"html and image": {html: "<p>Hi</p>", files: []compose.Attachment{image}, want: []leaf{
			{path: "related", mediaType: "text/html", content: "<p>Hi</p>"},
			{path: "related", mediaType: "image/png", disposition: "inline", fileName: "logo.png", contentID: "logo", content: "\x89PNG"},
		}},
		"image without html": {text: "Hello", files: []compose.Attachment{image}, want: []leaf{
			{path: "mixed", mediaType: "text/plain", content: "Hello"},
			{path: "mixed", mediaType: "image/png", disposition: "attachment", fileName: "logo.png", contentID: "logo", content: "\x89PNG"},
		}},
		"all": {text: "Hello", html: "<p>Hi</p>", files: []compose.Attachment{file, image}, want: []leaf{
			{path: "mixed/alternative", mediaType: "text/plain", content: "Hello"},
			{path: "mixed/alternative/related", mediaType: "text/html", content: "<p>Hi</p>"},
			{path: "mixed/alternative/related", mediaType: "image/png", disposition: "inline", fileName: "logo.png", contentID: "logo", content: "\x89PNG"},
			{path: "mixed", mediaType: "application/pdf", disposition: "attachment", fileName: "eob.pdf", content: "%PDF"},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message()
			m.Text, m.HTML, m.Attachments = tt.text, tt.html, tt.files
			if got := readLeaves(t, render(t, m)); !slices.Equal(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestHeaderIsInCustomaryOrder(t *testing.T) {
	t.Parallel()
	m := message()
	m.Cc = []mail.Address{{Address: "cc@home.example"}}
	m.ReplyTo = []mail.Address{{Address: "desk@clinic.example"}}
	m.InReplyTo = []string{"q@home.example"}
	m.References = []string{"p@home.example", "q@home.example"}
	m.Header = []compose.Field{{Name: "List-Unsubscribe", Value: "<https://clinic.example/u?a=1&b=2>, <mailto:u@clinic.example>"}, {Name: "X-Ticket", Value: "Grüße"}}
	m.Text = "Hello"
	got, _, _ := strings.Cut(render(t, m), "\r\n\r\n")
	want := crlf(`Date: Mon, 02 Mar 2026 09:30:00 -0500
From: Riverside Clinic <no-reply@clinic.example>
To: =?utf-8?q?Ana_G=C3=B3mez?= <ana@home.example>
Cc: cc@home.example
Reply-To: desk@clinic.example
Subject: Your appointment
Message-ID: <m1@clinic.example>
In-Reply-To: <q@home.example>
References: <p@home.example> <q@home.example>
List-Unsubscribe: <https://clinic.example/u?a=1&b=2>,
 <mailto:u@clinic.example>
X-Ticket: =?utf-8?b?R3LDvMOfZQ==?=
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit`)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNobodyVisibleIsUndisclosed(t *testing.T) {
	t.Parallel()
	m := message()
	m.To = nil
	raw := render(t, m)
	if !strings.Contains(raw, "\r\nTo: undisclosed-recipients:;\r\n") {
		t.Errorf("no recipient field:\n%s", raw)
	}
}

func TestWritingsAreTheSameAndBoundariesNot(t *testing.T) {
	t.Parallel()
	m := message()
	m.Text, m.HTML = "Hello", "<p>Hi</p>"
	m.Attachments = []compose.Attachment{attachment("a.txt", strings.Repeat("line\n", 1000))}
	r, err := compose.NewRendering(m)
	if err != nil {
		t.Fatal(err)
	}
	outs := make([]bytes.Buffer, 4)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() { _, _ = r.WriteTo(&outs[i]) })
	}
	wg.Wait()
	for i := range outs {
		if !bytes.Equal(outs[i].Bytes(), outs[0].Bytes()) {
			t.Errorf("writing %d differs", i)
		}
	}
	if again := render(t, m); again == outs[0].String() {
		t.Error("two renderings have the same boundaries")
	}
	var parts bytes.Buffer
	if err := errors.Join(r.WriteHeader(&parts), r.WriteEntity(&parts)); err != nil || parts.String() != outs[0].String() {
		t.Errorf("header and entity don't make the message: %v", err)
	}
}

func TestAttachmentFailuresNameTheFileByNumberOnly(t *testing.T) {
	t.Parallel()
	secret := errors.New("open /charts/jane-doe.pdf: no such file")
	tests := map[string]func() (io.ReadCloser, error){
		"open": func() (io.ReadCloser, error) { return nil, secret },
		"nil":  func() (io.ReadCloser, error) { return nil, nil },
		"read": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("x"), broken{secret})), nil
		},
		"close": func() (io.ReadCloser, error) { return closeFails{strings.NewReader("x"), secret}, nil },
	}
	for name, open := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message()
			m.Attachments = []compose.Attachment{attachment("ok.txt", ""), {Name: "jane-doe.pdf", Open: open}}
			r, err := compose.NewRendering(m)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.WriteTo(io.Discard)
			fault, ok := errors.AsType[*compose.FaultError](err)
			if !ok || fault.Field != "Attachments[1]" {
				t.Errorf("err = %v", err)
			}
			if strings.Contains(err.Error(), "jane") || errors.Is(err, secret) {
				t.Errorf("%v tells the name", err)
			}
		})
	}
}

func TestWriterErrorIsPassedOn(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	m := message()
	m.Text, m.HTML = "Hello", strings.Repeat("é", 9000)
	m.Attachments = []compose.Attachment{attachment("a.bin", strings.Repeat("x", 9000))}
	whole := len(render(t, m))
	r, err := compose.NewRendering(m)
	if err != nil {
		t.Fatal(err)
	}
	for left := 0; left < whole; left += 97 {
		if _, err := r.WriteTo(&fillingWriter{left: left, err: full}); !errors.Is(err, full) {
			t.Fatalf("after %d bytes: err = %v", left, err)
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

type closeFails struct {
	io.Reader

	err error
}

func (c closeFails) Close() error { return c.err }

type fillingWriter struct {
	left int
	err  error
}

func (f *fillingWriter) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, f.err
	}
	f.left -= len(p)
	return len(p), nil
}
