package policy

import "slices"

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
	records := r.Records
	if r.Patient == "" {
		records = forAddresses(records)
	}
	rec := InForce(records, Preference, who, AddressKey(r.Address), f.Time)
	if rec == nil {
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

// forAddresses leaves out the preferences of patients for all their addresses:
// they bind mail to the patient, and mail about them to somebody else is not theirs
// to choose by it. Nor do they stand in the way of an older one for the address.
func forAddresses(records []Record) []Record {
	general := func(r Record) bool { return r.Kind == Preference && r.Address == "" && !r.Withdrawn }
	if !slices.ContainsFunc(records, general) {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), general)
}

func (preference) Doc() Doc {
	return Doc{
		Name: "preference", Title: "Patient preferences",
		What: "A recipient who asked for certain modes only gets mail by these and no others, and one who asked for no e-mail gets none. " +
			"A preference that names a patient and no address binds mail to whom the host names as that patient, and no mail to others. " +
			"A preference never adds a mode that the host does not allow, and never lowers the assurance that TLS needs.",
		Source:  "45 CFR 164.522(b): confidential communications",
		Default: "On. Without records nothing is restricted.",
		Change:  "Records of the kind preference.",
		Setting: "-",
	}
}
