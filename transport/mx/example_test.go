package mx_test

import (
	"context"
	"fmt"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

func ExampleDestination() {
	d := mx.Destination{Domain: "clinic.example", Servers: []mx.Server{
		{Name: "mx1.clinic.example", Preference: 10, By: transport.ByDANE},
		{Name: "mx2.clinic.example", Preference: 20},
	}}
	for _, s := range d.Servers {
		if s.Err == nil && s.By != "" {
			fmt.Println("clear content may go to", s.Name, "by", s.By)
		}
	}
	// Output: clear content may go to mx1.clinic.example by dane
}

func ExampleNewProber() {
	// Usually the resolver on this machine, and lookup.HTTPS.Get for Fetch.
	server, err := transporttest.NewDNSServer(
		"clinic.example. 300 IN MX 10 mx1.clinic.example.", "mx1.clinic.example. 300 IN A 198.105.0.1",
		"_25._tcp.mx1.clinic.example. 300 IN TLSA 3 1 1 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3",
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.Secure("clinic.example")
	resolver, err := lookup.New(lookup.Config{Servers: []string{server.Addr()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	https, err := lookup.NewHTTPS(lookup.HTTPSConfig{Resolver: resolver})
	if err != nil {
		fmt.Println(err)
		return
	}
	prober, err := mx.NewProber(mx.ProberConfig{Resolver: resolver, Fetch: https.Get})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer prober.Close(context.Background())

	reach, err := prober.Probe(context.Background(), "clinic.example") // as phimail.Config.Prober it is asked while planning
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reach.Proven, reach.By, reach.Servers[0].TLSA)
	// Output: true dane [3 1 1 0b9fa5a59eed715c]
}
