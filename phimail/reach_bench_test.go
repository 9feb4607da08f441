package phimail_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
)

// zones is a resolver in memory: every domain is proven by DANE.
type zones struct{ mx atomic.Int64 }

func (z *zones) Resolve(_ context.Context, name string, t transport.DNSType) (*transport.Answer, error) {
	a := &transport.Answer{Name: name, Secure: true, Until: time.Now().Add(time.Hour)}
	switch t { //nolint:exhaustive // the others have no records
	case transport.DNSTypeMX:
		z.mx.Add(1)
		a.Records = []transport.DNSRecord{transport.DNSRecord("\x00\x0a\x02mx\x07example\x00")}
	case transport.DNSTypeA:
		addr := netip.MustParseAddr("198.105.0.1").As4()
		a.Records = []transport.DNSRecord{addr[:]}
	case transport.DNSTypeTLSA:
		a.Records = []transport.DNSRecord{append([]byte{3, 1, 1}, make([]byte, 32)...)}
	}
	return a, nil
}

// noPolicies is a FetchFunc for domains that announce none.
func noPolicies(context.Context, string, int64) (int, string, []byte, error) {
	return 404, "", nil, nil
}

const (
	manyRecipients = 10_000
	manyDomains    = 300
)

func newProber(t testing.TB, z *zones) *mx.Prober {
	t.Helper()
	p, err := mx.NewProber(mx.ProberConfig{Resolver: z, Fetch: noPolicies})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func manyAddresses() []string {
	addresses := make([]string, manyRecipients)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("p%d@d%d.example", i, i%manyDomains)
	}
	return addresses
}

func attestedRelay(transport.Query) (transport.Offer, error) {
	return transport.Offer{TLS: true, Assurance: transport.Attested}, nil
}

func TestTenThousandRecipientsMakeOneLookUpADomain(t *testing.T) {
	t.Parallel()
	z := &zones{}
	p := newProber(t, z)
	w := newWorld(t, func(c *phimail.Config) { c.Prober, c.MaxRecipients, c.Policy = p, manyRecipients, tlsOnly() })
	w.relay.offer = attestedRelay
	msg := reminder(manyAddresses()...)
	msg.Together = true
	for range 2 {
		plan, err := w.client.Plan(t.Context(), msg)
		if err != nil || plan.Err() != nil {
			t.Fatal(err, plan.Err())
		}
	}
	if n := z.mx.Load(); n != manyDomains {
		t.Errorf("%d look-ups for %d domains", n, manyDomains)
	}
}

// BenchmarkProbe is the Prober's share of a plan, warm: one recipient an
// operation.
func BenchmarkProbe(b *testing.B) {
	p := newProber(b, &zones{})
	domains := make([]string, manyDomains)
	for i := range domains {
		domains[i] = fmt.Sprintf("d%d.example", i)
		if r, err := p.Probe(b.Context(), domains[i]); err != nil || !r.Proven {
			b.Fatal(r, err)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := p.Probe(b.Context(), domains[i%manyDomains]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkPlan plans for 10,000 recipients of 300 domains, with and without a
// warm Prober: what differs is its share.
func BenchmarkPlan(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("prober=%t", with), func(b *testing.B) {
			w := newWorld(b, func(c *phimail.Config) {
				c.MaxRecipients, c.Policy = manyRecipients, &rules{decide: func(f *policy.Facts) (policy.Decision, error) {
					return verdicts(f, policy.Verdict{Modes: []policy.Mode{policy.TLS}, TLS: policy.Attested}), nil
				}}
				if with {
					c.Prober = newProber(b, &zones{})
				}
			})
			w.relay.offer = attestedRelay
			msg := reminder(manyAddresses()...)
			msg.Together = true
			b.ReportAllocs()
			for b.Loop() {
				plan, err := w.client.Plan(b.Context(), msg)
				if err != nil || plan.Err() != nil {
					b.Fatal(err, plan.Err())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/manyRecipients, "µs/recipient")
		})
	}
}
