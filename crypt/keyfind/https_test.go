package keyfind_test

import (
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/keyfind"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/transporttest"
)

// TestADirectoryIsAskedByTheHardenedClient goes over the wire.
func TestADirectoryIsAskedByTheHardenedClient(t *testing.T) {
	t.Parallel()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	web, err := transporttest.NewPolicyServer(ca, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dns, err := transporttest.NewDNSServer("patient.example. 60 IN A 127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = web.Close(), dns.Close() })
	resolver, err := lookup.New(lookup.Config{Servers: []string{dns.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(web.Addr())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary())
	for name, c := range map[string]struct {
		is   transporttest.Document
		safe bool // no private addresses
		want error
	}{
		"good":             {transporttest.Document{Body: key}, false, nil},
		"a redirect":       {transporttest.Document{Location: "https://patient.example/x", Body: key}, false, crypt.ErrSource},
		"too much":         {transporttest.Document{Body: key, Fill: 1 << 20}, false, crypt.ErrSource},
		"silence":          {transporttest.Document{Stall: true}, false, crypt.ErrSource},
		"a drop at a time": {transporttest.Document{Body: key, Drip: 50 * time.Millisecond}, false, crypt.ErrSource},
		"compressed":       {transporttest.Document{Body: key, Encoding: "gzip"}, false, crypt.ErrSource},
		"a failure":        {transporttest.Document{Body: key, Status: 503}, false, crypt.ErrSource},
		"nobody":           {transporttest.Document{}, false, nil},
		"an inner address": {transporttest.Document{Body: key}, true, crypt.ErrSource},
	} {
		web.Set("patient.example", c.is)
		limit := time.Minute
		if c.is.Stall || c.is.Drip > 0 {
			limit = 500 * time.Millisecond
		}
		client, err := lookup.NewHTTPS(lookup.HTTPSConfig{
			Resolver: resolver, RootCAs: ca.Pool(), Port: uint16(n), AllowPrivate: !c.safe, Timeout: limit,
		})
		if err != nil {
			t.Fatal(err)
		}
		f := newFinder(t, keyfind.Config{WKD: true, Resolver: resolver, HTTPS: client})
		found, err := f.OpenPGP(t.Context(), address(dana))
		if !errors.Is(err, c.want) || (len(found) == 1) != (name == "good") {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}
