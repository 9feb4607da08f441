package mx_test

import (
	"fmt"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
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
