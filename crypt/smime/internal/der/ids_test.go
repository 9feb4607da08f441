package der_test

import (
	"encoding/asn1"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// The bytes of each object identifier are those of the dotted form beside it.
func TestObjectIdentifiersAreWhatTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(\w+) +(?:der\.)?ID = (".*?") +// ([\d.]+)[:\n]`)
	for path, count := range map[string]int{"ids.go": 8, "../cms/algorithm.go": 18, "../sign/algorithm.go": 13} {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := line.FindAllSubmatch(source, -1)
		if len(found) != count {
			t.Errorf("%s: %d identifiers, not %d", path, len(found), count)
		}
		for _, m := range found {
			value, err := strconv.Unquote(string(m[2]))
			if err != nil {
				t.Fatal(err)
			}
			var id asn1.ObjectIdentifier
			if _, err := asn1.Unmarshal(append([]byte{6, byte(len(value))}, value...), &id); err != nil || id.String() != string(m[3]) {
				t.Errorf("%s is %s, not %s", m[1], id, m[3])
			}
		}
	}
}
