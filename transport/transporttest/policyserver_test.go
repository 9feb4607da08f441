package transporttest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport/transporttest"
)

// get fetches the policy of a domain, with all names led to the server.
func get(ctx context.Context, ca *transporttest.CA, srv *transporttest.PolicyServer, domain string) (status int, body string, err error) {
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, srv.Addr())
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mta-sts."+domain+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func TestPolicyServerIsAsItsDocumentsSay(t *testing.T) {
	t.Parallel()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	srv, err := transporttest.NewPolicyServer(ca, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	srv.Set("good.example", transporttest.Policy("enforce", "mx.good.example"))
	srv.Set("moved.example", transporttest.Document{Location: "https://mta-sts.good.example/"})
	srv.Set("large.example", transporttest.Document{Fill: 70_000, Type: "text/html"})
	srv.Set("drip.example", transporttest.Document{Body: "abc", Drip: 1})
	srv.Set("expired.example", transporttest.Document{Certificate: transporttest.Expired})
	for domain, want := range map[string]struct {
		status int
		body   string
		length int
	}{
		"good.example":  {200, "version: STSv1\r\nmode: enforce\r\nmx: mx.good.example\r\nmax_age: 604800\r\n", 69},
		"moved.example": {302, "", 0},
		"large.example": {200, "xxx", 70_000},
		"drip.example":  {200, "abc", 3},
		"none.example":  {404, "", 0},
	} {
		status, body, err := get(t.Context(), ca, srv, domain)
		if err != nil || status != want.status || !strings.HasPrefix(body, want.body) || len(body) != want.length {
			t.Errorf("%s: %d, %d bytes, %v", domain, status, len(body), err)
		}
	}
	if _, _, err := get(t.Context(), ca, srv, "expired.example"); err == nil {
		t.Error("the certificate is good")
	}
	srv.Set("stall.example", transporttest.Document{Stall: true})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, _, err := get(ctx, ca, srv, "stall.example"); done <- err }()
	cancel()
	if err := <-done; err == nil {
		t.Error("it answered")
	}
}

func ExamplePolicy() {
	fmt.Print(strings.ReplaceAll(transporttest.Policy("testing", "*.clinic.example").Body, "\r", ""))
	// Output:
	// version: STSv1
	// mode: testing
	// mx: *.clinic.example
	// max_age: 604800
}
