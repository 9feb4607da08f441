package compose_test

import (
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-message/textproto"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// reminder is a message of about 2 KiB, text and HTML.
func reminder() *compose.Message {
	m := message()
	m.Text = strings.Repeat("Dear Ana, your appointment is on Monday at half past ten in room four.\n", 12)
	m.HTML = "<html><body><p>" + strings.Repeat("Dear Ana, your appointment is on <b>Monday</b> at half past ten. ", 16) + "Grüße</p></body></html>"
	m.Header = []compose.Field{{Name: "List-Unsubscribe", Value: "<https://clinic.example/u>"}, {Name: "Auto-Submitted", Value: "auto-generated"}}
	return m
}

func BenchmarkCheck(b *testing.B) {
	m := reminder()
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Check(compose.Rules{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewRendering(b *testing.B) {
	m := reminder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compose.NewRendering(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteTo(b *testing.B) {
	r, err := compose.NewRendering(reminder())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGoMessage is go-message's share of the two above: the same fields and
// boundaries around the same, already encoded parts.
func BenchmarkGoMessage(b *testing.B) {
	text, html := []byte(reminder().Text), []byte(reminder().HTML)
	field := []byte("Content-Type: text/plain; charset=utf-8\r\n")
	encoding := []byte("Content-Transfer-Encoding: quoted-printable\r\n")
	b.ReportAllocs()
	for b.Loop() {
		var root textproto.Header
		root.AddRaw(field)
		_ = textproto.WriteHeader(io.Discard, root)
		mw := textproto.NewMultipartWriter(io.Discard)
		_ = mw.SetBoundary("=_ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		for _, part := range [][]byte{text, html} {
			var h textproto.Header
			h.AddRaw(encoding)
			h.AddRaw(field)
			pw, err := mw.CreatePart(h)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = pw.Write(part)
		}
		_ = mw.Close()
	}
}

func BenchmarkAttachment(b *testing.B) {
	const size = 10 << 20
	m := message()
	m.Attachments = []compose.Attachment{{Name: "a.bin", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}}}
	r, err := compose.NewRendering(m)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(size)
	for b.Loop() {
		if _, err := r.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw := render(b, reminder())
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := compose.Parse(strings.NewReader(raw), compose.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
