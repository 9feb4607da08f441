package compose

import (
	"strings"
	"testing"
)

func TestBoundaryIsLookedForInWhatIsWrittenAsItIs(t *testing.T) {
	t.Parallel()
	const b = "=_ABC"
	leaf := func(c body) *part { return &part{body: c} }
	for name, tt := range map[string]struct {
		p    *part
		want bool
	}{
		"verbatim": {leaf(verbatim("x\r\n--" + b + "\r\n")), true},
		"nested":   {&part{boundary: "n", children: []*part{leaf(verbatim("x")), leaf(verbatim("--" + b))}}, true},
		"absent":   {leaf(verbatim("x")), false},
		"quoted":   {leaf(quotedText("--" + b)), false},
		"base64":   {leaf(encodedData("--" + b)), false},
		"file":     {leaf(&file{}), false},
	} {
		if got := anyHolds([]*part{tt.p}, b); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	for range 100 {
		s := newBoundary(nil)
		// 26 characters of 5 bits.
		if len(s) != len("=_")+26 || !strings.HasPrefix(s, "=_") {
			t.Fatalf("boundary %q", s)
		}
	}
}

// A boundary can't be found in encoded content, whatever that is.
func TestEncodingsNeverYieldABoundary(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		text := []byte(strings.Repeat("=_"+string(rune(c))+"_=\r\n", 50))
		for name, b := range map[string]body{"quoted": quotedText(text), "base64": encodedData(text)} {
			var out strings.Builder
			if err := b.writeTo(&out); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "=_") {
				t.Errorf("%s of byte %d holds =_", name, c)
			}
		}
	}
}
