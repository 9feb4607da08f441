package ber_test

import (
	"fmt"

	"github.com/phimail/sdk/crypt/smime/internal/ber"
)

// A streaming writer cuts an octet string into segments and gives no lengths.
func Example() {
	streamed := []byte{0x24, 0x80, 0x04, 0x02, 'a', 'b', 0x04, 0x01, 'c', 0x00, 0x00}
	der, err := ber.ToDER(streamed, 1024)
	fmt.Printf("%x %v\n", der, err)
	// Output: 0403616263 <nil>
}
