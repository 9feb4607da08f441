package cms

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
	source, err := os.ReadFile("algorithm.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(\w+) +der\.ID = (".*?") +// ([\d.]+)\n`).FindAllSubmatch(source, -1)
	if len(found) != 26 {
		t.Errorf("%d identifiers, not 26", len(found))
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
