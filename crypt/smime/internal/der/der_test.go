package der_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/crypto/cryptobyte"

	"github.com/phimail/sdk/crypt/smime/internal/der"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sha256 der.ID = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"

func TestAlgorithmsComeBack(t *testing.T) {
	t.Parallel()
	for name, parameters := range map[string]func(*cryptobyte.Builder){"none": nil, "NULL": der.AddNull} {
		var b cryptobyte.Builder
		der.AddAlgorithm(&b, sha256, parameters)
		s := cryptobyte.String(b.BytesOrPanic())
		var id der.ID
		var rest cryptobyte.String
		if !der.ReadAlgorithm(&s, &id, &rest) || id != sha256 || !s.Empty() || rest.Empty() != (parameters == nil) {
			t.Errorf("%s: %x, %x", name, id, rest)
		}
	}
	for _, bad := range []string{"", "\x30\x00", "\x30\x02\x05\x00", "\x06\x01\x2a"} {
		s := cryptobyte.String(bad)
		var id der.ID
		var rest cryptobyte.String
		if der.ReadAlgorithm(&s, &id, &rest) {
			t.Errorf("%x was read", bad)
		}
	}
}

func Example() {
	var b cryptobyte.Builder
	der.AddAlgorithm(&b, sha256, der.AddNull)
	fmt.Printf("%x\n", b.BytesOrPanic())
	// Output: 300d06096086480165030402010500
}
