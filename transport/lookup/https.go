package lookup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dnsname"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

// HTTPSConfig describes an [HTTPS] client. Resolver is required.
type HTTPSConfig struct {
	// Resolver finds the addresses of hosts. Required.
	Resolver transport.Resolver
	// RootCAs are the authorities that may vouch for a host. Defaults to the
	// system's.
	RootCAs *x509.CertPool
	// Port is the only port that is connected to. Defaults to 443.
	Port uint16
	// AllowPrivate permits loopback, private and link-local addresses. Without
	// it whoever controls a name can't make this client speak to an inner
	// network.
	AllowPrivate bool
	// Timeout bounds a request with all its parts. Up to two minutes. Defaults
	// to 30 seconds (RFC 8461 section 3.3 suggests one minute at most).
	Timeout time.Duration
	// Clock tells the time that certificates are judged at. Defaults to
	// time.Now.
	Clock func() time.Time
}

const (
	defaultHTTPSPort    = 443
	defaultHTTPSTimeout = 30 * time.Second
	maxHTTPSTimeout     = 2 * time.Minute
	maxHeader           = 16 << 10
	// maxTried bounds the addresses of one host, and triedTime is the part of a
	// request's time that one has to answer in.
	maxTried  = 4
	triedTime = 6
)

// HTTPS fetches small documents from hosts that others name: https on one port
// only, verified; no redirects, no proxy, no cookies, no compression; addresses
// are checked when the connection is made, so that a name can't be turned to an
// inner address between look-up and use (CWE-918). It is safe for concurrent use
// and keeps no connection.
type HTTPS struct {
	cfg    HTTPSConfig
	client *http.Client
}

// NewHTTPS makes an HTTPS client, or returns every fault of cfg.
func NewHTTPS(cfg HTTPSConfig) (*HTTPS, error) {
	var errs []error
	fault := func(field, what string) { errs = append(errs, fmt.Errorf("lookup: HTTPSConfig.%s %s", field, what)) }
	if cfg.Resolver == nil {
		fault("Resolver", "is missing; see New")
	}
	if cfg.Timeout < 0 || cfg.Timeout > maxHTTPSTimeout {
		fault("Timeout", "is negative or over two minutes")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.Port == 0 {
		cfg.Port = defaultHTTPSPort
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultHTTPSTimeout
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	h := &HTTPS{cfg: cfg}
	h.client = &http.Client{
		// A redirect is an answer like another (RFC 8461 section 3.3).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            h.dial,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
			TLSClientConfig: &tls.Config{
				RootCAs: cfg.RootCAs, Time: cfg.Clock, MinVersion: tls.VersionTLS12,
				VerifyConnection: strongKey,
			},
		},
	}
	return h, nil
}

func strongKey(cs tls.ConnectionState) error { return smtpclient.WeakKey(cs.PeerCertificates[0]) }

// Get fetches a document. target is an https URL without a port, or with the
// configured one, and without a user. status and contentType are the server's,
// whatever they are: also those of a redirect, which is not followed. A body
// larger than limit is an error. An error is an [*transport.Error] of reason
// ErrFetch, ErrTimeout, ErrCanceled or what the resolver said; a certificate
// that was refused is its cause.
func (h *HTTPS) Get(ctx context.Context, target string, limit int64) (status int, contentType string, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	u, ok := h.check(target)
	if !ok {
		return 0, "", nil, failed(transport.ErrFetch)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, "", nil, failed(transport.ErrFetch)
	}
	req.Header.Set("User-Agent", "phimail")
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, "", nil, h.fetchError(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Encoding") != "" {
		return 0, "", nil, failed(transport.ErrFetch) // nobody asked for it, and it may be a bomb
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil {
		// A host that notices our leaving may end a document that is not whole.
		err = ctx.Err()
	}
	if err != nil {
		return 0, "", nil, h.fetchError(ctx, err)
	}
	if int64(len(body)) > limit {
		return 0, "", nil, failed(transport.ErrFetch)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), body, nil
}

// check parses target and puts the port into it.
func (h *HTTPS) check(target string) (*url.URL, bool) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" {
		return nil, false
	}
	port := strconv.Itoa(int(h.cfg.Port))
	if p := u.Port(); p != "" && p != port {
		return nil, false
	}
	host, ok := dnsname.ASCII(u.Hostname())
	if _, err := netip.ParseAddr(u.Hostname()); !ok || err == nil {
		return nil, false
	}
	if u.Host = host; h.cfg.Port != defaultHTTPSPort {
		u.Host = net.JoinHostPort(host, port)
	}
	return u, true
}

// fetchError keeps a reason and no text: what net/http says may quote the peer.
func (h *HTTPS) fetchError(ctx context.Context, err error) *transport.Error {
	if ours, ok := errors.AsType[*transport.Error](err); ok {
		return ours
	}
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	e := failed(transport.ErrFetch)
	if cert := smtpclient.CertificateFault(err, h.cfg.Clock()); cert != nil {
		e.Cause = cert
	}
	return e
}

// dial resolves a host and connects to the first address that answers.
func (h *HTTPS) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, failed(transport.ErrFetch)
	}
	addrs, err := addresses(ctx, h.cfg.Resolver, host)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: h.cfg.Timeout / triedTime, Control: h.control}
	for _, a := range addrs[:min(len(addrs), maxTried)] {
		var c net.Conn
		if c, err = d.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, failed(transport.ErrFetch)
}

// addresses are those of IPv6 and IPv4, in turn. One family that is not known is no
// error as long as the other is.
func addresses(ctx context.Context, r transport.Resolver, host string) ([]netip.Addr, error) {
	types := [...]transport.DNSType{transport.DNSTypeAAAA, transport.DNSTypeA}
	var answers [len(types)]*transport.Answer
	var errs [len(types)]error
	var wg sync.WaitGroup
	for i, t := range types {
		wg.Go(func() { answers[i], errs[i] = r.Resolve(ctx, host, t) })
	}
	wg.Wait()
	var addrs []netip.Addr
	var failure error
	for i := range types {
		if errs[i] != nil {
			failure = errs[i]
			continue
		}
		addrs = append(addrs, answers[i].Addrs()...)
	}
	if len(addrs) == 0 && failure != nil {
		return nil, failure
	}
	return smtpclient.Alternate(addrs), nil
}

// control looks at the address that is about to be connected to.
func (h *HTTPS) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || a.Port() != h.cfg.Port || !smtpclient.Reachable(a.Addr(), h.cfg.AllowPrivate) {
		return failed(transport.ErrFetch)
	}
	return nil
}
