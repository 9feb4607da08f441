package policy

import (
	"fmt"
	"slices"
)

// Agreements set up the rule for business associates.
type Agreements struct {
	// Regions, if not empty, are those in which parties may keep PHI. A party
	// whose region is not known is then refused.
	Regions []string
	// RegionOf names the region of parties that the transport does not tell.
	RegionOf map[string]string
}

// agreements: whoever sees PHI has signed for it, and the paper is in date.
type agreements struct {
	o  *Options
	op Agreements
}

func (a agreements) Judge(f *Facts, i int) Ruling {
	out := Pass()
	if !a.o.phi(f) {
		return out
	}
	if offer := f.Recipients[i].Offer; offer != nil && (offer.Provider.Name != "" || offer.Provider.Agreement != nil) {
		out = out.And(a.party(f, &offer.Provider))
	}
	for k := range f.Parties {
		out = out.And(a.party(f, &f.Parties[k]))
	}
	return out
}

func (a agreements) party(f *Facts, p *Party) Ruling {
	role := "party: " + p.Role
	out := Pass()
	switch g := p.Agreement; {
	case g == nil:
		out = refuse("agreements", "baa-missing", "a business associate agreement on record", role, "no agreement on record")
	case !g.InForce(f.Time) && !g.Expires.IsZero() && !f.Time.Before(g.Expires):
		out = refuse("agreements", "baa-expired", "a renewed agreement", role, "agreement expired")
	case !g.InForce(f.Time):
		out = refuse("agreements", "baa-not-in-force", "an agreement that is signed and has begun", role, "agreement not in force")
	}
	if len(a.op.Regions) == 0 {
		return out
	}
	region := p.Region
	if region == "" {
		region = a.op.RegionOf[p.Name]
	}
	if !slices.Contains(a.op.Regions, region) {
		out = out.And(refuse("agreements", "region", "a party in one of the allowed regions", role, "region unknown or not allowed"))
	}
	return out
}

func (a agreements) Doc() Doc {
	return Doc{
		Name: "agreements", Title: "Business associate agreements",
		What: "Every party that sees PHI (the provider of the transport, a remote classifier or store, whoever sends codes) has a business " +
			"associate agreement on record that is signed and in date; an expired one refuses. " +
			"This holds for encrypted messages too: the provider still sees who writes to whom.",
		Source:  "45 CFR 164.502(e), 164.504(e), 164.308(b)",
		Default: "On. A transport without a named provider is the host's own. No region is asked for.",
		Change:  "transport.baa in the configuration file; Config.Parties for others; Agreements.Regions limits where they may keep PHI.",
		Setting: fmt.Sprintf("regions %q, of %v", a.op.Regions, a.op.RegionOf),
	}
}
