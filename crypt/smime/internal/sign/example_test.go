package sign_test

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/phimail/sdk/crypt/smime/internal/sign"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// The entity is signed while it is written, and checked by who receives it.
func Example() {
	root := smimetest.NewAuthority()
	us := root.Issue(smimetest.P256, "no-reply@clinic.example")
	var message bytes.Buffer
	w, err := sign.NewWriter(&message, &sign.Identity{Certificate: us.Certificate, Chain: us.Chain, Key: us.Key}, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = io.WriteString(w, "Content-Type: text/plain\r\n\r\nYour results.\r\n")
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	v, err := sign.Open(message.Bytes(), sign.Options{Trust: smimetest.Pool(root), Now: time.Now(), Limit: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", v.Content)
	fmt.Println(v.Signers[0].Addresses, v.Signers[0].Algorithms, v.Signers[0].Fault == "")
	// Output:
	// "Content-Type: text/plain\r\n\r\nYour results.\r\n"
	// [no-reply@clinic.example] [ecdsa sha-256] true
}
