package smtpclient

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/phimail/sdk/transport"
)

func readerOf(r io.Reader) *lineReader {
	l := &lineReader{}
	l.reset(r)
	return l
}

func TestReplyIsCompleteOrNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine-6)
	for _, c := range []struct {
		in       string
		code     int
		enhanced string
		err      error
	}{
		{"250\r\n", 250, "", nil},
		{"250 \r\n", 250, "", nil},
		{"250-\r\n250\r\n", 250, "", nil},
		{"250 2.1.0 ok\r\n", 250, "2.1.0", nil},
		{"550-5.7.1 a\r\n550 5.7.2 b\r\n", 550, "5.7.1", nil},
		{"550 4.7.1 contradicts\r\n", 550, "", nil},
		{"250 2.100.999 ok\r\n", 250, "2.100.999", nil},
		{"250 2.1000.0 ok\r\n", 250, "", nil},
		{"250 2.1 ok\r\n", 250, "", nil},
		{"250 2.1.0ok\r\n", 250, "", nil},
		{"250 22.1.0 ok\r\n", 250, "", nil},
		{"250 2.1.\r\n", 250, "", nil},
		{"220 \x00\x1b[31m\xff\r here\r\n", 220, "", nil},
		{"250 " + long + "\r\n", 250, "", nil},

		{"250 x" + long + "\r\n", 0, "", transport.ErrProtocol},
		{"250 ok\n", 0, "", transport.ErrProtocol},
		{"\r\n", 0, "", transport.ErrProtocol},
		{"\n", 0, "", transport.ErrProtocol},
		{"25\r\n", 0, "", transport.ErrProtocol},
		{"150 early\r\n", 0, "", transport.ErrProtocol},
		{"650 late\r\n", 0, "", transport.ErrProtocol},
		{"260 middle\r\n", 0, "", transport.ErrProtocol},
		{"25x ok\r\n", 0, "", transport.ErrProtocol},
		{"2500 ok\r\n", 0, "", transport.ErrProtocol},
		{"250\tok\r\n", 0, "", transport.ErrProtocol},
		{"250-a\r\n550 b\r\n", 0, "", transport.ErrProtocol},
		{strings.Repeat("250-\r\n", maxReplyLines) + "250 \r\n", 0, "", transport.ErrProtocol},
		{strings.Repeat("250-"+strings.Repeat("x", 1000)+"\r\n", 70) + "250 \r\n", 0, "", transport.ErrProtocol},

		{"", 0, "", io.EOF},
		{"250 ok", 0, "", io.EOF},
		{"250 ok\r", 0, "", io.EOF},
		{"250-ok\r\n", 0, "", io.EOF},
		{"250-ok\r\n250 o", 0, "", io.EOF},
	} {
		for how, src := range map[string]io.Reader{
			"at once": strings.NewReader(c.in), "by bytes": iotest.OneByteReader(strings.NewReader(c.in)),
			"with the error": iotest.DataErrReader(strings.NewReader(c.in)),
		} {
			r, err := readerOf(src).reply(nil)
			if r.code != c.code || r.enhanced != c.enhanced || !errors.Is(err, c.err) {
				t.Errorf("%.60q %s: %d %q %v, want %d %q %v", c.in, how, r.code, r.enhanced, err, c.code, c.enhanced, c.err)
			}
		}
	}
}

func TestReaderThatYieldsNothingEnds(t *testing.T) {
	t.Parallel()
	if _, err := readerOf(idleReader{}).reply(nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error %v", err)
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

//nolint:paralleltest // it counts allocations
func TestReadingAReplyCostsNoMemory(t *testing.T) {
	in := []byte("250-2.1.0 sender ok\r\n250 2.1.0 really\r\n")
	src := bytes.NewReader(in)
	l := readerOf(src)
	if n := testing.AllocsPerRun(100, func() {
		src.Reset(in)
		l.reset(src)
		if _, err := l.reply(nil); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// However a reply is cut into segments, the same comes of it; what comes is
// well-formed; and what it consumed ends in CRLF.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		"250 ok\r\n", "250\r\n", "250-a\r\n250 2.0.0 b\r\n", "250 ok\n", "250 ok", "25", "\r\n", "250-a\r\n550 b\r\n",
		"354 go\r\n250 early\r\n", "250 \x00\x1b[2J\r\n", strings.Repeat("250-x\r\n", 120),
	} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		whole := readerOf(bytes.NewReader(in))
		r, err := whole.reply(nil)
		split := readerOf(&segments{in: in, step: int(step%7) + 1})
		r2, err2 := split.reply(nil)
		if r != r2 || !errors.Is(err2, err) {
			t.Fatalf("%+v %v at once, %+v %v in segments", r, err, r2, err2)
		}
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 559 {
			t.Errorf("code %d", r.code)
		}
		for _, b := range []byte(r.enhanced) {
			if b != '.' && (b < '0' || b > '9') {
				t.Errorf("enhanced code %q", r.enhanced)
			}
		}
		if r.code != int(in[0]-'0')*100+int(in[1]-'0')*10+int(in[2]-'0') {
			t.Errorf("code %d of %q", r.code, in[:3])
		}
		if !bytes.Contains(in, []byte("\r\n")) {
			t.Error("a reply without CRLF")
		}
	})
}

type segments struct {
	in   []byte
	step int
}

func (s *segments) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(s.step, len(p))], s.in)
	s.in = s.in[n:]
	return n, nil
}
