package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/mx/tlsrpt"
)

// helpConfigMX stands in a comment, since a file has one transport.
const helpConfigMX = `  # mx:                          # to the recipients' own servers, proven by DANE or MTA-STS
  #   resolver: "127.0.0.1:53"   # a validating resolver; DNSSEC counts from loopback only
  #   trust_ad: []               # and from these addresses, if the way there is protected
  #   port: 25                   # where servers listen; other values are for tests
  #   ca_file: ca.pem            # authority of servers and policy hosts; default: the system's
  #   policy_port: 443           # where policy hosts listen; likewise
  #   allow_private: false       # take servers at private and loopback addresses
  #   cache_dir: policies/       # policies survive a restart there; default: mta-sts beside the log
  #   requiretls: false          # ask for it (RFC 8689), and leave servers alone without it
  #   hello: out.clinic.example  # our name in EHLO; default: our address
  #   local_addrs: []            # where connections come from: one of IPv4, one of IPv6
  #   timeout: 30s               # of one command
  #   exclude: []                # domains whose TLS is not good enough; see probe
  #   tls_reports: {dir: tlsrpt/, organization: "Riverside Clinic", contact: tls@clinic.example}
                                 # counts sessions for the reports of RFC 8460
`

// mxConfig is the block `transport.mx`: delivery to the recipients' own servers.
type mxConfig struct {
	line         int
	resolver     value[string]
	trustAD      []value[string]
	port         value[int]
	caFile       value[string]
	policyPort   value[int]
	allowPrivate value[bool]
	cacheDir     value[string]
	requireTLS   value[bool]
	hello        value[string]
	localAddrs   []value[string]
	timeout      value[time.Duration]
	exclude      []exclusionConfig
	reports      tlsReportsConfig
}

// tlsReportsConfig says where results are counted for reports (RFC 8460).
type tlsReportsConfig struct {
	line                       int
	dir, organization, contact value[string]
}

func (m *mxConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		m.line = n.Line
		s.mapping(key, n, map[string]setter{
			"resolver":      s.text(&m.resolver),
			"trust_ad":      s.texts(&m.trustAD),
			"port":          s.number(&m.port),
			"ca_file":       s.text(&m.caFile),
			"policy_port":   s.number(&m.policyPort),
			"allow_private": s.flag(&m.allowPrivate),
			"cache_dir":     s.text(&m.cacheDir),
			"requiretls":    s.flag(&m.requireTLS),
			"hello":         s.text(&m.hello),
			"local_addrs":   s.texts(&m.localAddrs),
			"timeout":       s.duration(&m.timeout),
			"exclude":       takeExclude(s, &m.exclude),
			"tls_reports":   m.reports.take(s),
		})
	}
}

func (r *tlsReportsConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		r.line = n.Line
		s.mapping(key, n, map[string]setter{
			"dir":          s.text(&r.dir),
			"organization": s.text(&r.organization),
			"contact":      s.text(&r.contact),
		})
	}
}

func (m *mxConfig) check(c *config, s *strict) {
	if m.resolver.v == "" {
		m.resolver = value[string]{defaultResolver, m.line, "transport.mx.resolver"}
	}
	checkResolver(s, &m.resolver, m.line, "transport.mx.resolver")
	checkTrusted(s, m.trustAD)
	checkPort(s, &m.port)
	checkPort(s, &m.policyPort)
	for _, a := range m.localAddrs {
		if _, err := netip.ParseAddr(a.v); err != nil {
			s.faultf(a.line, a.key, "must be an IP address of this machine")
		}
	}
	checkExclude(c, s, "transport.mx.exclude.domain", m.exclude)
	if r := &m.reports; r.line > 0 {
		c.need(s, r.line, "transport.mx.tls_reports.dir", &r.dir)
		c.need(s, r.line, "transport.mx.tls_reports.organization", &r.organization)
		c.need(s, r.line, "transport.mx.tls_reports.contact", &r.contact)
	}
}

// direct is the transport to the recipients' servers with what it stands on.
type direct struct {
	*mx.Transport

	lookups  *lookups
	prober   *mx.Prober
	recorder *tlsrpt.Recorder // nil without tls_reports
}

// Close ends all of it.
func (d *direct) Close(ctx context.Context) error {
	err := errors.Join(d.Transport.Close(ctx), d.prober.Close(ctx))
	if d.recorder != nil {
		err = errors.Join(err, d.recorder.Close())
	}
	return err
}

