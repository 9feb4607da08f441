package portal_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/crypt/escrow/portal"
)

// The host mounts the page below the path of its base URL.
func Example() {
	gate, err := escrow.NewGate(escrow.GateConfig{
		Store:  escrowmem.New().Store(),
		Record: func(context.Context, ...escrow.Event) error { return nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := portal.New(portal.Config{
		Gate: gate, BaseURL: "https://mail.clinic.example/m", Brand: portal.Brand{Name: "Riverside Clinic"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/m/", page)

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/m/0123456789abcdef0123456789abcdef", nil))
	fmt.Println(answer.Code, answer.Header().Get("Referrer-Policy"))
	// Output: 200 no-referrer
}
