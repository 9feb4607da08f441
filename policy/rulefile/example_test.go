package rulefile_test

import (
	"context"
	"fmt"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/rulefile"
)

func ExampleParse() {
	f, err := rulefile.Parse("rules.yaml", []byte(`
rules:
  - name: many-files
    when: message.attachments > 10 && recipient.external
    then: {hold: true}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var o policy.Options
	f.Apply(&o)
	rules, err := policy.New(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	cases, err := rulefile.ParseCases("cases.yaml", []byte(`
cases:
  - name: eleven scans wait for a review
    message:
      to: [ada@example.org]
      purpose: treatment
      attachments: [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}]
    expect: {verdict: hold, code: many-files}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := cases.Run(context.Background(), rules, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(results[0].Name, len(results[0].Faults))

	_, err = rulefile.Parse("rules.yaml", []byte("rules:\n  - name: x\n    when: message.atachments > 10\n    then: {hold: true}\n"))
	fmt.Println(err)
	// Output:
	// eleven scans wait for a review 0
	// rules.yaml:3: rules[0].when: names a fact or function that does not exist; see the list of facts
}
