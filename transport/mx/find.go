package mx

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dane"
	"github.com/phimail/sdk/transport/internal/mtasts"
	"github.com/phimail/sdk/transport/internal/smtpclient"
)

const (
	// maxServers bounds the servers of one domain that are looked at; those of
	// the least preference go.
	maxServers = 16
	// minLife keeps what was found for a moment even if the DNS says no time at
	// all, so that a plan can be carried out.
	minLife = time.Minute
	// failLife is how long a failure is remembered (RFC 9520 section 3.2).
	failLife = 5 * time.Second
)

// search finds out all about one domain.
type search struct {
	p      *Prober
	domain string
	now    time.Time

	mu    sync.Mutex
	until time.Time
}

// ends shortens what is found to one of the things that it rests on.
func (s *search) ends(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Before(s.until) {
		s.until = t
	}
}

func (s *search) resolve(ctx context.Context, name string, t transport.DNSType) (*transport.Answer, *transport.Error) {
	a, err := s.p.cfg.Resolver.Resolve(ctx, name, t)
	if err != nil {
		if te, ok := errors.AsType[*transport.Error](err); ok && te.Status != transport.Accepted {
			return nil, te
		}
		return nil, failed(transport.Deferred, transport.ErrDNSServFail)
	}
	s.ends(a.Until)
	return a, nil
}

// destination asks for the servers, then for all about each of them and for the
// policy at the same time.
func (s *search) destination(ctx context.Context) (*Destination, *transport.Error) {
	d := &Destination{Domain: s.domain, Checked: s.now}
	if err := s.servers(ctx, d); err != nil {
		return nil, err
	}
	policy := s.policy(ctx, d)
	var wg sync.WaitGroup
	for i := range d.Servers {
		wg.Go(func() { s.server(ctx, d, &d.Servers[i], policy) })
	}
	wg.Wait()
	// Without MX records the domain's own address would be it (RFC 5321 section
	// 5.1).
	if only := &d.Servers[0]; only.Name == s.domain && only.Err != nil && only.Err.Reason == transport.ErrNoDomain && len(d.Servers) == 1 {
		return nil, failed(transport.Rejected, transport.ErrNoDomain)
	}
	return d, nil
}

// servers fills in the hosts of the MX records.
func (s *search) servers(ctx context.Context, d *Destination) *transport.Error {
	a, err := s.resolve(ctx, s.domain, transport.DNSTypeMX)
	if err != nil {
		return err
	}
	if a.NXDomain {
		return failed(transport.Rejected, transport.ErrNoDomain)
	}
	d.MXSecure = a.Secure
	records, ok := a.MX()
	if len(a.Records) == 0 {
		d.Servers = []Server{{Name: s.domain, Base: s.domain}}
		return nil
	}
	if ok && len(records) == 1 && records[0].Host == "" {
		return failed(transport.Rejected, transport.ErrNullMX)
	}
	slices.SortStableFunc(records, func(a, b transport.MXRecord) int { return cmp.Compare(a.Preference, b.Preference) })
	for _, r := range records {
		known := slices.ContainsFunc(d.Servers, func(s Server) bool { return s.Name == r.Host })
		if r.Host == "" || known {
			continue
		}
		if len(d.Servers) == maxServers {
			ok = false
			break
		}
		d.Servers = append(d.Servers, Server{Name: r.Host, Preference: r.Preference, Base: r.Host})
	}
	if len(d.Servers) == 0 {
		return failed(transport.Deferred, transport.ErrDNSAnswer)
	}
	if !ok {
		// There are records that can't be read, or too many. Somebody else may
		// send there, so the domain is not proven by the others.
		const last = 1<<16 - 1
		d.Servers = append(d.Servers, Server{
			Name: unlisted, Base: unlisted, Preference: last, Err: failed(transport.Refused, transport.ErrNoProof),
		})
	}
	return nil
}

// unlisted stands for servers that are not looked at.
const unlisted = "unlisted.invalid"

// server finds out about one server. What an enforced policy does not name is
// not looked at further.
func (s *search) server(ctx context.Context, d *Destination, v *Server, policy *mtasts.Policy) {
	if v.Err != nil {
		return
	}
	v.Listed = policy != nil && policy.Matches(v.Name)
	enforced := policy != nil && policy.Mode == mtasts.Enforce
	if enforced && !v.Listed {
		v.Err = failed(transport.Refused, transport.ErrNoMXMatch)
		return
	}
	bases := s.addresses(ctx, v)
	// DANE comes first (RFC 8461 section 2), and needs MX records that are
	// proven: without them the server may be anybody's (RFC 7672 section 2.2.1).
	if d.MXSecure && (v.Err == nil || v.Err.Reason == transport.ErrNoDomain) {
		s.dane(ctx, v, bases)
	}
	if v.By == "" && enforced && (v.Err == nil || v.Err.Reason == transport.ErrNoDomain) {
		v.By = transport.ByMTASTS
	}
	if v.Err == nil && v.By != "" && s.p.cfg.Confirm {
		s.p.confirm(ctx, v)
	}
}

