package recordtest_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
	"github.com/phimail/sdk/policy/records/recordtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMine is what the author of a store writes.
func TestMine(t *testing.T) {
	t.Parallel()
	recordtest.Run(t, recordtest.Harness{Open: func(*testing.T, string) policy.RecordStore { return &records.Memory{} }})
}

func ExampleDay() {
	fmt.Println(recordtest.Day(2))
	// Output: 2026-03-02 09:30:00 +0000 UTC
}
