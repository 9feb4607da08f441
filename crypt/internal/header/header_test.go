package header_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt/internal/header"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHeaderIsReadToItsBlankLine(t *testing.T) {
	t.Parallel()
	want := []header.Field{{Name: "Subject", Value: "one two\tthree"}, {Name: "X", Value: ""}}
	for _, in := range []string{
		"Subject: one\r\n two\r\n\tthree \r\nX:\r\n\r\nbody",
		"Subject: one\n two\n\tthree\nX:\n\nbody",
		"Subject : one two\tthree\r\nX:\n\r\nbody",
	} {
		fields, body, ok := header.Read([]byte(in))
		if !ok || !slices.Equal(fields, want) || in[body:] != "body" {
			t.Errorf("%q: %q, %d, %t", in, fields, body, ok)
		}
	}
	if fields, body, ok := header.Read([]byte("Subject: one two\tthree\r\nX:")); !ok || body != 26 || !slices.Equal(fields, want) {
		t.Errorf("without a body: %q, %d, %t", fields, body, ok)
	}
	if fields, body, ok := header.Read([]byte("\r\nbody")); !ok || body != 2 || len(fields) != 0 {
		t.Errorf("without fields: %q, %d, %t", fields, body, ok)
	}
}

func TestWhatIsNoHeaderIsRefused(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"folded first":  " x: y\r\n\r\n",
		"no colon":      "Subject\r\n\r\n",
		"no name":       ": x\r\n\r\n",
		"space inside":  "Sub ject: x\r\n\r\n",
		"bare CR":       "Subject: x\ry: z\r\n\r\n",
		"CR at the end": "Subject: x\r",
		"NUL":           "Subject: \x00\r\n\r\n",
		"long":          "Subject: " + strings.Repeat("x", header.MaxBytes) + "\r\n\r\n",
		"long fold":     "Subject: " + strings.Repeat("x\r\n ", header.MaxBytes/4) + "\r\n\r\n",
		"many":          strings.Repeat("A: b\r\n", 600) + "\r\n",
		"no end":        strings.Repeat("A: b\r\n", 600),
	} {
		if _, _, ok := header.Read([]byte(in)); ok {
			t.Errorf("%s was read", name)
		}
	}
}

func TestFieldsOfThePartAreToldFromTheMessages(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"MIME-Version": true, "content-type": true, "Content-": true, "Content-X": true,
		"Subject": false, "Content": false, "Contents-Type": false, "X-Content-Type": false,
	} {
		if header.IsStructural(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

func TestOneContentTypeCounts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in, want string
		ok       bool
	}{
		"none":      {"X: y\r\n\r\n", "text/plain", true},
		"one":       {"content-type: Text/HTML; charset=utf-8\r\n\r\n", "text/html", true},
		"two":       {"Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\n", "", false},
		"malformed": {"Content-Type: text/html; =\r\n\r\n", "", false},
		"no slash":  {"Content-Type: text\r\n\r\n", "", false},
	} {
		fields, _, _ := header.Read([]byte(tt.in))
		if got, _, ok := header.MediaType(fields); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %q, %t", name, got, ok)
		}
	}
}

func TestFieldsAreFoldedAndComeBack(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"", "x", strings.Repeat("word ", 60) + "end", "a  b\tc", strings.Repeat("x", 900), "two " + strings.Repeat("x", 900), "Größe",
	} {
		b, ok := header.Append(nil, "Subject", value)
		if !ok {
			t.Fatalf("%q refused", value)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\r\n"), "\r\n") {
			if len(line) > 998 || strings.TrimSpace(line) == "" || len(line) > 78 && strings.Count(strings.TrimSpace(line), " ") > 1 {
				t.Errorf("%q has the line %q", value, line)
			}
		}
		fields, body, ok := header.Read(append(b, "\r\n"...))
		if !ok || len(fields) != 1 || fields[0].Value != value || body != len(b)+2 {
			t.Errorf("%q came back as %q", value, fields)
		}
	}
}

func TestFieldsThatWouldBreakTheHeaderAreRefused(t *testing.T) {
	t.Parallel()
	for _, f := range []header.Field{
		{Name: "", Value: "x"}, {Name: "A b", Value: "x"}, {Name: "A:", Value: "x"}, {Name: "Ä", Value: "x"},
		{Name: "A", Value: "x\r\nBcc: y"}, {Name: "A", Value: "x\ny"}, {Name: "A", Value: "x\x00"}, {Name: "A", Value: "\x7f"},
		{Name: "A", Value: strings.Repeat("x", 999)},
	} {
		if b, ok := header.Append(nil, f.Name, f.Value); ok {
			t.Errorf("wrote %q", b)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"A: b\r\n c\r\n\r\nbody", "Content-Type: text/plain; hp=\"cipher\"\n\n", " x", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		fields, body, ok := header.Read(in)
		if !ok {
			return
		}
		if body > len(in) {
			t.Fatal("the body begins after the end")
		}
		header.MediaType(fields)
		for _, field := range fields {
			b, ok := header.Append(nil, field.Name, field.Value)
			if !ok {
				continue
			}
			again, _, ok := header.Read(b)
			if !ok || len(again) != 1 || again[0] != field {
				t.Fatalf("%q became %q", field, again)
			}
		}
	})
}

func Example() {
	fields, body, ok := header.Read([]byte("Content-Type: text/plain\r\n\r\nHello"))
	fmt.Println(fields, body, ok)
	// Output: [{Content-Type text/plain}] 28 true
}
