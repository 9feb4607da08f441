package smtpclient

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/phimail/sdk/transport"
)

// clean is the rule, written down a second time and slowly.
func clean(p []byte) bool {
	for i, b := range p {
		switch b {
		case 0:
			return false
		case '\r':
			if i+1 == len(p) || p[i+1] != '\n' {
				return false
			}
		case '\n':
			if i == 0 || p[i-1] != '\r' {
				return false
			}
		}
	}
	return true
}

func scanAll(p []byte, step int) (eight bool, err error) {
	var s scanner
	for len(p) > 0 {
		n := min(step, len(p))
		if err := s.scan(p[:n]); err != nil {
			return false, err
		}
		p = p[n:]
	}
	return s.eight, s.end()
}

func TestContentIsCRLFLinesOnly(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"": true, "a": true, "a\r\n": true, "\r\n\r\n": true, "a\r\n.\r\nb": true, "ü\r\n": true,
		"\n": false, "a\n": false, "a\r": false, "a\rb": false, "\r\r\n": false, "\n\r": false, "a\x00": false, "\r\n\n": false, "\n\r\n": false,
	} {
		for step := 1; step <= 4; step++ {
			if _, err := scanAll([]byte(in), step); (err == nil) != ok {
				t.Errorf("%q by %d: %v", in, step, err)
			}
		}
	}
}

// unstuff is the receiving side of DATA (RFC 5321 section 4.5.2): it returns the
// content, and what is left after the end of it.
func unstuff(t *testing.T, p []byte) (content, rest []byte) {
	t.Helper()
	for {
		line, after, ok := bytes.Cut(p, []byte("\r\n"))
		if !ok {
			t.Fatalf("no end of content in %q", p)
		}
		p = after
		if len(line) == 1 && line[0] == '.' {
			return content, p
		}
		content = append(append(content, bytes.TrimPrefix(line, []byte("."))...), "\r\n"...)
	}
}

// What DATA puts on the wire is what a server takes off it, however the content
// is cut into parts, and nothing of it can end the content early.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"", "a\r\n", ".\r\n", "..\r\n.\r\n", "a\r\n.\r\nMAIL FROM:<x@y>\r\n", "a\n.\nb", "a\r.\rb", "\x00", "a\r\n."} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		step := int(cut)%13 + 1
		eight, err := scanAll(in, step)
		if (err == nil) != clean(in) {
			t.Fatalf("%q by %d: %v", in, step, err)
		}
		if err != nil {
			return
		}
		if eight == ascii(string(in)) {
			t.Errorf("8-bit is %t in %q", eight, in)
		}
		var wire []byte
		prev := byte(0)
		for p := in; len(p) > 0; {
			n := min(step, len(p))
			if !dotted(p[:n], prev) {
				wire = append(wire, p[:n]...)
			} else {
				wire = appendStuffed(wire, p[:n], prev)
			}
			prev = p[n-1]
			p = p[n:]
		}
		want := in
		if !bytes.HasSuffix(in, []byte("\r\n")) && len(in) > 0 {
			want = append(bytes.Clone(in), "\r\n"...)
			wire = append(wire, "\r\n"...)
		}
		got, rest := unstuff(t, append(wire, ".\r\n"...))
		if !bytes.Equal(got, want) || len(rest) > 0 {
			t.Errorf("%q arrived as %q and %q", want, got, rest)
		}
	})
}

func TestSourceReadsExactlyWhatWasPromised(t *testing.T) {
	t.Parallel()
	whole := "Subject: s\r\n\r\n" + strings.Repeat("0123456789abcd\r\n", 3*partSize/16)
	for how, wrap := range map[string]func(io.Reader) io.Reader{
		"plain": func(r io.Reader) io.Reader { return r }, "half": iotest.HalfReader, "with EOF": iotest.DataErrReader,
	} {
		for _, delta := range []int64{-1, 0, 1} {
			for _, body := range []string{whole, whole[:partSize], whole[:partSize/2], "a\r\n"} {
				var s source
				err := s.start(&transport.Envelope{
					Size: int64(len(body)) + delta,
					Open: func() (io.ReadCloser, error) { return io.NopCloser(wrap(strings.NewReader(body))), nil },
				})
				var got []byte
				for err == nil {
					err = s.next()
					if err == nil {
						got = append(got, s.part...)
					}
					if s.left == 0 {
						break
					}
				}
				s.close()
				if (err == nil) != (delta == 0) || err == nil && string(got) != body {
					t.Errorf("%s, %d bytes %+d: %v, %d bytes", how, len(body), delta, err, len(got))
				}
			}
		}
	}
}

func BenchmarkScan2KiB(b *testing.B) {
	p := []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 28))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		var s scanner
		if err := s.scan(p); err != nil || dotted(p, 0) {
			b.Fatal("wrong")
		}
	}
}
