package smime

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
)

func TestLinesAreBase64HoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	var pool linePool
	content := make([]byte, 3*blockLines*lineBytes+5)
	for i := range content {
		content[i] = byte(i * 7)
	}
	for _, size := range []int{0, 1, 56, 57, 58, 114, 1000, blockLines * lineBytes, len(content)} {
		for _, piece := range []int{1, 56, 57, 58, 200, 1 << 20} {
			var out bytes.Buffer
			l := pool.get(&out, int64(size))
			for rest := content[:size]; len(rest) > 0; {
				n := min(piece, len(rest))
				if m, err := l.Write(rest[:n]); err != nil || m != n {
					t.Fatal(m, err)
				}
				rest = rest[n:]
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			pool.put(l)
			got, err := base64.StdEncoding.DecodeString(out.String()) // which passes over line ends
			if err != nil || !bytes.Equal(got, content[:size]) {
				t.Fatalf("%d bytes in pieces of %d: %v", size, piece, err)
			}
			for line := range bytes.Lines(out.Bytes()) {
				if len(line) > lineChars+2 || !bytes.HasSuffix(line, []byte("\r\n")) {
					t.Fatalf("%d bytes in pieces of %d: %q", size, piece, line)
				}
			}
		}
	}
	l := pool.get(failing{}, 100)
	if _, err := l.Write(content); !errors.Is(err, errFull) {
		t.Error(err)
	}
	if err := l.Close(); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
