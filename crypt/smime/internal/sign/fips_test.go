package sign_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestSignaturesWorkUnderFIPSOnly runs tests once more in a process of its own:
// the mode is set when a process starts.
func TestSignaturesWorkUnderFIPSOnly(t *testing.T) {
	t.Parallel()
	const tests = "^(TestWhatWeSignWeVerify|TestSignaturesOfOthersAreRead|TestWrappedPayloadRepeatsItself)$"
	for _, mode := range []string{"on", "only"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", tests, "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := cmd.CombinedOutput()
		if passed := strings.Count(string(out), "\n--- PASS"); err != nil || passed != 3 {
			t.Errorf("%s: %d passed, %v\n%s", mode, passed, err, out)
		}
	}
}
