package cms_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

func Example() {
	anna := everybody().p256 // a certificate with its key

	var message bytes.Buffer
	content := "Content-Type: text/plain\r\n\r\nYour appointment is on Monday.\r\n"
	err := new(cms.Encrypter).Encrypt(&message, strings.NewReader(content), int64(len(content)),
		[]cms.Recipient{{Certificate: anna.Certificate}}, cms.AES256GCM)
	if err != nil {
		fmt.Println(err)
		return
	}

	opened, facts, err := cms.Decrypt(message.Bytes(), 1<<20, []cms.Identity{anna})
	fmt.Println(string(opened) == content, err)
	fmt.Println(facts.Container, facts.Algorithms)
	// Output:
	// true <nil>
	// cms-auth-enveloped-data [aes-256-gcm ecdh-sha256kdf aes-256-wrap p-256]
}
