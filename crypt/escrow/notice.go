package escrow

import (
	"bytes"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode/utf8"

	"github.com/phimail/sdk/crypt"
)

// Notification is what a notification may say. There is nothing of the message in
// it, by construction.
type Notification struct {
	// Sender is the sender's display name, or their domain.
	Sender string
	// Link is the item's link: a secret.
	Link    string
	Expires time.Time
	Factor  Factor
	// Language is a language tag, such as "es".
	Language string
}

// Until is the day on which the item ends, in UTC, as 2026-01-31.
func (n *Notification) Until() string { return n.Expires.UTC().Format(time.DateOnly) }

const notificationSummary = "escrow.Notification{}"

// Format prints nothing of the notification, whatever the verb.
func (*Notification) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, notificationSummary) }

// LogValue logs nothing of the notification.
func (*Notification) LogValue() slog.Value { return slog.StringValue(notificationSummary) }

// MarshalText encodes nothing of the notification.
func (*Notification) MarshalText() ([]byte, error) { return []byte(notificationSummary), nil }

// Notice writes a notification as text and HTML, both with the link. HTML may be
// empty. It is safe for concurrent use; its error is shown to nobody.
type Notice func(n *Notification) (text, html string, err error)

//go:embed notice
var notices embed.FS

// DefaultNotice writes in English, or in Spanish where the language is "es".
func DefaultNotice() Notice {
	byLanguage := map[string]Notice{}
	for _, language := range []string{"en", "es"} {
		text, err1 := notices.ReadFile("notice/" + language + ".txt")
		html, err2 := notices.ReadFile("notice/" + language + ".html")
		n, err3 := NewNotice(string(text), string(html))
		if err := errors.Join(err1, err2, err3); err != nil {
			panic("escrow: the built-in notification is damaged")
		}
		byLanguage[language] = n
	}
	return func(n *Notification) (string, string, error) {
		language, _, _ := strings.Cut(strings.ToLower(n.Language), "-")
		write, ok := byLanguage[language]
		if !ok {
			write = byLanguage["en"]
		}
		return write(n)
	}
}

// NewNotice writes by templates of text/template and html/template, which see a
// [Notification]. html may be empty.
func NewNotice(text, html string) (Notice, error) {
	tt, err := texttemplate.New("text").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, &FieldError{Field: "Notice", Problem: "the text is no template of text/template"}
	}
	ht, err := htmltemplate.New("html").Option("missingkey=error").Parse(html)
	if err != nil {
		return nil, &FieldError{Field: "Notice", Problem: "the HTML is no template of html/template"}
	}
	return func(n *Notification) (string, string, error) {
		var t, h bytes.Buffer
		if err := tt.Execute(&t, n); err != nil {
			return "", "", err
		}
		if html != "" {
			if err := ht.Execute(&h, n); err != nil {
				return "", "", err
			}
		}
		return t.String(), h.String(), nil
	}, nil
}

// maxNotice bounds a notification's text and HTML, in bytes.
const maxNotice = 256 << 10

// writeNotice writes the notification as a MIME entity, 7-bit with CRLF.
func writeNotice(w io.Writer, write Notice, n *Notification) (err error) {
	defer func() {
		if recover() != nil { // of the host's code
			err = &crypt.Error{Reason: crypt.ErrConfig}
		}
	}()
	text, html, err := write(n)
	if err != nil || !strings.Contains(text, n.Link) || len(text)+len(html) > maxNotice ||
		!utf8.ValidString(text+html) || strings.ContainsRune(text+html, 0) {
		return &crypt.Error{Reason: crypt.ErrConfig}
	}
	var b bytes.Buffer
	b.WriteString("MIME-Version: 1.0\r\n")
	if html == "" {
		writePart(&b, "plain", text)
	} else {
		boundary := "=_" + rand.Text()
		fmt.Fprintf(&b, "Content-Type: multipart/alternative; boundary=%q\r\n\r\n--%s\r\n", boundary, boundary)
		writePart(&b, "plain", text)
		fmt.Fprintf(&b, "--%s\r\n", boundary)
		writePart(&b, "html", html)
		fmt.Fprintf(&b, "--%s--\r\n", boundary)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return &crypt.Error{Reason: crypt.ErrWrite}
	}
	return nil
}

// writePart writes a text in quoted-printable, whose lines no mail system alters
// (RFC 2049 section 3): none begins with a dot or "From ".
func writePart(b *bytes.Buffer, subtype, text string) {
	fmt.Fprintf(b, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", subtype)
	var body bytes.Buffer
	q := quotedprintable.NewWriter(&body)
	_, _ = io.WriteString(q, strings.TrimRight(text, "\r\n")+"\n") // neither fails: the buffer does not
	_ = q.Close()
	for line := range bytes.Lines(body.Bytes()) {
		switch {
		case bytes.HasPrefix(line, []byte(".")):
			b.WriteString("=2E")
			line = line[1:]
		case bytes.HasPrefix(line, []byte("From ")):
			b.WriteString("=46")
			line = line[1:]
		}
		b.Write(line)
	}
}
