package dkim_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestSigningWorksUnderFIPSOnly runs the tests that sign once more in a process
// of its own: the mode is set when a process starts.
func TestSigningWorksUnderFIPSOnly(t *testing.T) {
	t.Parallel()
	const tests = "^(TestManyGoroutinesSignAtOnce|TestAPrivateKeySurvivesItsFile|TestAKeyThatLivesElsewhereSigns|TestARecordIsSplitForDNS)$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", tests, "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS") != 4 {
		t.Fatalf("%v\n%s", err, out)
	}
}
