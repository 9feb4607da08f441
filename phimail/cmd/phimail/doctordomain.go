package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/mx"
)

// domainLook is how doctor finds out about a domain: as send would, or without
// a configuration that says how, by the system's resolver.
type domainLook struct {
	prober   *mx.Prober
	resolver *lookup.Resolver
	// configured says that the user chose the resolver: then its silence is a
	// fault.
	configured bool
}

func (l *domainLook) close(ctx context.Context) {
	ctx, cancel := closing(ctx)
	defer cancel()
	_ = l.prober.Close(ctx)
}

// openDomainLook is nil where there is nothing to ask.
func (a *app) openDomainLook(c *config) (*domainLook, error) {
	b := probeConfig{}
	switch {
	case c != nil && c.probe.line > 0:
		b = c.probe
	case c != nil && c.transport.mx.line > 0:
		m := &c.transport.mx
		b = probeConfig{
			line: m.line, resolver: m.resolver, trustAD: m.trustAD, caFile: m.caFile, policyPort: m.policyPort, port: m.port,
			allowPrivate: m.allowPrivate, cacheDir: m.cacheDir, exclude: m.exclude,
		}
	default:
		servers := a.nameServers()
		if len(servers) == 0 {
			return nil, nil //nolint:nilnil // nobody to ask is no fault
		}
		b.resolver = value[string]{v: servers[0]}
	}
	if c == nil {
		c = &config{}
	}
	// Whoever runs doctor may not be who sends: it makes no directory.
	if b.cacheDir.v != "" && !exists(c.path(b.cacheDir)) {
		b.cacheDir.v = ""
	}
	l := &domainLook{configured: b.line > 0}
	with := *c
	with.probe = b
	if !l.configured {
		with.probe.line = 1
	}
	var err error
	if l.prober, l.resolver, err = a.newProber(&with); err != nil {
		return nil, err
	}
	return l, nil
}

// look opens the way to ask about domains. With a resolver in the configuration
// all records are asked for there.
func (e *examination) look(c *config) *domainLook {
	l, err := e.app.openDomainLook(c)
	if err != nil {
		walk(err, func(err error) { e.note("probe", checkFail, err.Error(), "correct the configuration") })
		return nil
	}
	if l != nil && l.configured {
		e.app.lookupTXT = l.txt
	}
	return l
}

// txt asks for TXT records at the resolver that is configured, so that one
// world is looked at and not two.
func (l *domainLook) txt(ctx context.Context, name string) ([]string, error) {
	answer, err := l.resolver.Resolve(ctx, name, transport.DNSTypeTXT)
	switch {
	case err != nil:
		return nil, err
	case len(answer.Records) == 0:
		return nil, &net.DNSError{Err: "no such record", IsNotFound: true}
	}
	return answer.Texts(), nil
}

// recipientDomain shows what is known of the servers of a domain: where its mail
// goes, whether DANE or MTA-STS proves them, and what follows for a message.
func (e *examination) recipientDomain(ctx context.Context, l *domainLook, domain string, own bool) {
	domain = compose.ASCIIDomain(strings.TrimSuffix(domain, "."))
	d, err := l.prober.Destination(ctx, domain)
	if err != nil {
		e.noDestination(l, domain, err, own)
		return
	}
	names := make([]string, len(d.Servers))
	for i := range d.Servers {
		names[i] = d.Servers[i].Name
	}
	signed := "not signed"
	if d.MXSecure {
		signed = "proven by DNSSEC"
	}
	e.note("mx "+domain, checkOK, fmt.Sprintf("mail goes to %s; the records are %s", strings.Join(names, ", "), signed), "")
	e.mtaSTS(domain, d)
	e.dane(domain, d)
	e.verdict(ctx, l, domain)
}

// noDestination says why. A sender's own domain need not take mail.
func (e *examination) noDestination(l *domainLook, domain string, err error, own bool) {
	name := "mx " + domain
	switch {
	case own && errors.Is(err, transport.ErrNoDomain):
		e.note(name, checkWarn, "the domain has no server for mail, so nobody can answer or send it bounces", "publish an MX record")
	case errors.Is(err, transport.ErrNullMX):
		e.note(name, checkOK, "the domain says that it takes no mail (RFC 7505)", "")
	case errors.Is(err, transport.ErrNoDomain):
		e.note(name, checkFail, "the domain does not exist, or has no server for mail", "correct the domain")
	case errors.Is(err, transport.ErrDNSBogus):
		e.note(name, checkFail, "DNSSEC says that the records are forged or broken: "+relayFault(err),
			"whoever runs the domain has to mend its signatures; until then nothing is sent there by tls")
	case l.configured:
		e.note(name, checkFail, "the resolver could not find out: "+relayFault(err),
			"check that the resolver of the configuration answers, then the domain's name servers")
	default:
		e.note(name, checkSkipped, notAsked, "")
	}
}

