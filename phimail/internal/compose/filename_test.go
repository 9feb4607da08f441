package compose_test

import (
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func TestFileNamesAreHarmless(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"eob.pdf":                            "eob.pdf",
		"Lab result, 3 March.pdf":            "Lab result, 3 March.pdf",
		"../../etc/passwd":                   "passwd",
		`C:\Users\me\chart.pdf`:              "chart.pdf",
		"invoice\u202efdp.exe":               "invoicefdp.exe",
		"\u2066a\u2069\u200f.txt":            "a.txt",
		"bell\x07esc\x1b.txt":                "bellesc.txt",
		".htaccess":                          "htaccess",
		"trailing. . ":                       "trailing",
		`quote".pdf`:                         `quote".pdf`,
		"Befund Müller.pdf":                  "Befund Müller.pdf",
		"検査結果.pdf":                           "検査結果.pdf",
		"=?utf-8?q?x?=.pdf":                  "=_utf-8?q?x?=.pdf",
		"a%20b'c*.pdf":                       "a%20b'c*.pdf",
		"semi;colon=1.pdf":                   "semi;colon=1.pdf",
		strings.Repeat("长", 80) + ".pdf":     strings.Repeat("长", 80) + ".pdf",
		strings.Repeat("long-", 48) + ".pdf": strings.Repeat("long-", 48) + ".pdf",
	}
	for in, want := range tests {
		m := message()
		m.Attachments = []compose.Attachment{attachment(in, "x")}
		raw := render(t, m)
		leaves := readLeaves(t, raw)
		if len(leaves) != 1 || leaves[0].fileName != want {
			t.Errorf("%q: got %q, want %q, in\n%s", in, leaves[0].fileName, want, raw)
		}
		if n := longestLine(raw); n > 78 && isASCII(want) == (len(want) < 60) {
			t.Errorf("%q: a line has %d bytes", in, n)
		}
		_, _, files := parse(t, raw).Entity.Content()
		if len(files) != 1 || files[0].Name != want {
			t.Errorf("%q: Parse got %q", in, files[0].Name)
		}
	}
}

func isASCII(s string) bool { return sevenBit(s) }

func TestOldClientsFindAReadableName(t *testing.T) {
	t.Parallel()
	m := message()
	m.Attachments = []compose.Attachment{attachment("Befund Müller – 検査.pdf", "x")}
	raw := render(t, m)
	for _, want := range []string{
		"Content-Type: application/pdf; name=\"Befund Muller _ _.pdf\"\r\n",
		"Content-Disposition: attachment;\r\n filename*0*=utf-8''Befund%20M%C3%BCller%20%E2%80%93%20",
	} {
		if !strings.Contains(raw, want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
}

func TestAttachmentTypes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, contentType, want string }{
		{"a.PDF", "", "application/pdf"},
		{"a.txt", "", "text/plain"},
		{"a.docx", "", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"a.unknown", "", "application/octet-stream"},
		{"pdf", "", "application/octet-stream"},
		{"a.pdf", "application/X-Thing", "application/x-thing"},
		// Its own type may not be encoded.
		{"forwarded.eml", "message/rfc822", "application/octet-stream"},
		{"forwarded.eml", "", "application/octet-stream"},
	}
	for _, tt := range tests {
		m := message()
		a := attachment(tt.name, "one\ntwo\r\n\x00\xff")
		a.ContentType = tt.contentType
		m.Attachments = []compose.Attachment{a}
		leaves := readLeaves(t, render(t, m))
		if leaves[0].mediaType != tt.want || leaves[0].content != "one\ntwo\r\n\x00\xff" {
			t.Errorf("%+v: got %+v", tt, leaves[0])
		}
	}
}

func TestParametersOfAttachmentsSurvive(t *testing.T) {
	t.Parallel()
	m := message()
	a := attachment("visit.ics", "BEGIN:VCALENDAR")
	a.ContentType = `text/calendar; method=REQUEST; charset=utf-8; x-note="a b; c"; name=other`
	m.Attachments = []compose.Attachment{a}
	raw := render(t, m)
	want := crlf("Content-Type: text/calendar; charset=utf-8; method=REQUEST; x-note=\"a b; c\";\n name=visit.ics\n")
	if !strings.Contains(raw, want) {
		t.Errorf("got\n%s", raw)
	}
}
