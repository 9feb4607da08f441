package compose_test

import (
	"bytes"
	"io"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// smallLimits keep a fuzz target fast and reach the bounds.
var smallLimits = compose.Limits{MaxBytes: 64 << 10, MaxHeaderBytes: 16 << 10, MaxFields: 50, MaxDepth: 4, MaxParts: 20}

// FuzzParse checks that what Parse accepts can be built, survives any relay, and
// is read back as the same message.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		ready, crlf(ready), signed, crlf(signed), structured, crlf(structured),
		"To: a@b.example\n\n\xe9\n", "Content-Type: text/plain; name=\"\xc3\xa9\"\n\nx", "\n", "Subject:\n =?utf-8?q?=00?=\n\nx",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--", "Content-Type: message/rfc822\n\nSubject: \xc3\xa9\n\nx",
		"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nAAAA\n",
		"Content-Transfer-Encoding: quoted-printable\n\n=",
		"To: \"a b\"@b.example, g: =?utf-8?b?w6k=?= <c@d>;\nX-A: \xc3\xa9\n\nx",
		"Content-Type: text/html; charset=x\nContent-Disposition: attachment; filename*0*=utf-8''%C3; filename*1*=%A9\n\n\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := compose.Parse(bytes.NewReader(raw), smallLimits)
		if err != nil {
			if len(faultsOf(err)) == 0 {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		out := render(t, rebuild(p))
		again, err := compose.Parse(strings.NewReader(out), compose.Limits{})
		if err != nil {
			t.Fatalf("not read back: %v\n%q", err, out)
		}
		if !slices.Equal(again.To, p.To) || !slices.Equal(again.Cc, p.Cc) || !slices.Equal(again.ReplyTo, p.ReplyTo) || len(again.Bcc) > 0 {
			t.Errorf("recipients %q became %q", p.To, again.To)
		}
		if again.Subject != strings.TrimSpace(p.Subject) && again.Subject != p.Subject {
			t.Errorf("subject %q became %q", p.Subject, again.Subject)
		}
		if again.Entity.Protected() != p.Entity.Protected() {
			t.Error("protection changed")
		}
		text, html, files := p.Entity.Content()
		text2, html2, files2 := again.Entity.Content()
		if unreadable(files) {
			return // the final line end that it lacked may have made it readable
		}
		if strings.TrimSpace(text) != strings.TrimSpace(text2) || strings.TrimSpace(html) != strings.TrimSpace(html2) || len(files) != len(files2) {
			t.Errorf("content changed: %q, %q, %d files; %q, %q, %d files", text, html, len(files), text2, html2, len(files2))
		}
	})
}

// unreadable reads all files, and reports whether one of them can't be.
func unreadable(files []compose.Attachment) bool {
	found := false
	for _, file := range files {
		r, err := file.Open()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		found = found || err != nil
	}
	return found
}

// FuzzHeader checks that whatever Check accepts comes back and brings no field of
// its own.
func FuzzHeader(f *testing.F) {
	f.Add("Subject", "X-A", "value", "Name")
	f.Add("Grüße\t ", "List-Unsubscribe", "<https://a.example>, <mailto:b@c>", "=?utf-8?q?x?=")
	f.Add(strings.Repeat("x ", 300), "Zoo", strings.Repeat("例", 100), "a\"\\b")
	f.Fuzz(func(t *testing.T, subject, name, value, display string) {
		m := message()
		m.Subject, m.To[0].Name = subject, display
		m.Header = []compose.Field{{Name: name, Value: value}}
		if m.Check(compose.Rules{AllowHeaders: []string{name}}) != nil {
			return
		}
		raw := render(t, m)
		if got := decodedHeader(t, raw, "Subject"); got != subject {
			t.Errorf("subject %q became %q", subject, got)
		}
		msg, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if to, err := msg.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Name != display || to[0].Address != m.To[0].Address {
			t.Errorf("recipient %q became %q, %v", display, to, err)
		}
		if len(msg.Header) != 9 {
			t.Errorf("%d fields in\n%s", len(msg.Header), raw)
		}
	})
}

// FuzzFileName checks that a name that Check accepts is read back harmless.
func FuzzFileName(f *testing.F) {
	for _, s := range []string{"a.pdf", `..\..\ü.pdf`, "a\u202eb", "\"", "=?utf-8?q?a?=", "a'b%c*", strings.Repeat("é", 120)} {
		f.Add(s, "text/plain; charset=\"a b\"", "id@x")
	}
	f.Fuzz(func(t *testing.T, name, contentType, id string) {
		m := message()
		m.Attachments = []compose.Attachment{{Name: name, ContentType: contentType, ContentID: id, Open: opener("x")}}
		if m.Check(compose.Rules{}) != nil {
			return
		}
		leaves := readLeaves(t, render(t, m))
		if len(leaves) != 1 || leaves[0].content != "x" || leaves[0].contentID != id {
			t.Fatalf("got %+v", leaves)
		}
		got := leaves[0].fileName
		if strings.ContainsAny(got, "/\\\r\n\x00\x1b\u202e\u2066") || strings.HasPrefix(got, ".") || strings.Contains(got, "=?") {
			t.Errorf("%q became %q", name, got)
		}
		if name != "" && got == "" {
			t.Errorf("%q was lost", name)
		}
	})
}

// FuzzAddress checks that an address has one form, that nothing of it can end a
// command or a field, and that the header carries it.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"ana@home.example", `"a b"@home.example`, "jürgen@bücher.example", "a@xn--bcher-kva.example", `"\""@b`, "a@[::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := compose.NormalizeAddress(mail.Address{Address: s})
		if err != nil {
			return
		}
		if again, err := compose.NormalizeAddress(a); err != nil || again != a {
			t.Fatalf("%q is %q, then %q, %v", s, a.Address, again.Address, err)
		}
		if strings.ContainsAny(a.Address, "\r\n\x00<>") && !strings.HasPrefix(a.Address, `"`) || len(a.Address) > 254 {
			t.Fatalf("%q became %q", s, a.Address)
		}
		m := message()
		m.Date = time.Unix(0, 0)
		m.To = []mail.Address{{Address: s}}
		p := parse(t, render(t, m))
		if len(p.To) != 1 || p.To[0] != a {
			t.Errorf("%q became %q", a.Address, p.To)
		}
	})
}
