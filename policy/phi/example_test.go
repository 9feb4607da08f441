package phi_test

import (
	"context"
	"fmt"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

func ExampleDetector_Report() {
	detector, err := phi.New(phi.Options{Allow: []string{"(555) 010-2000"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{
		"Dear Ms. Okafor,\n\nyour biopsy results are in. Please call (555) 010-2000.\n",
		"Hello all,\n\nthe meeting about the new parking rules is on March 3.\n",
	} {
		r, err := detector.Report(context.Background(), &policy.Content{Text: text})
		fmt.Println("PHI:", !r.NoPHI, err)
		for _, reason := range r.Reasons {
			fmt.Println("-", reason)
		}
	}
	// Output:
	// PHI: true <nil>
	// - a person is named together with health, care or payment for it
	// - it speaks of the reader's own care
	// - health: a procedure
	// - identifiers: 1 NAME
	// PHI: false <nil>
	// - nothing of health, care or payment for it
	// - identifiers: 1 DATE
}
