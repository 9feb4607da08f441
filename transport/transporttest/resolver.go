package transporttest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/phimail/sdk/transport"
)

// RunResolver runs the promises of a [transport.Resolver] as parallel subtests
// of t, each against a hostile [DNSServer] of its own. open makes a resolver that
// asks the server at addr, trusts its word about DNSSEC since it is on loopback,
// and gives a question up after about a second.
func RunResolver(t *testing.T, open func(addr string) (transport.Resolver, error)) {
	t.Helper()
	for _, c := range resolverCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open)
		})
	}
}

// resolverCase is one promise: what is asked of a server that does something,
// and what has to come of it.
type resolverCase struct {
	name  string
	fault DNSFault
	ask   string
	kind  transport.DNSType

	reason  []transport.Reason // of the error, if there has to be one
	records int
	at      string // where they were found
	secure  bool
	gone    bool
}

// resolverZone is what the server holds. All but elsewhere.example is proven.
func resolverZone() []string {
	return []string{
		"a.example. 300 IN TXT hello", "b.example. 300 IN CNAME a.example.", "c.example. 300 IN CNAME b.example.",
		"out.example. 300 IN CNAME in.elsewhere.", "in.elsewhere. 300 IN TXT hello",
		"loop.example. 300 IN CNAME loop2.example.", "loop2.example. 300 IN CNAME loop.example.", "self.example. 300 IN CNAME self.example.",
		"xn--mnchen-3ya.example. 300 IN TXT hello", "null.example. 300 IN MX 0 .", "_25._tcp.a.example. 300 IN TLSA 3 1 1 " + strings.Repeat("ab", 32),
	}
}

func resolverCases() []resolverCase {
	const a, txt = "a.example", transport.DNSTypeTXT
	found := resolverCase{ask: a, kind: txt, records: 1, at: a, secure: true}
	with := func(name string, change func(*resolverCase)) resolverCase {
		c := found
		c.name = name
		change(&c)
		return c
	}
	failing := func(fault DNSFault, reasons ...transport.Reason) resolverCase {
		return resolverCase{name: "fault/" + string(fault), fault: fault, ask: a, kind: txt, reason: append(reasons, transport.ErrTimeout)}
	}
	anyDNS := []transport.Reason{transport.ErrDNSAnswer, transport.ErrDNSServFail}
	return []resolverCase{
		with("records", func(*resolverCase) {}),
		with("the case of letters does not matter", func(c *resolverCase) { c.ask = "A.Example." }),
		with("U-labels", func(c *resolverCase) { c.ask, c.at = "MÜNCHEN.example", "xn--mnchen-3ya.example" }),
		with("underscores", func(c *resolverCase) {
			c.ask, c.at, c.kind = "_25._tcp.a.example", "_25._tcp.a.example", transport.DNSTypeTLSA
		}),
		with("null MX", func(c *resolverCase) { c.ask, c.at, c.kind = "null.example", "null.example", transport.DNSTypeMX }),
		with("aliases", func(c *resolverCase) { c.ask = "c.example" }),
		with("an alias into what is not proven", func(c *resolverCase) { c.ask, c.at, c.secure = "out.example", "in.elsewhere", false }),
		with("not proven", func(c *resolverCase) { c.ask, c.at, c.secure = "in.elsewhere", "in.elsewhere", false }),
		with("no such record", func(c *resolverCase) { c.kind, c.records = transport.DNSTypeMX, 0 }),
		with("no such name", func(c *resolverCase) { c.ask, c.at, c.records, c.gone = "gone.example", "gone.example", 0, true }),
		with("a loop of aliases", func(c *resolverCase) { c.ask, c.reason = "loop.example", anyDNS }),
		with("an alias of itself", func(c *resolverCase) { c.ask, c.reason = "self.example", anyDNS }),
		with("not a name", func(c *resolverCase) { c.ask, c.reason = "a b\r\n", anyDNS }),
		with("cut by UDP, whole by TCP", func(c *resolverCase) { c.fault = DNSTruncated }),
		with("no UDP", func(c *resolverCase) { c.fault, c.reason = DNSSilentUDP, nil }),
		with("no EDNS", func(c *resolverCase) { c.fault = DNSNoEDNS }),
		failing(DNSServFail, transport.ErrDNSServFail), failing(DNSBogus, transport.ErrDNSBogus), failing(DNSBogusExplained, transport.ErrDNSBogus),
		failing(DNSRefused, transport.ErrDNSServFail), failing(DNSSilent), failing(DNSTruncatedAlways, anyDNS...),
		failing(DNSWrongID, anyDNS...), failing(DNSWrongQuestion, anyDNS...), failing(DNSGarbage, anyDNS...), failing(DNSReferral, anyDNS...),
	}
}

func (c *resolverCase) run(t tb, open func(addr string) (transport.Resolver, error)) {
	t.Helper()
	server, err := NewDNSServer(resolverZone()...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = server.Close() })
	server.Secure("example")
	server.Fault(c.ask, uint16(c.kind), c.fault)
	r, err := open(server.Addr())
	if err != nil {
		t.Fatalf("the resolver: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 2 { // the second time from memory, if there is one
		answer, err := r.Resolve(ctx, c.ask, c.kind)
		if len(c.reason) > 0 {
			c.failed(t, answer, err)
			continue
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(answer.Records) != c.records || answer.Name != c.at || answer.Secure != c.secure || answer.NXDomain != c.gone {
			t.Errorf("%d records at %s, proven %t, no such name %t", len(answer.Records), answer.Name, answer.Secure, answer.NXDomain)
		}
		if asked := dns.CanonicalName(c.ask) == dns.CanonicalName(c.at) || c.at == "xn--mnchen-3ya.example"; answer.Alias == asked {
			t.Errorf("alias: %t", answer.Alias)
		}
		if answer.Until.IsZero() {
			t.Errorf("the answer has no end")
		}
	}
}

// failed: that nobody knows is an error of its own, and never "none".
func (c *resolverCase) failed(t tb, answer *transport.Answer, err error) {
	t.Helper()
	te, ok := errors.AsType[*transport.Error](err)
	if !ok || answer != nil {
		t.Errorf("%v, %v; want an error of package transport and no answer", answer, err)
		return
	}
	if te.Status != transport.Deferred || !slices.Contains(c.reason, te.Reason) {
		t.Errorf("%v; want deferred for one of %v", te, c.reason)
	}
	if strings.Contains(te.Error(), "example") {
		t.Errorf("the error names the domain: %v", te)
	}
}
