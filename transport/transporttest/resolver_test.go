package transporttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
)

// answers is a resolver that is wrong in one way.
type answers func(name string, t transport.DNSType) (*transport.Answer, error)

func (a answers) Resolve(_ context.Context, name string, t transport.DNSType) (*transport.Answer, error) {
	return a(name, t)
}

// counting notes failures in place of failing.
type counting struct {
	*testing.T

	failures int
}

func (c *counting) Errorf(string, ...any) { c.failures++ }

type stop struct{}

func (c *counting) Fatalf(string, ...any) { c.failures++; panic(stop{}) }

func (c *counting) attempt(f func()) {
	defer func() { _, _ = recover().(stop) }()
	f()
}

func TestTheResolverKitFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	good := func(secure bool) *transport.Answer {
		return &transport.Answer{Name: "a.example", Records: []transport.DNSRecord{transport.DNSRecord("\x05hello")}, Secure: secure, Until: time.Now().Add(time.Minute)}
	}
	none := &transport.Answer{Name: "a.example", Secure: true, Until: time.Now().Add(time.Minute)}
	for name, broken := range map[string]answers{
		"a failure is none": func(string, transport.DNSType) (*transport.Answer, error) { return none, nil },
		"all is well":       func(string, transport.DNSType) (*transport.Answer, error) { return good(true), nil },
		"nothing is proven": func(string, transport.DNSType) (*transport.Answer, error) { return good(false), nil },
		"nothing is known":  func(string, transport.DNSType) (*transport.Answer, error) { return nil, errors.New("a.example failed") },
		"failures are final": func(string, transport.DNSType) (*transport.Answer, error) {
			return nil, &transport.Error{Status: transport.Rejected, Reason: transport.ErrDNSBogus}
		},
		"an answer and error": func(string, transport.DNSType) (*transport.Answer, error) {
			return none, &transport.Error{Status: transport.Deferred, Reason: transport.ErrDNSBogus}
		},
	} {
		found := 0
		for _, c := range resolverCases() {
			k := &counting{T: t}
			k.attempt(func() { c.run(k, func(string) (transport.Resolver, error) { return broken, nil }) })
			if k.failures > 0 {
				found++
			}
		}
		if found < 5 {
			t.Errorf("%s: found by %d cases only", name, found)
		}
	}
}
