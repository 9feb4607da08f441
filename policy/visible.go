package policy

import "fmt"

// Visible sets up the rule for recipients who see each other.
type Visible struct {
	// Together are groups of domains whose people may see each other's
	// addresses, such as a clinic and its laboratory.
	Together [][]string
}

// visible: To and Cc tell everybody who else is written to.
type visible struct {
	o        Visible
	internal []string
}

func (v visible) Judge(f *Facts, _ int) Ruling {
	if f.Together {
		return Pass()
	}
	first := ""
	for k := range f.Recipients {
		r := &f.Recipients[k]
		if r.Kind == Bcc {
			continue
		}
		domain := domainOf(r.Address.Address)
		switch {
		case isInternal(f, domain, v.internal):
		case first == "":
			first = domain
		case domain != first && !v.together(domain, first):
			return refuse("visible-recipients", "visible-recipients",
				"a message for each, Bcc, Message.Together, or Visible.Together for these domains",
				"recipients in To and Cc have different external domains")
		}
	}
	return Pass()
}

func (v visible) together(a, b string) bool {
	for _, group := range v.o.Together {
		if belowAny(a, group) && belowAny(b, group) {
			return true
		}
	}
	return false
}

func (v visible) Doc() Doc {
	return Doc{
		Name: "visible-recipients", Title: "Recipients who see each other",
		What:    "A message whose To and Cc name recipients in different external domains is refused, since each would learn who else is written to.",
		Source:  "45 CFR 164.502(a), 164.530(c)(2)(ii): incidental disclosure",
		Default: "On. The domain of the sender, and Domains.Internal, are not external.",
		Change:  "Visible.Together lists domains that may see each other; Message.Together says so for one message; Bcc recipients see nobody.",
		Setting: fmt.Sprintf("together %q, internal %q", v.o.Together, v.internal),
	}
}
