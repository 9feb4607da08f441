package policy

// suppression: addresses that get nothing, or nothing commercial.
type suppression struct{}

func (suppression) Judge(f *Facts, i int) Ruling {
	r := &f.Recipients[i]
	out := Pass()
	if len(r.Records) == 0 {
		return out
	}
	address := AddressKey(r.Address)
	stop := func(kind RecordKind, code, change string) {
		who := r.Patient
		if who == "" {
			who = soleSubject(f, i)
		}
		if rec := InForce(r.Records, kind, who, address, f.Time); rec != nil {
			no := refuse("suppression", code, change, kind.String()+" on record")
			no.Steps[0].Record = rec.ID
			out = out.And(no)
		}
	}
	stop(Bounce, "suppressed-bounce", "a withdrawal of the record, once the address works again")
	if commercial(f) {
		stop(Complaint, "suppressed-complaint", "a withdrawal of the record at the person's own wish")
		stop(Unsubscribe, "suppressed-unsubscribe", "a withdrawal of the record at the person's own wish")
	}
	return out
}

func (suppression) Doc() Doc {
	return Doc{
		Name: "suppression", Title: "Bounces, complaints, opt-outs",
		What: "An address whose mail came back for good gets nothing. One whose owner complained or unsubscribed gets no commercial mail; " +
			"transactional mail is not stopped by that. The address alone decides, whichever patient the record names.",
		Source:  "15 U.S.C. 7704(a)(4); 16 CFR 316.5; the practice of mail providers",
		Default: "On. Without a store of records nothing is suppressed.",
		Change:  "Records of the kinds bounce, complaint and unsubscribe, and their withdrawal.",
		Setting: "-",
	}
}
