package phi

import (
	"math/rand/v2"
	"testing"
)

// lookSlowly is look byte by byte.
func lookSlowly(src []byte) (r remains) {
	gaps, last := 0, -3
	for i, c := range src {
		r.high = r.high || c >= 0x80
		if c != ' ' && c != '.' && c != '-' {
			continue
		}
		if i == last+2 {
			gaps++
		} else {
			gaps = 0
		}
		r.spread = r.spread || gaps >= minSpread-1
		last = i
	}
	equals, breaks := 0, 0
	for i := 0; i+2 < len(src); i++ {
		switch rest := string(src[i+1 : i+3]); {
		case src[i] != '=':
		case rest[0] == '\n' || rest == "\r\n":
			breaks++
		case isHex(rest[0]) && isHex(rest[1]) && (rest[0] >= '8' || rest == "20" || rest == "3D"):
			equals++
		}
	}
	r.quoted = equals >= 2 || breaks >= 1 && equals+breaks >= 2 || breaks >= 1 && len(src) > 70
	return r
}

func TestEightBytesAtOnceShowWhatEachShows(t *testing.T) {
	t.Parallel()
	const chars = "ab \t .-_=3D20C3\r\n!/0@`\x01\x7f aaaaaaaabbbbbbbb"
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[remains]bool{}
	for range 200_000 {
		src := make([]byte, random.IntN(80))
		for i := range src {
			src[i] = chars[random.IntN(len(chars))]
			if random.IntN(400) == 0 {
				src[i] = byte(random.IntN(256))
			}
		}
		want := lookSlowly(src)
		seen[want] = true
		if got := look(src); got != want {
			t.Fatalf("look(%q) = %+v, want %+v", src, got, want)
		}
	}
	if len(seen) != 8 {
		t.Errorf("the texts show %d of 8 kinds of remains", len(seen))
	}
}

func TestJoiningSpreadLettersSkipsNone(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	joined := 0
	for range 200_000 {
		src := make([]byte, random.IntN(60))
		for i := range src {
			src[i] = "a1 "[random.IntN(3)]
			if i%2 == random.IntN(8)/7 {
				src[i] = " .-_ "[random.IntN(5)]
			}
		}
		var want []byte
		for i := 0; i < len(src); {
			n, step := spreadAt(src, i)
			if n == 0 {
				want = append(want, src[i])
				i++
				continue
			}
			joined++
			for k := 0; k < n; k += step {
				want = append(want, src[i+k])
			}
			i += n
		}
		var b normal
		b.unspread(src, nil)
		if string(b.text) != string(want) {
			t.Fatalf("%q becomes %q, want %q", src, b.text, want)
		}
	}
	if joined < 1000 {
		t.Errorf("only %d words were joined", joined)
	}
}
