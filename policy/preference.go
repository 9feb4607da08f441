package policy

// preference: patients say how they want to be written to.
type preference struct{}

func (preference) Judge(f *Facts, i int) Ruling {
	r := &f.Recipients[i]
	if len(r.Records) == 0 {
		return Pass()
	}
	who := r.Patient
	if who == "" {
		who = soleSubject(f, i)
	}
	rec := InForce(r.Records, Preference, who, AddressKey(r.Address), f.Time)
	// A patient's wish for all their addresses binds mail to the patient; mail
	// about them to somebody else is not theirs to choose by it.
	if rec == nil || rec.Address == "" && r.Patient == "" {
		return Pass()
	}
	modes := ModesOf(rec.Modes...)
	var out Ruling
	if modes == 0 {
		out = refuse("preference", "preference-no-email", "another preference on record", "the recipient wants no e-mail")
	} else {
		out = within(modes, Relay, "preference", "preference", "modes "+modes.String(), "another preference on record", "preference on record")
	}
	out.Steps[0].Record = rec.ID
	return out
}

func (preference) Doc() Doc {
	return Doc{
		Name: "preference", Title: "Patient preferences",
		What: "A recipient who asked for certain modes only gets mail by these and no others, and one who asked for no e-mail gets none. " +
			"A preference never adds a mode that the host does not allow, and never lowers the assurance that TLS needs.",
		Source:  "45 CFR 164.522(b): confidential communications",
		Default: "On. Without records nothing is restricted.",
		Change:  "Records of the kind preference.",
		Setting: "-",
	}
}
