//go:build unix

package postfix_test

import (
	"fmt"

	"github.com/phimail/sdk/transport/transporttest"
	"github.com/phimail/sdk/transport/transporttest/postfix"
)

// A test names the relay that it wants, and starts it with
// postfix.Start(t, opts).
func ExampleOptions() {
	opts := postfix.Options{Certificate: transporttest.Expired, Settings: map[string]string{"message_size_limit": "10240"}}
	fmt.Println("a relay with a certificate that is", opts.Certificate)
	// Output: a relay with a certificate that is expired
}