func (a *app) openMX(c *config) (*direct, error) {
	b := &c.transport.mx
	l, err := a.openLookups(c, b.resolver, b.caFile, b.policyPort.v, b.allowPrivate.v, b.trustAD...)
	if err != nil {
		return nil, err
	}
	roots, err := c.authorities(b.caFile)
	if err != nil {
		return nil, err
	}
	port := uint16(b.port.v) //nolint:gosec // checked to be a port
	pc := mx.ProberConfig{
		Resolver: l.resolver, Fetch: l.https.Get, Port: port, AllowPrivate: b.allowPrivate.v, RootCAs: roots, Clock: a.now,
		Exclude: exclusions(b.exclude),
	}
	// Each call of the command is a process of its own: without the cache, whoever
	// removes a policy's record would end the policy (RFC 8461 section 10.2).
	pc.CacheDir = filepath.Join(filepath.Dir(c.path(c.audit.file)), "mta-sts")
	if b.cacheDir.v != "" {
		pc.CacheDir = c.path(b.cacheDir)
	}
	d := &direct{lookups: l}
	mc := mx.Config{
		Port: port, RootCAs: roots, AllowPrivate: b.allowPrivate.v, RequireTLS: b.requireTLS.v, Hello: b.hello.v, Timeout: b.timeout.v, Clock: a.now,
	}
	for _, v := range b.localAddrs {
		if addr, err := netip.ParseAddr(v.v); err == nil {
			mc.LocalAddrs = append(mc.LocalAddrs, addr)
		}
	}
	if d.recorder, err = a.openReports(c); err != nil {
		return nil, err
	}
	if d.recorder != nil {
		mc.Observer = d.recorder
	}
	if d.prober, err = mx.NewProber(pc); err != nil {
		return nil, errors.Join(c.mxFaults(err), d.closeReports())
	}
	mc.Destinations = d.prober
	if d.Transport, err = mx.New(mc); err != nil {
		return nil, errors.Join(c.mxFaults(err), d.prober.Close(context.Background()), d.closeReports())
	}
	return d, nil
}

func (d *direct) closeReports() error {
	if d.recorder == nil {
		return nil
	}
	return d.recorder.Close()
}

// openReports is nil without the block.
func (a *app) openReports(c *config) (*tlsrpt.Recorder, error) {
	b := &c.transport.mx.reports
	if b.line == 0 {
		return nil, nil //nolint:nilnil // no reports are a configuration, not a fault
	}
	r, err := tlsrpt.New(tlsrpt.Config{Dir: c.path(b.dir), Organization: b.organization.v, Contact: b.contact.v, Clock: a.now})
	if err != nil {
		return nil, c.fault(b.line, "transport.mx.tls_reports", err.Error())
	}
	return r, nil
}

// mxFaults puts the block in the place of the library's fields.
func (c *config) mxFaults(err error) error {
	var faults []error
	walk(err, func(e error) {
		why := strings.TrimPrefix(strings.TrimPrefix(e.Error(), "mx: ProberConfig."), "mx: Config.")
		faults = append(faults, c.fault(c.transport.mx.line, "transport.mx", why))
	})
	return errors.Join(faults...)
}

// direct sees whether the resolver can be asked, and whether what it says of
// DNSSEC counts.
func (e *examination) direct(ctx context.Context, c *config) {
	const name = "mx"
	d, err := e.app.openMX(c) //nolint:contextcheck // small files are read at once, without a context
	if err != nil {
		walk(err, func(err error) { e.note(name, checkFail, err.Error(), "correct the configuration") })
		return
	}
	defer func() {
		ctx, cancel := closing(ctx)
		defer cancel()
		_ = d.Close(ctx)
	}()
	// The zone arpa is signed, so that a resolver that validates says so.
	answer, err := d.lookups.resolver.Resolve(ctx, "arpa", transport.DNSTypeTXT)
	switch {
	case err != nil:
		e.note(name, checkFail, "the resolver does not answer: "+relayFault(err), "check transport.mx.resolver; unbound on this machine is a good one")
		return
	case !d.lookups.resolver.Trusted():
		e.note(name, checkWarn, "the resolver is not on this machine, so what it says of DNSSEC does not count: only MTA-STS can prove a server",
			"run one that validates on this machine, such as unbound")
	case !answer.Secure:
		e.note(name, checkWarn, "the resolver does not validate DNSSEC: only MTA-STS can prove a server", "run one that validates, such as unbound")
	default:
		e.note(name, checkOK, "the resolver answers and validates DNSSEC", "")
	}
	if c.transport.mx.hello.v == "" {
		e.note("mx hello", checkWarn, "no name for EHLO is configured; many servers refuse a bare address",
			"set transport.mx.hello to the name that this machine's address resolves to")
	}
	e.mxNeed(c)
}

// mxNeed says what tls can be used for.
func (e *examination) mxNeed(c *config) {
	if !c.has("tls") {
		e.note("assurance", checkOK, "tls is not among modes, so nothing rests on TLS alone", "")
		return
	}
	e.note("assurance", checkOK,
		fmt.Sprintf("mail goes by tls to servers that DANE or MTA-STS proves, which is assurance %s; the others get the next of modes",
			transport.Recipient), "")
}
