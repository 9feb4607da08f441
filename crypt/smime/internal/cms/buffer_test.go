package cms

import (
	"bytes"
	"errors"
	"testing"
)

// After a message that could not be written, no content waits for the next one.
func TestNoContentIsKept(t *testing.T) {
	t.Parallel()
	var e Encrypter
	full := errors.New("full")
	for _, size := range []int{10, smallBuffer, 3 * smallBuffer} {
		b := e.buffer(size)
		copy(*b, "Your results")
		e.keep(b, &full)
		for _, c := range (*b)[:cap(*b)] {
			if c != 0 {
				t.Fatalf("%d bytes: %q", size, *b)
			}
		}
		if again := e.buffer(size); len(*again) != size || bytes.Contains(*again, []byte("results")) {
			t.Errorf("%d bytes, not %d", len(*again), size)
		}
	}
}
