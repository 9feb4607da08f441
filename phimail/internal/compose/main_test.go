package compose_test

import (
	"bytes"
	"io"
	"net/mail"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// message returns a message that is complete but for a body.
func message() *compose.Message {
	return &compose.Message{
		From:      mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		To:        []mail.Address{{Name: "Ana Gómez", Address: "ana@home.example"}},
		Subject:   "Your appointment",
		Date:      time.Date(2026, 3, 2, 9, 30, 0, 0, time.FixedZone("", -5*3600)),
		MessageID: "m1@clinic.example",
	}
}

func attachment(name, content string) compose.Attachment {
	return compose.Attachment{Name: name, Open: opener(content)}
}

func opener(content string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}

// render writes m and checks what must hold for every message.
func render(tb testing.TB, m *compose.Message) string {
	tb.Helper()
	r, err := compose.NewRendering(m)
	if err != nil {
		tb.Fatalf("NewRendering: %v", err)
	}
	var b bytes.Buffer
	n, err := r.WriteTo(&b)
	if err != nil {
		tb.Fatalf("WriteTo: %v", err)
	}
	if n != int64(b.Len()) {
		tb.Errorf("WriteTo = %d, wrote %d", n, b.Len())
	}
	checkWire(tb, b.String(), r.SMTPUTF8())
	return b.String()
}

// checkWire fails unless raw survives any relay: CRLF line ends, no line over
// 998 bytes, 7-bit (but for a header that needs RFC 6532), no NUL.
func checkWire(tb testing.TB, raw string, wideHeader bool) {
	tb.Helper()
	head, body, ok := strings.Cut(raw, "\r\n\r\n")
	if !ok {
		tb.Errorf("no blank line after the header")
	}
	if !strings.HasSuffix(raw, "\r\n") {
		tb.Errorf("the message doesn't end with a line end")
	}
	for i, line := range strings.Split(strings.TrimSuffix(raw, "\r\n"), "\r\n") {
		if len(line) > 998 {
			tb.Errorf("line %d has %d bytes", i, len(line))
		}
		if strings.ContainsAny(line, "\r\n\x00") {
			tb.Errorf("line %d has a bare CR, LF or NUL", i)
		}
	}
	if !sevenBit(body) || !wideHeader && !sevenBit(head) {
		tb.Errorf("8-bit content")
	}
	for i, line := range strings.Split(head, "\r\n") {
		if strings.TrimSpace(line) == "" {
			tb.Errorf("header line %d is blank", i)
		}
	}
}

func sevenBit(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// longestLine returns the length of the longest line.
func longestLine(raw string) int {
	longest := 0
	for line := range strings.SplitSeq(raw, "\r\n") {
		longest = max(longest, len(line))
	}
	return longest
}

func lf(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
