package smime

import (
	"strconv"
	"testing"
)

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var m memory[int]
	for i := range 3 * maxRemembered {
		m.put([]byte(strconv.Itoa(i)), i)
		if got, ok := m.get([]byte(strconv.Itoa(i))); !ok || got != i || len(m.m) > maxRemembered {
			t.Fatalf("%d: %d, %t, with %d remembered", i, got, ok, len(m.m))
		}
	}
}
