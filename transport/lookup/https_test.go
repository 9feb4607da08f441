package lookup_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/transporttest"
)

// web is a policy host, the DNS that leads to it, and a client for it.
type web struct {
	dns    *transporttest.DNSServer
	server *transporttest.PolicyServer
	cfg    lookup.HTTPSConfig
}

func newWeb(t testing.TB) *web {
	t.Helper()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	server, err := transporttest.NewPolicyServer(ca, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &web{server: server, dns: newServer(t, "mta-sts.a.example. 300 IN A 127.0.0.1", "evil.example. 300 IN A 127.0.0.1")}
	addr := netip.MustParseAddrPort(server.Addr())
	w.cfg = lookup.HTTPSConfig{
		Resolver: newResolver(t, lookup.Config{Timeout: time.Minute}, w.dns), RootCAs: ca.Pool(), Port: addr.Port(), AllowPrivate: true,
		Timeout: time.Minute,
	}
	return w
}

const policyURL = "https://mta-sts.a.example/.well-known/mta-sts.txt"

func (w *web) get(t testing.TB, url string) (int, string, []byte, error) {
	t.Helper()
	h, err := lookup.NewHTTPS(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h.Get(t.Context(), url, 64<<10)
}

func TestDocumentsComeAsTheyAreOrNotAtAll(t *testing.T) {
	t.Parallel()
	const body = "version: STSv1\r\nmode: enforce\r\n"
	for name, c := range map[string]struct {
		doc    transporttest.Document
		status int
		reason transport.Reason
		cert   transport.CertificateReason
	}{
		"good":             {transporttest.Document{Body: body}, 200, "", ""},
		"another type":     {transporttest.Document{Body: body, Type: "text/html"}, 200, "", ""},
		"not found":        {transporttest.Document{}, 404, "", ""},
		"a redirect":       {transporttest.Document{Body: body, Location: "https://evil.example/"}, 302, "", ""},
		"a permanent one":  {transporttest.Document{Body: body, Location: "/other", Status: 301}, 301, "", ""},
		"as large as may":  {transporttest.Document{Body: body, Fill: 64<<10 - len(body)}, 200, "", ""},
		"larger":           {transporttest.Document{Body: body, Fill: 64<<10 - len(body) + 1}, 0, transport.ErrFetch, ""},
		"much larger":      {transporttest.Document{Body: body, Fill: 10 << 20}, 0, transport.ErrFetch, ""},
		"compressed":       {transporttest.Document{Body: body, Encoding: "gzip"}, 0, transport.ErrFetch, ""},
		"expired":          {transporttest.Document{Body: body, Certificate: transporttest.Expired}, 0, transport.ErrFetch, transport.CertExpired},
		"another host's":   {transporttest.Document{Body: body, Certificate: transporttest.WrongHost}, 0, transport.ErrFetch, transport.CertWrongHost},
		"self-signed":      {transporttest.Document{Body: body, Certificate: transporttest.SelfSigned}, 0, transport.ErrFetch, transport.CertUnknownCA},
		"unknown CA":       {transporttest.Document{Body: body, Certificate: transporttest.UnknownCA}, 0, transport.ErrFetch, transport.CertUnknownCA},
		"common name only": {transporttest.Document{Body: body, Certificate: transporttest.CommonNameOnly}, 0, transport.ErrFetch, transport.CertWrongHost},
		"RSA-1024":         {transporttest.Document{Body: body, Certificate: transporttest.WeakRSA}, 0, transport.ErrFetch, transport.CertWeakKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t)
			w.server.Set("a.example", c.doc)
			status, _, got, err := w.get(t, policyURL)
			te, _ := errors.AsType[*transport.Error](err)
			ce, _ := errors.AsType[*transport.CertificateError](err)
			switch {
			case c.reason == "" && (err != nil || status != c.status || c.doc.Body != "" && !strings.HasPrefix(string(got), body)):
				t.Errorf("%d %q, %v", status, got, err)
			case c.reason != "" && (te == nil || te.Reason != c.reason || te.Status != transport.Deferred || len(got) != 0):
				t.Errorf("%d %q, %v", status, got, err)
			case c.cert == transport.CertWeakKey && fips140.Enabled():
				// crypto/tls itself refuses such a key then, in other words.
			case c.cert != "" && (ce == nil || ce.Reason != c.cert):
				t.Errorf("%v, want %s", err, c.cert)
			}
			if requests := w.server.Requests(); len(requests) > 1 {
				t.Errorf("requests: %v", requests)
			}
		})
	}
}

