package compose_test

import (
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func Example() {
	r, err := compose.NewRendering(&compose.Message{
		From:      mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		To:        []mail.Address{{Name: "Ana Gómez", Address: "ana@bücher.example"}},
		Subject:   "Ihr Termin für Montag",
		Date:      time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
		MessageID: "m1@clinic.example",
		Text:      "Bis Montag!\n",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var b strings.Builder
	if _, err := r.WriteTo(&b); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(b.String(), "\r\n", "\n"))
	// Output:
	// Date: Mon, 02 Mar 2026 09:30:00 +0000
	// From: Riverside Clinic <no-reply@clinic.example>
	// To: =?utf-8?q?Ana_G=C3=B3mez?= <ana@xn--bcher-kva.example>
	// Subject: =?utf-8?q?Ihr_Termin_f=C3=BCr_Montag?=
	// Message-ID: <m1@clinic.example>
	// MIME-Version: 1.0
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: 7bit
	//
	// Bis Montag!
}

func ExampleParse() {
	p, err := compose.Parse(strings.NewReader("To: ana@home.example\nSubject: Visit\n\nUntil Monday: Grüße\n"), compose.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _, _ := p.Entity.Content()
	fmt.Println(p.To[0].Address, p.Subject, strings.TrimSpace(text))
	// Output: ana@home.example Visit Until Monday: Grüße
}

func ExampleMessage_Check() {
	m := &compose.Message{
		From:    mail.Address{Address: "no-reply@clinic.example"},
		To:      []mail.Address{{Address: "ana@home.example\r\nBcc: x"}},
		Subject: "two\nlines",
		Header:  []compose.Field{{Name: "Received", Value: "x"}},
	}
	fmt.Println(m.Check(compose.Rules{}))
	// Output:
	// compose: To[0]: has a domain that is not valid
	// compose: Subject: has a line break or NUL; give one line
	// compose: Header[0]: is a field that the library or the mail system writes; use the message's own fields instead
}