// mtaSTS says what policy there is (RFC 8461).
func (e *examination) mtaSTS(domain string, d *mx.Destination) {
	name := "mta-sts " + domain
	const publish = "publish a policy of mode enforce (RFC 8461), so that nobody between can take TLS away"
	switch p, err := d.Policy, d.PolicyErr; {
	case p != nil:
		status, remedy := checkOK, ""
		if p.Mode != "enforce" {
			status, remedy = checkWarn, "only the mode enforce proves anything; move to it once reports are good"
		}
		age := e.app.now().Sub(p.Fetched).Truncate(time.Second)
		e.note(name, status, fmt.Sprintf("policy %s, mode %s, max_age %s, fetched %s ago, for %s",
			p.ID, p.Mode, p.MaxAge, age, strings.Join(p.MX, ", ")), remedy)
	case err == nil:
		e.note(name, checkWarn, "there is no policy", publish)
	case errors.Is(err, transport.ErrFetch):
		e.note(name, checkFail, "a policy is announced and can't be fetched: "+relayFault(err),
			"mend https://mta-sts."+domain+"/.well-known/mta-sts.txt: its certificate, redirects, or size")
	case errors.Is(err, transport.ErrPolicyText):
		e.note(name, checkFail, "a policy is announced, and what comes is none",
			"serve it with status 200 as text/plain, and correct its text (RFC 8461 section 3.2)")
	default:
		e.note(name, checkFail, "nobody knows whether there is a policy: "+relayFault(err), "mend the domain's name servers")
	}
}

// dane says what TLSA records prove of the servers (RFC 7672); the worst of them
// gives the status and the remedy.
func (e *examination) dane(domain string, d *mx.Destination) {
	rank := map[string]int{checkOK: 0, checkWarn: 1, checkFail: 2}
	status, remedy := checkOK, ""
	details := make([]string, len(d.Servers))
	for i := range d.Servers {
		c := daneOf(&d.Servers[i], d)
		details[i] = d.Servers[i].Name + ": " + c.Detail
		if rank[c.Status] > rank[status] {
			status, remedy = c.Status, c.Remedy
		}
	}
	e.note("dane "+domain, status, strings.Join(details, "; "), remedy)
}

// daneOf is the check of one server.
func daneOf(s *mx.Server, d *mx.Destination) check {
	switch {
	case s.Err != nil && errors.Is(s.Err, transport.ErrNoMXMatch):
		return check{
			Status: checkFail, Detail: "the MTA-STS policy does not name it, so nothing is sent there",
			Remedy: "add it to the policy, or take it out of the MX records",
		}
	case s.Err != nil:
		return check{
			Status: checkFail, Detail: "it can't be used: " + relayFault(s.Err),
			Remedy: "mend its records; mail waits for that, or goes to another server",
		}
	case s.By == transport.ByDANE:
		records := make([]string, len(s.TLSA))
		for i := range s.TLSA {
			records[i] = mx.TLSAText(&s.TLSA[i])
		}
		detail := "verified by the TLSA records of " + s.Base + " (" + strings.Join(records, ", ") + ")"
		if s.Confirmed {
			detail += ", and a session with it holds"
		}
		return check{Status: checkOK, Detail: detail}
	case s.Unusable:
		return check{
			Status: checkFail, Detail: "there are TLSA records, and none can be used",
			Remedy: "publish one with usage 3 or 2, such as 3 1 1 (RFC 7672 section 3.1)",
		}
	case !d.MXSecure:
		return check{
			Status: checkWarn, Detail: "no proof: the domain is not signed, or the resolver does not validate",
			Remedy: "sign the zone and publish TLSA records; ask a validating resolver on this machine",
		}
	}
	return check{Status: checkWarn, Detail: "there are no TLSA records that DNSSEC proves", Remedy: "publish one, such as 3 1 1"}
}

// verdict is what a plan would go by.
func (e *examination) verdict(ctx context.Context, l *domainLook, domain string) {
	name := "recipient " + domain
	r, err := l.prober.Probe(ctx, domain)
	switch {
	case err != nil:
		e.note(name, checkFail, "nobody knows whether its servers are proven, so nothing is sent there by tls: "+relayFault(err),
			"try again; if it stays, the domain's name servers have to be mended")
	case r.Excluded != nil:
		since := ""
		if !r.Excluded.Since.IsZero() {
			since = " since " + r.Excluded.Since.Format(time.DateOnly)
		}
		e.note(name, checkWarn, "it is on the list of domains whose TLS is not good enough"+since+reasonIf(r.Excluded.Reason),
			"take it from exclude once that has changed")
	case r.Proven:
		e.note(name, checkOK, fmt.Sprintf("proven by %s until %s", r.By, r.Until.UTC().Format(time.RFC3339)), "")
	default:
		e.note(name, checkWarn, "not proven ("+string(r.Reason)+"): tls serves it only where a relay's attestation is enough",
			"send by another mode, or have the domain publish TLSA records or a policy of mode enforce")
	}
}

func reasonIf(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// systemNameServers are the resolvers of this machine's configuration.
func systemNameServers() []string {
	data, err := readSmall("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	var servers []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil {
			servers = append(servers, netip.AddrPortFrom(a, 53).String()) //nolint:mnd // the port of the DNS
		}
	}
	return slices.Compact(servers)
}