func TestSlowHostsEndWithTheTimeLimit(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]transporttest.Document{
		"silent": {Stall: true}, "byte by byte": {Body: strings.Repeat("x", 10_000), Drip: 20 * time.Millisecond},
	} {
		w := newWeb(t)
		w.cfg.Timeout = 300 * time.Millisecond
		w.server.Set("a.example", doc)
		if _, _, _, err := w.get(t, policyURL); !errors.Is(err, transport.ErrTimeout) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWeb(t)
	w.server.Set("a.example", transporttest.Document{Stall: true})
	h, err := lookup.NewHTTPS(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := h.Get(ctx, policyURL, 1); !errors.Is(err, transport.ErrCanceled) {
		t.Error(err)
	}
}

func TestOnlyHTTPSOnTheRightPortIsSpoken(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	w.server.Set("a.example", transporttest.Document{Body: "x"})
	for _, url := range []string{
		"http://mta-sts.a.example/", "https://mta-sts.a.example:1/", "https://127.0.0.1/", "https://[::1]/", "https://user@mta-sts.a.example/",
		"https:mta-sts.a.example", "//mta-sts.a.example/", "", "https://", "https:///x", "ftp://mta-sts.a.example/", "https://a b/", "file:///etc/passwd",
		"https://2130706433/x/", "https://0x7f.1/",
	} {
		if status, _, _, err := w.get(t, url); err == nil {
			t.Errorf("%q: %d", url, status)
		}
	}
	if r := w.server.Requests(); len(r) != 0 {
		t.Errorf("requests: %v", r)
	}
}

func TestInnerAddressesAreRefusedWhenConnecting(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	w.server.Set("a.example", transporttest.Document{Body: "x"})
	w.cfg.AllowPrivate = false
	if _, _, _, err := w.get(t, policyURL); !errors.Is(err, transport.ErrFetch) {
		t.Error(err)
	}
	if r := w.server.Requests(); len(r) != 0 {
		t.Errorf("requests: %v", r)
	}
}

// A machine without IPv6 reaches a host that has many such addresses (as those
// of large networks do) by its IPv4 address.
func TestAFamilyThatLeadsNowhereDoesNotTakeAllTries(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	w.server.Set("a.example", transporttest.Document{Body: "version: STSv1"})
	for i := range 8 { // without a zone, nobody can connect to them
		if err := w.dns.Add(fmt.Sprintf("mta-sts.a.example. 300 IN AAAA fe80::%d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, _, err := w.get(t, policyURL); err != nil || status != 200 {
		t.Errorf("%d, %v", status, err)
	}
}

func TestAFailingDNSIsNoMissingHost(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	w.dns.Fault("mta-sts.a.example", 0, transporttest.DNSBogus)
	if _, _, _, err := w.get(t, policyURL); !errors.Is(err, transport.ErrDNSBogus) {
		t.Error(err)
	}
	if _, _, _, err := w.get(t, "https://gone.example/"); !errors.Is(err, transport.ErrFetch) {
		t.Error(err)
	}
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("https_proxy", "http://127.0.0.1:1")
	w := newWeb(t)
	w.server.Set("a.example", transporttest.Document{Body: "x"})
	if status, _, _, err := w.get(t, policyURL); status != 200 {
		t.Errorf("%d, %v", status, err)
	}
}

func TestInvalidHTTPSConfigsAreRefused(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]lookup.HTTPSConfig{
		"Resolver": {}, "Timeout": {Resolver: newResolver(t, lookup.Config{}, newServer(t)), Timeout: time.Hour},
	} {
		if _, err := lookup.NewHTTPS(cfg); err == nil || !strings.Contains(err.Error(), "HTTPSConfig."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
