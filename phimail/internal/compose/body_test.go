package compose_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func TestTextsComeBackExactly(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"plain":           "Dear Ana,\n\nyour visit is on Monday.\n",
		"no last newline": "Hello",
		"only newlines":   "\n\n\n",
		"trailing spaces": "a \nb\t\n \n  ",
		"from lines":      "From the desk of\nFrom\n>From x\n",
		"dots":            ".\n..\n.hidden\n" + strings.Repeat("x", 74) + ".end\n",
		"equals":          "a=b=\n=3D\n=",
		"long line":       strings.Repeat("word ", 400),
		"long word":       strings.Repeat("x", 2000),
		"long wide":       strings.Repeat("é", 1500),
		"fold at dot":     strings.Repeat("y", 75) + ".\n" + strings.Repeat("z", 75) + "From here",
		"fold at space":   strings.Repeat("y", 74) + "  \n" + strings.Repeat("y", 75) + " \n" + strings.Repeat("y", 76) + " ",
		"japanese":        strings.Repeat("予約のお知らせ。\n", 40),
		"controls":        "bell\x07 esc\x1b[0m del\x7f form\x0cfeed",
		"boundary":        "--=_AAAA\n--=_AAAA--\n",
		"separators":      "a\u2028b\u0085c",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkTexts(t, text, "<p>"+text+"</p>")
		})
	}
}

// checkTexts sends both and reads them back. The line ends become CRLF.
func checkTexts(t *testing.T, text, html string) {
	t.Helper()
	m := message()
	m.Text, m.HTML = text, html
	raw := render(t, m)
	if n := longestLine(raw); n > 78 {
		t.Errorf("a line has %d bytes", n)
	}
	_, body, _ := strings.Cut(raw, "\r\n\r\n")
	for line := range strings.SplitSeq(body, "\r\n") {
		if strings.HasPrefix(line, "From ") || strings.HasPrefix(line, ".") || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
			t.Errorf("a relay or a mailbox would change the line %q", line)
		}
	}
	want := []string{canonical(text), canonical(html)}
	if text == "" {
		want = want[1:]
	}
	for i, l := range readLeaves(t, raw) {
		if l.content != want[i] {
			t.Errorf("got %q, want %q", l.content, want[i])
		}
	}
}

func canonical(s string) string {
	return crlf(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
}

func TestLineEndsBecomeCRLF(t *testing.T) {
	t.Parallel()
	m := message()
	m.Text = "a\nb\rc\r\nd\r\r\ne\n\rf"
	m.HTML = "x"
	if got := readLeaves(t, render(t, m))[0].content; got != "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n\r\nf" {
		t.Errorf("got %q", got)
	}
}

func TestEncodingSuitsTheText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Short ASCII.\n":                 "7bit",
		strings.Repeat("x", 76):          "7bit",
		strings.Repeat("x", 77):          "quoted-printable",
		"Grüße aus der Klinik Riverside": "quoted-printable",
		"予約のお知らせ":                        "base64",
		"From me":                        "quoted-printable",
		"ends with space \n":             "quoted-printable",
	} {
		m := message()
		m.Text = text
		if raw := render(t, m); !strings.Contains(raw, "\r\nContent-Transfer-Encoding: "+want+"\r\n") {
			t.Errorf("%q: not %s:\n%s", text, want, raw)
		}
	}
}

func TestAttachmentsComeBackExactly(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 2, 3, 56, 57, 58, 57*64 - 1, 57 * 64, 57*64 + 1, 100_000} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		m := message()
		m.Text = "x"
		// A reader that yields little at a time.
		m.Attachments = []compose.Attachment{{Name: "a.bin", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(dribble{bytes.NewReader(data)}), nil
		}}}
		raw := render(t, m)
		if n := longestLine(raw); n > 78 {
			t.Errorf("%d bytes: a line has %d", size, n)
		}
		if leaves := readLeaves(t, raw); leaves[1].content != string(data) {
			t.Errorf("%d bytes came back as %d", size, len(leaves[1].content))
		}
	}
}

type dribble struct{ r io.Reader }

func (d dribble) Read(p []byte) (int, error) { return d.r.Read(p[:min(len(p), 7)]) }

func TestAttachmentsAreStreamed(t *testing.T) { //nolint:paralleltest // measures what the process allocates
	const size = 10 << 20
	m := message()
	m.Attachments = []compose.Attachment{{Name: "a.bin", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}}}
	r, err := compose.NewRendering(m)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := r.WriteTo(io.Discard)
	runtime.ReadMemStats(&after)
	if err != nil || n < size*4/3 {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	// Not the live heap but everything ever allocated, so that no collection
	// can hide it.
	if used := after.TotalAlloc - before.TotalAlloc; used > 256<<10 {
		t.Errorf("%d bytes allocated", used)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestRandomMessagesComeBackExactly(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	alphabet := []rune("aA .=-_\n\r\tFrom é例\u200f👩\x01")
	random := func(n int) string {
		var b strings.Builder
		for range rng.IntN(n) {
			b.WriteRune(alphabet[rng.IntN(len(alphabet))])
		}
		return b.String()
	}
	for range 200 {
		checkTexts(t, random(600), "<"+random(600))
	}
}
