package wycheproof_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt/smime/internal/wycheproof"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAResultAgreesWithWhatItSays(t *testing.T) {
	t.Parallel()
	for r, want := range map[wycheproof.Result][2]bool{
		wycheproof.Valid: {true, false}, wycheproof.Invalid: {false, true}, wycheproof.Acceptable: {true, true}, "": {false, true},
	} {
		if got := [2]bool{r.Agrees(true), r.Agrees(false)}; got != want {
			t.Errorf("%q: %v", r, got)
		}
	}
}

func Example() {
	var v wycheproof.Vector
	err := json.Unmarshal([]byte(`{"tcId": 7, "key": "0badc0de", "private": "abc", "result": "valid"}`), &v)
	fmt.Printf("%d %x %x %t %v\n", v.ID, []byte(v.Key), []byte(v.Private), v.Result.Agrees(true), err)
	// Output: 7 0badc0de 0abc true <nil>
}
