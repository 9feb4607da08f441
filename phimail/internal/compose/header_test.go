package compose_test

import (
	"mime"
	"net/mail"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func TestSubjectsComeBackExactly(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		"", "Plain", "Appointment on Monday, 3 March at 10:30 (Room 4)", "ends with space ", " begins with space",
		"two  spaces", "tab\there", "Grüße aus der Klinik", "予約のお知らせ：三月三日午前十時半", "Ваш приём подтверждён",
		"emoji 👩‍⚕️🏥 and more", "=?utf-8?q?injected=0D=0ABcc:_x?=", "?=", "=?", "a=?b", "é", "_under_score_", "a=b",
		"\x0b vertical tab", "\u2028line separator", "\u0085next line", strings.Repeat("word ", 60) + "end",
		strings.Repeat("x", 500), strings.Repeat("é", 500), strings.Repeat("例", 500), strings.Repeat(" ", 200) + "x",
		"x" + strings.Repeat(" ", 200) + "x", strings.Repeat("=?", 100), "RFC 2047 (=?utf-8?b?w6k=?=)",
	} {
		m := message()
		m.Subject = subject
		raw := render(t, m)
		if n := longestLine(raw); n > 78 {
			t.Errorf("%.20q: a line has %d bytes", subject, n)
		}
		if got := decodedHeader(t, raw, "Subject"); got != subject {
			t.Errorf("got %q, want %q", got, subject)
		}
		if p := parse(t, raw); p.Subject != subject {
			t.Errorf("Parse got %q, want %q", p.Subject, subject)
		}
	}
}

// decodedHeader unfolds and decodes a field by the letter of RFC 5322 and 2047.
func decodedHeader(tb testing.TB, raw, name string) string {
	tb.Helper()
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	_, value, ok := strings.Cut("\r\n"+head, "\r\n"+name+":")
	if !ok {
		tb.Fatalf("no %s", name)
	}
	for i := 0; i < len(value); i++ {
		if strings.HasPrefix(value[i:], "\r\n") && !strings.HasPrefix(value[i:], "\r\n ") && !strings.HasPrefix(value[i:], "\r\n\t") {
			value = value[:i]
			break
		}
	}
	value = strings.TrimPrefix(strings.ReplaceAll(value, "\r\n", ""), " ")
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		tb.Fatal(err)
	}
	return decoded
}

func TestEncodedWordsAreShortAndWhole(t *testing.T) {
	t.Parallel()
	m := message()
	m.Subject = strings.Repeat("Ünïcödé wörds (with, specials) ", 10)
	m.To[0].Name = m.Subject
	raw := render(t, m)
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	n := 0
	for word := range strings.FieldsSeq(head) {
		if !strings.HasPrefix(word, "=?") {
			continue
		}
		n++
		if len(word) > 75 {
			t.Errorf("encoded word of %d bytes", len(word))
		}
		inner := strings.TrimSuffix(word[len("=?utf-8?q?"):], "?=")
		if strings.ContainsAny(inner, "?()<>,;:\\\"@ ") {
			t.Errorf("%q has characters that a phrase may not hold", word)
		}
		if s, err := new(mime.WordDecoder).Decode(word); err != nil || strings.ContainsRune(s, '\uFFFD') {
			t.Errorf("%q decodes to %q, %v", word, s, err)
		}
	}
	if n < 10 {
		t.Errorf("%d encoded words", n)
	}
}

func TestStructuredValuesAreNotTouched(t *testing.T) {
	t.Parallel()
	long := "<https://clinic.example/unsubscribe?" + strings.Repeat("token", 40) + ">"
	for name, value := range map[string]string{
		"List-Unsubscribe":      long + ", <mailto:unsubscribe@clinic.example?subject=stop>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Auto-Submitted":        "auto-generated",
		"X-Encoded":             "=?utf-8?q?as_it_is?=",
		"X-Tabs":                "a\tb",
		"X-Many":                strings.TrimSpace(strings.Repeat("a-rather-long-word ", 50)),
		"X-Empty":               "",
	} {
		m := message()
		m.Header = []compose.Field{{Name: name, Value: value}}
		raw := render(t, m)
		if strings.Contains(raw, name+":\r\n ") {
			t.Errorf("%s: some servers take a line with nothing but a name for a broken header", name)
		}
		msg, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := msg.Header.Get(name); got != value {
			t.Errorf("%s: got %q, want %q", name, got, value)
		}
	}
}

func TestUnfoldingGivesTheValueBack(t *testing.T) {
	t.Parallel()
	value := "one" + strings.Repeat(" ", 30) + "two\t\t" + strings.Repeat("three ", 30) + "end"
	m := message()
	m.Header = []compose.Field{{Name: "X-Spaces", Value: "  " + value + "\t"}}
	if got := decodedHeader(t, render(t, m), "X-Spaces"); got != value {
		t.Errorf("got %q", got)
	}
}

func TestLongThreadsAreFolded(t *testing.T) {
	t.Parallel()
	m := message()
	for range 100 {
		m.References = append(m.References, "some-long-identifier-of-a-message@mail.clinic.example")
	}
	raw := render(t, m)
	if n := longestLine(raw); n > 78 {
		t.Errorf("a line has %d bytes", n)
	}
	if p := parse(t, raw); len(p.References) != 100 || p.References[99] != m.References[99] {
		t.Errorf("%d references came back", len(p.References))
	}
}
