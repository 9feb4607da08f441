package escrow_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheWholePathWorksUnderFIPSOnly runs tests once more in a process of its own:
// the mode is set when a process starts.
func TestTheWholePathWorksUnderFIPSOnly(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run",
		"^(TestFIPSIsOn|TestARecipientReadsWhatWasSealed|TestARetryFindsTheSameLinkUntilItIsSettled|TestVectors|TestOneTimeCodes|TestWhatWasAlteredDoesNotOpen)$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if n := strings.Count(string(out), "--- PASS"); err != nil || n != 6 {
		t.Fatalf("%d passed, %v\n%s", n, err, out)
	}
}

// TestFIPSIsOn does nothing in a run of its own.
func TestFIPSIsOn(t *testing.T) {
	t.Parallel()
	if !fips140.Enabled() && strings.Contains(os.Getenv("GODEBUG"), "fips140=only") {
		t.Error("the mode is off")
	}
}
