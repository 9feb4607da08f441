package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/mx"
)

// probeConfig is the block `probe`: the Prober beside a relay.
type probeConfig struct {
	line         int
	resolver     value[string]
	trustAD      []value[string]
	caFile       value[string]
	policyPort   value[int]
	port         value[int]
	allowPrivate value[bool]
	confirm      value[bool]
	cacheDir     value[string]
	exclude      []exclusionConfig
}

// exclusionConfig is a domain for which TLS is judged not good enough.
type exclusionConfig struct {
	line           int
	domain, reason value[string]
	since          value[time.Time]
}

func (p *probeConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		p.line = n.Line
		s.mapping(key, n, map[string]setter{
			"resolver":      s.text(&p.resolver),
			"trust_ad":      s.texts(&p.trustAD),
			"ca_file":       s.text(&p.caFile),
			"policy_port":   s.number(&p.policyPort),
			"port":          s.number(&p.port),
			"allow_private": s.flag(&p.allowPrivate),
			"confirm":       s.flag(&p.confirm),
			"cache_dir":     s.text(&p.cacheDir),
			"exclude":       takeExclude(s, &p.exclude),
		})
	}
}

// takeExclude reads entries with a date and a reason. A bare domain is taken
// too: to leave a domain out is never the unsafe thing.
func takeExclude(s *strict, list *[]exclusionConfig) setter {
	return s.list(func(key string, n *yaml.Node) {
		e := exclusionConfig{line: n.Line}
		if n.Kind == yaml.ScalarNode {
			s.text(&e.domain)(key, n)
		} else {
			s.mapping(key, n, map[string]setter{
				"domain": s.text(&e.domain),
				"since":  s.date(&e.since),
				"date":   s.date(&e.since),
				"reason": s.text(&e.reason),
			})
		}
		*list = append(*list, e)
	})
}

// defaultResolver is one on this machine: what it says of DNSSEC counts.
const defaultResolver = "127.0.0.1:53"

const portRange = "must be a port, from 1 to 65535"

func (p *probeConfig) check(c *config, s *strict) {
	if p.line == 0 {
		return
	}
	if p.resolver.v == "" {
		p.resolver = value[string]{defaultResolver, p.line, "probe.resolver"}
	}
	checkResolver(s, &p.resolver, p.line, "probe.resolver")
	checkTrusted(s, p.trustAD)
	checkPort(s, &p.policyPort)
	checkPort(s, &p.port)
	checkExclude(c, s, "probe.exclude.domain", p.exclude)
}

func checkExclude(c *config, s *strict, key string, list []exclusionConfig) {
	for i := range list {
		c.need(s, list[i].line, key, &list[i].domain)
	}
}

func exclusions(list []exclusionConfig) []transport.Exclusion {
	out := make([]transport.Exclusion, len(list))
	for i, e := range list {
		out[i] = transport.Exclusion{Domain: e.domain.v, Since: e.since.v, Reason: e.reason.v}
	}
	return out
}

// checkResolver wants an address: a name would have to be resolved first.
func checkResolver(s *strict, v *value[string], line int, key string) {
	if _, err := resolverAddr(v.v); err != nil {
		s.faultf(max(line, v.line), key, `must be the address and port of a validating resolver, such as "127.0.0.1:53"`)
	}
}

// checkTrusted wants the addresses of resolvers whose word about DNSSEC counts.
func checkTrusted(s *strict, list []value[string]) {
	for _, v := range list {
		if _, err := netip.ParseAddr(v.v); err != nil {
			s.faultf(v.line, v.key, "must be the address of a validating resolver that is reached by a protected way")
		}
	}
}

// resolverAddr takes an address with or without a port.
func resolverAddr(s string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return net.JoinHostPort(ip.String(), "53"), nil
	}
	a, err := netip.ParseAddrPort(s)
	if err == nil && a.Port() == 0 {
		err = errors.New("no port")
	}
	return s, err
}

