package lookup_test

import (
	"context"
	"fmt"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/transporttest"
)

func Example() {
	server, err := transporttest.NewDNSServer("clinic.example. 300 IN MX 10 mx.clinic.example.")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.Secure("clinic.example")

	resolver, err := lookup.New(lookup.Config{Servers: []string{server.Addr()}}) // usually 127.0.0.1:53
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := resolver.Resolve(context.Background(), "Clinic.Example", transport.DNSTypeMX)
	if err != nil {
		fmt.Println(err)
		return
	}
	records, _ := answer.MX()
	fmt.Println(records[0].Host, answer.Secure)
	// Output: mx.clinic.example true
}
