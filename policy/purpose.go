package policy

// purpose: marketing takes the patient's authorization and opt-in.
type purpose struct{ o *Options }

func (p purpose) Judge(f *Facts, i int) Ruling {
	out := Pass()
	// A stated purpose other than marketing stands, also in the marketing stream:
	// a newsletter on the host's own services is not marketing by 164.501.
	marketing := f.Purpose == Marketing || f.Purpose == Unspecified && f.Stream == Promotional
	if !marketing {
		return out
	}
	r := &f.Recipients[i]
	address := AddressKey(r.Address)
	if p.o.phi(f) {
		out = out.And(p.authorized(f, r, address))
	}
	wanted := InForce(r.Records, OptIn, r.Patient, address, f.Time)
	if wanted == nil && r.Patient == "" {
		wanted = InForce(r.Records, OptIn, soleSubject(f, i), address, f.Time)
	}
	if wanted == nil {
		return out.And(refuse("purpose", "opt-in", "a record that the recipient wants marketing mail", "purpose marketing", "no opt-in on record"))
	}
	return out.And(passBy(wanted, "purpose", "opted-in", "opt-in on record"))
}

// passBy asks for nothing and names the record without which the rule would have
// objected: the decision rests on it.
func passBy(rec *Record, rule, code, fact string) Ruling {
	pass := Pass()
	pass.Steps = []Step{{
		Rule: rule, Code: code, Effect: "none", Facts: []string{fact}, Change: "its withdrawal or expiry", Record: rec.ID,
	}}
	return pass
}

// authorized wants an authorization of everybody whom the message is about.
func (p purpose) authorized(f *Facts, r *RecipientFacts, address string) Ruling {
	const change = "a patient's authorization on record"
	if len(f.Patients) == 0 && r.Patient == "" {
		return refuse("purpose", "authorization", change, "purpose marketing", "nobody named whom it is about")
	}
	out := Pass()
	check := func(who string) {
		rec := InForce(r.Records, Authorization, who, address, f.Time)
		if rec == nil {
			out = out.And(refuse("purpose", "authorization", change, "purpose marketing", "no authorization on record"))
			return
		}
		out = out.And(passBy(rec, "purpose", "authorized", "authorization on record"))
	}
	for _, who := range f.Patients {
		check(who)
	}
	if len(f.Patients) == 0 {
		check(r.Patient)
	}
	return out
}

func (p purpose) Doc() Doc {
	return Doc{
		Name: "purpose", Title: "Purpose and authorization",
		What: "Treatment, payment, operations and what the individual asked for pass. Marketing with PHI needs a recorded authorization of every " +
			"patient whom the message is about, and the recipient's opt-in. " +
			"The marketing stream without a stated purpose counts as marketing.",
		Source:  "45 CFR 164.506(c), 164.508(a)(3), 164.501 (marketing)",
		Default: "On. Without a store of records nobody has authorized anything, and marketing is refused.",
		Change: "Records of the kinds authorization and opt-in. A trusted classifier that finds no PHI makes the authorization needless, and the " +
			"opt-in not.",
		Setting: "-",
	}
}
