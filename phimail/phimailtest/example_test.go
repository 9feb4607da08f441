package phimailtest_test

import (
	"fmt"
	"net/mail"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/phimailtest"
)

// A host's own test hands its mailer the recorder's client.
func ExampleRequireProtected() {
	t := &exampleT{} // *testing.T in a real test
	defer t.finish()
	recorder := phimailtest.New(t, phimailtest.Options{})

	remind := func(c *phimail.Client) error { // the code under test
		_, err := c.Send(t.Context(), &phimail.Message{
			To:      []phimail.Recipient{{Address: mail.Address{Address: "ann@patient.example"}}},
			Subject: "Your visit", Text: "See you on Tuesday.\n",
		})
		return err
	}
	fmt.Println(remind(recorder.Client()))

	phimailtest.RequireProtected(t, recorder)
	fmt.Println(len(recorder.Messages()), "message,", recorder.Messages()[0].Need)
	// Output:
	// <nil>
	// 1 message, recipient
}
