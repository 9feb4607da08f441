package policy

import "fmt"

// Domains lists domains. Each entry stands for itself and those below it, and is
// written as people read it or in A-labels ("xn--").
type Domains struct {
	// Internal are the host's own beside the sender's, Partners those of known
	// organisations, such as a laboratory.
	Internal, Partners []string
	// Allow, if not empty, are the only domains that are written to, beside
	// Internal and Partners. Deny are never written to.
	Allow, Deny []string
}

// domains: whom the host writes to at all.
type domains struct{ o Domains }

func (d domains) Judge(f *Facts, i int) Ruling {
	domain := domainOf(f.Recipients[i].Address.Address)
	switch {
	case belowAny(domain, d.o.Deny):
		return refuse("domains", "domain-denied", "Domains.Deny without this domain", "the recipient's domain is denied")
	case len(d.o.Allow) > 0 && !belowAny(domain, d.o.Allow) && !isInternal(f, domain, d.o.Internal) && !belowAny(domain, d.o.Partners):
		return refuse("domains", "domain-not-allowed", "Domains.Allow with this domain", "the recipient's domain is not among those allowed")
	}
	return Pass()
}

func (d domains) Doc() Doc {
	return Doc{
		Name: "domains", Title: "Domains of recipients",
		What:    "Refuses recipients in denied domains, and, where domains are allowed by name, all others.",
		Source:  "The organisation's own decision (45 CFR 164.308(a)(1)(ii)(B))",
		Default: "Nothing is denied, and every domain is allowed.",
		Change:  "Domains.Allow, Domains.Deny, Domains.Internal, Domains.Partners.",
		Setting: fmt.Sprintf("internal %q, partners %q, allow %q, deny %q", d.o.Internal, d.o.Partners, d.o.Allow, d.o.Deny),
	}
}