// addresses fills in where v is, and returns the names that TLSA records may
// stand at, in order: none where DNSSEC proves nothing about v (RFC 7672
// section 2.2.2).
func (s *search) addresses(ctx context.Context, v *Server) (bases []string) {
	answers, failure := s.families(ctx, v.Name)
	found := 0
	for _, a := range answers {
		for _, addr := range a.Addrs() {
			if found++; smtpclient.Reachable(addr, s.p.cfg.AllowPrivate) {
				v.Addrs = append(v.Addrs, addr)
			}
		}
	}
	v.Addrs = smtpclient.Alternate(v.Addrs)
	switch {
	case found == 0 && failure != nil:
		v.Err = failure
		return nil
	case found == 0:
		v.Err = failed(transport.Deferred, transport.ErrNoDomain)
		v.absent = !slices.ContainsFunc(answers, func(a *transport.Answer) bool { return !a.Secure })
	case len(v.Addrs) == 0:
		v.Err = failed(transport.Refused, transport.ErrAddress)
	}
	return s.bases(ctx, v, answers)
}

// families asks for the addresses of IPv6 and IPv4 side by side. One family that
// is not known is an error only where the other has nothing.
func (s *search) families(ctx context.Context, name string) (answers []*transport.Answer, failure *transport.Error) {
	types := [...]transport.DNSType{transport.DNSTypeAAAA, transport.DNSTypeA}
	var got [len(types)]*transport.Answer
	var errs [len(types)]*transport.Error
	var wg sync.WaitGroup
	for i, t := range types {
		wg.Go(func() { got[i], errs[i] = s.resolve(ctx, name, t) })
	}
	wg.Wait()
	for i := range types {
		if errs[i] != nil {
			failure = errs[i]
			continue
		}
		answers = append(answers, got[i])
	}
	return answers, failure
}

// bases are the fully expanded name, if each step to it is proven, and the name
// itself, if it is (RFC 7672 section 2.2.2, RFC 7671 section 7).
func (s *search) bases(ctx context.Context, v *Server, answers []*transport.Answer) []string {
	expanded, alias, secure := "", false, false
	for _, a := range answers {
		alias = alias || a.Alias
		if a.Secure {
			secure = true
			if a.Alias && expanded == "" {
				expanded = a.Name
			}
		}
	}
	switch {
	case secure && alias && expanded != "":
		return []string{expanded, v.Name}
	case secure:
		return []string{v.Name}
	case !alias:
		return nil
	}
	// The alias leads into a zone that is not signed. Where the alias itself is
	// proven, records at its own name count.
	a, err := s.resolve(ctx, v.Name, transport.DNSTypeCNAME)
	if err != nil {
		v.Err = err
		return nil
	}
	if !a.Secure {
		return nil
	}
	return []string{v.Name}
}

// dane looks for TLSA records. A look-up that fails keeps mail from this server:
// there may be records (RFC 7672 section 2.1.2 and 2.2).
func (s *search) dane(ctx context.Context, v *Server, bases []string) {
	for _, base := range bases {
		a, err := s.tlsa(ctx, base)
		if err != nil {
			v.Err = err
			return
		}
		if a == nil {
			continue
		}
		usable := dane.Usable(a.TLSA())
		if len(usable) == 0 {
			// Published, and nothing can be verified by it: TLS without a proof
			// (RFC 7672 section 2.2), which only a policy can make good.
			v.Unusable = true
			return
		}
		v.By, v.TLSA, v.Base = transport.ByDANE, usable, base
		v.Names = []string{base}
		for _, n := range []string{v.Name, s.domain} {
			if !slices.Contains(v.Names, n) {
				v.Names = append(v.Names, n)
			}
		}
		return
	}
}

// tlsa asks for the records of a host, nil where there are none that DNSSEC
// proves. Where another port stands in for 25, what is published for mail counts
// after what is published for that port.
func (s *search) tlsa(ctx context.Context, base string) (*transport.Answer, *transport.Error) {
	ports := []uint16{s.p.cfg.Port}
	if s.p.cfg.Port != defaultPort {
		ports = append(ports, defaultPort)
	}
	for _, port := range ports {
		a, err := s.resolve(ctx, "_"+strconv.Itoa(int(port))+"._tcp."+base, transport.DNSTypeTLSA)
		if err != nil {
			return nil, err
		}
		if len(a.Records) > 0 && a.Secure {
			return a, nil
		}
	}
	return nil, nil //nolint:nilnil // that there is none is an answer
}
