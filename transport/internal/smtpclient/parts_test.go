package smtpclient

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/phimail/sdk/transport"
)

func TestEachPartYieldsTheContentOrNothingMore(t *testing.T) {
	t.Parallel()
	whole := bytes.Repeat([]byte("0123456789abcd\r\n"), 3*partSize/16+1)
	stop := errors.New("stop")
	for _, c := range []struct {
		name    string
		content []byte
		size    int
		stopAt  int // the part that is not taken
		parts   int
		want    error
	}{
		{"in parts", whole, len(whole), 0, 4, nil},
		{"short", whole[:len(whole)-16], len(whole), 0, 3, transport.ErrContent},
		{"long", whole, len(whole) - 16, 0, 2, transport.ErrContent},
		{"bare CR in the last part", append(bytes.Clone(whole), 'x', '\r'), len(whole) + 2, 0, 3, transport.ErrContent},
		{"not taken", whole, len(whole), 2, 2, stop},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := &transport.Envelope{
				Size: int64(c.size),
				Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.content)), nil },
			}
			var got []byte
			n := 0
			err := EachPart(env, func(part []byte) error {
				got = append(got, part...)
				if n++; n == c.stopAt {
					return stop
				}
				return nil
			})
			if !errors.Is(err, c.want) || n != c.parts {
				t.Errorf("%d parts, error %v; want %d, %v", n, err, c.parts, c.want)
			}
			if c.want == nil && !bytes.Equal(got, c.content) {
				t.Error("the content was changed")
			}
		})
	}
}
