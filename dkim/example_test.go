package dkim_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/phimail/sdk/dkim"
)

func Example() {
	key, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		fmt.Println(err)
		return
	}
	signer, err := dkim.New(dkim.Config{
		Keys: dkim.StaticKeys(dkim.Key{Domain: "clinic.example", Selector: "s1", Signer: key}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := "From: no-reply@clinic.example\r\nTo: someone@patient.example\r\n\r\nSee you on Monday.\r\n"
	fields, ids, err := signer.Sign(context.Background(), "clinic.example", func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	signed := string(fields) + text
	fmt.Println(strings.HasPrefix(signed, "DKIM-Signature: a=ed25519-sha256;"), ids)
	// Output: true [clinic.example/s1/ed25519-sha256]
}

func ExampleRecord() {
	key, err := dkim.GenerateKey(dkim.RSA)
	if err != nil {
		fmt.Println(err)
		return
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(record[:37])
	fmt.Println("strings:", len(dkim.RecordStrings(record)))
	fmt.Println(dkim.CheckRecord(record, dkim.Key{Domain: "clinic.example", Selector: "s1", Signer: key}))
	// Output:
	// v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0
	// strings: 2
	// <nil>
}
