package policy

import (
	"slices"
	"strings"

	"github.com/phimail/sdk/policy/internal/domainname"
)

// phi reports whether the message counts as PHI. Only a host that trusts its
// classifier has messages that do not.
func (o *Options) phi(f *Facts) bool {
	c := &f.Classification
	return !o.TrustClassifier || !c.NoPHI || len(c.Special) > 0 || len(c.Findings) > 0
}

// commercial reports whether a message is marketing, by its stream or by its
// purpose: neither can be used to get around the rules for the other.
func commercial(f *Facts) bool { return f.Stream == Promotional || f.Purpose == Marketing }

// domainOf returns the part after the last "@" as [domainname.Canonical].
func domainOf(address string) string {
	return domainname.Canonical(address[strings.LastIndexByte(address, '@')+1:])
}

// below reports whether domain is parent or lies below it.
func below(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, parent) && domain[len(domain)-len(parent)-1] == '.'
}

func belowAny(domain string, parents []string) bool {
	return slices.ContainsFunc(parents, func(p string) bool { return below(domain, p) })
}

// isInternal reports whether a domain is the host's own: the sender's, or one
// that is listed.
func isInternal(f *Facts, domain string, listed []string) bool {
	return domain == domainOf(f.From.Address) || belowAny(domain, listed)
}

// soleSubject returns whom the message to recipient i is about, if that is one
// person and, where the host said who the recipient is, the recipient. Records of
// one patient say nothing of another's information.
func soleSubject(f *Facts, i int) string {
	r := &f.Recipients[i]
	subject := r.Patient
	for _, p := range f.Patients {
		if subject == "" {
			subject = p
		}
		if p != subject {
			return ""
		}
	}
	return subject
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = domainname.Canonical(strings.TrimPrefix(s, "."))
	}
	return out
}