func checkPort(s *strict, v *value[int]) {
	if v.line > 0 && (v.v < 1 || v.v > 65535) {
		s.faultf(v.line, v.key, portRange)
	}
}

// lookups are the ways to ask the world about a recipient's domain.
type lookups struct {
	resolver *lookup.Resolver
	https    *lookup.HTTPS
}

// policyTimeout bounds the fetch of one policy: whoever sends is waiting.
const policyTimeout = 15 * time.Second

// openLookups makes a resolver and a client for https. port is 0 for 443. What
// resolvers at the addresses of trust say of DNSSEC counts.
func (a *app) openLookups(c *config, resolver, caFile value[string], port int, private bool, trust ...value[string]) (*lookups, error) {
	addr, err := resolverAddr(resolver.v)
	if err != nil {
		return nil, c.fault(resolver.line, resolver.key, "is no address")
	}
	l := &lookups{}
	lc := lookup.Config{Servers: []string{addr}, Clock: a.now}
	for _, v := range trust {
		if ip, err := netip.ParseAddr(v.v); err == nil {
			lc.TrustAD = append(lc.TrustAD, ip)
		}
	}
	if l.resolver, err = lookup.New(lc); err != nil {
		return nil, c.fault(resolver.line, resolver.key, err.Error())
	}
	roots, err := c.authorities(caFile)
	if err != nil {
		return nil, err
	}
	l.https, err = lookup.NewHTTPS(lookup.HTTPSConfig{
		Resolver: l.resolver, RootCAs: roots, AllowPrivate: private, Timeout: policyTimeout, Clock: a.now,
		Port: uint16(port), //nolint:gosec // checked to be a port
	})
	return l, err
}

// openProber is nil without the block.
func (a *app) openProber(c *config) (*mx.Prober, error) {
	if c.probe.line == 0 {
		return nil, nil //nolint:nilnil // no prober is a configuration, not a fault
	}
	p, _, err := a.newProber(c)
	return p, err
}

// newProber makes one as the block says, with the resolver that it asks.
func (a *app) newProber(c *config) (*mx.Prober, *lookup.Resolver, error) {
	b := &c.probe
	l, err := a.openLookups(c, b.resolver, b.caFile, b.policyPort.v, b.allowPrivate.v, b.trustAD...)
	if err != nil {
		return nil, nil, err
	}
	pc := mx.ProberConfig{
		Resolver: l.resolver, Fetch: l.https.Get, Port: uint16(b.port.v), AllowPrivate: b.allowPrivate.v, //nolint:gosec // checked to be a port
		Confirm: b.confirm.v, Exclude: exclusions(b.exclude), Clock: a.now,
	}
	if b.cacheDir.v != "" {
		pc.CacheDir = c.path(b.cacheDir)
	}
	if pc.RootCAs, err = c.authorities(b.caFile); err != nil {
		return nil, nil, err
	}
	p, err := mx.NewProber(pc)
	if err == nil {
		return p, l.resolver, nil
	}
	var faults []error
	walk(err, func(e error) {
		faults = append(faults, c.fault(b.line, "probe", strings.TrimPrefix(e.Error(), "mx: ProberConfig.")))
	})
	return nil, nil, errors.Join(faults...)
}

// openCarrier opens the transport, and the Prober beside it; both are closed
// together.
func (a *app) openCarrier(c *config, pc *phimail.Config) (*carrier, error) {
	t, err := a.openTransport(c)
	if err != nil {
		return nil, err
	}
	prober, err := a.openProber(c)
	switch {
	case err != nil:
		return nil, errors.Join(err, t.close(context.Background()))
	case prober == nil:
		pc.Prober = t.prober
		return t, nil
	}
	pc.Prober = prober
	end := t.close
	t.close = func(ctx context.Context) error {
		ctx, cancel := closing(ctx)
		defer cancel()
		return errors.Join(end(ctx), prober.Close(ctx))
	}
	return t, nil
}
