package escrowtest_test

import (
	"fmt"
	"os"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/crypt/escrow/escrowtest"
)

// printing stands for the *testing.T that a test has.
type printing struct{}

func (printing) Helper()                           {}
func (printing) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printing) Fatalf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printing) Cleanup(func())                    {}
func (printing) TempDir() string                   { return os.TempDir() }

func ExampleRun() {
	escrowtest.Run(printing{}, escrowtest.Harness{
		Open: func(escrowtest.TB, string) escrow.Store { return escrowmem.New().Store() },
	})
	fmt.Println("every promise is kept")
	// Output: every promise is kept
}
