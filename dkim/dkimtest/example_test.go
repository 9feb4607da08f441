package dkimtest_test

import (
	"fmt"

	"github.com/phimail/sdk/dkim/dkimtest"
)

func ExamplePassed() {
	results := []dkimtest.Result{
		{Domain: "clinic.example", Selector: "r1", Algorithm: "rsa-sha256", Status: dkimtest.Pass},
		{Domain: "clinic.example", Selector: "e1", Algorithm: "ed25519-sha256", Status: dkimtest.Unsupported},
	}
	fmt.Println(dkimtest.Passed(results))
	// Output: [clinic.example/r1/rsa-sha256]
}
