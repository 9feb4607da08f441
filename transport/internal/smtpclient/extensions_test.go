package smtpclient

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestExtensionsAreReadWhateverTheirCase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want Extensions
	}{
		{"STARTTLS", Extensions{StartTLS: true}},
		{"startTLS junk", Extensions{StartTLS: true}},
		{"XXXXXXXA", Extensions{}},
		{"STARTTLSX", Extensions{}},
		{"", Extensions{}},
		{"SIZE", Extensions{Size: true}},
		{"SIZE 0", Extensions{Size: true}},
		{"size 35882577", Extensions{Size: true, SizeLimit: 35882577}},
		{"SIZE -1", Extensions{Size: true}},
		{"SIZE 12x", Extensions{Size: true}},
		{"SIZE 99999999999999999999999999999", Extensions{Size: true, SizeLimit: 1 << 56}},
		{"AUTH PLAIN login  XOAUTH2 SCRAM-SHA-256", Extensions{Plain: true, Login: true, XOAuth2: true}},
		{"AUTH", Extensions{}},
		{"LIMITS RCPTMAX=10 MAILMAX=5 RCPTDOMAINMAX=1", Extensions{RcptMax: 10, MailMax: 5}},
		{"LIMITS RCPTMAX=0 MAILMAX=x", Extensions{}},
		{"pipelining", Extensions{Pipelining: true}},
		{"CHUNKING", Extensions{Chunking: true}},
		{"8bitmime", Extensions{EightBitMIME: true}},
		{"SMTPUTF8", Extensions{SMTPUTF8: true}},
		{"REQUIRETLS", Extensions{RequireTLS: true}},
		{"DSN", Extensions{DSN: true}},
		{"ENHANCEDSTATUSCODES", Extensions{EnhancedCodes: true}},
	} {
		var e Extensions
		if e.add([]byte(c.line)); e != c.want {
			t.Errorf("%q: %+v, want %+v", c.line, e, c.want)
		}
	}
}

func TestExtensionNamesAreOurs(t *testing.T) {
	t.Parallel()
	var e Extensions
	for _, line := range []string{"pipelining", "X-EVIL \x1b[31m", "size 5", "auth plain", "limits rcptmax=3"} {
		e.add([]byte(line))
	}
	if got := e.Names(); !slices.Equal(got, []string{"PIPELINING", "SIZE", "LIMITS", "AUTH PLAIN"}) {
		t.Errorf("names %q", got)
	}
}

func FuzzExtensions(f *testing.F) {
	f.Add([]byte("SIZE 1000\nAUTH PLAIN LOGIN\nLIMITS RCPTMAX=5"))
	f.Add([]byte("size 99999999999999999999\nLIMITS MAILMAX==\nAUTH=PLAIN"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var e, again Extensions
		for line := range bytes.SplitSeq(in, []byte("\n")) {
			e.add(line)
			again.add(bytes.ToUpper(line))
		}
		if e.SizeLimit < 0 || e.RcptMax < 0 || e.MailMax < 0 || e.RcptMax > 1<<30 || e.MailMax > 1<<30 {
			t.Errorf("out of range: %+v", e)
		}
		for _, name := range e.Names() {
			if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("name %q", name)
			}
		}
		if ascii(string(in)) && e != again {
			t.Errorf("case matters: %+v and %+v", e, again)
		}
	})
}
