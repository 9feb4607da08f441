package policy

import "fmt"

// CodeTransmission is the code of the verdicts for PHI: the message must travel
// protected (45 CFR 164.312(e)(1)).
const CodeTransmission = "phi-transmission"

// transmission: PHI travels sealed or by TLS that is known to reach far enough.
type transmission struct {
	o      *Options
	modes  ModeSet
	effect string // for PHI, and at Relay
	relay  string
}

func newTransmission(o *Options) transmission {
	modes := ModesOf(o.Modes...)
	effect := "modes " + modes.String() + ", TLS at "
	return transmission{o, modes, effect + o.TLS.String(), effect + Relay.String()}
}

func (t transmission) Judge(f *Facts, i int) Ruling {
	if !t.o.phi(f) {
		return within(t.modes, Relay, "transmission", "no-phi", t.relay,
			"a classification as PHI, or Options.TrustClassifier not set", "classified as free of PHI")
	}
	r := &f.Recipients[i]
	if who := soleSubject(f, i); who != "" {
		rec := InForce(r.Records, PlainEmail, who, AddressKey(r.Address), f.Time)
		// The patient's own wish for their own mailbox: the record names both, or
		// the host says that the recipient is the patient.
		if rec != nil && (rec.Address != "" || r.Patient == who) {
			out := within(t.modes, Relay, "transmission", "plain-email", t.relay,
				"withdrawal or expiry of the record", "the patient was warned and asked for plain e-mail")
			out.Steps[0].Record = rec.ID
			return out
		}
	}
	return within(t.modes, t.o.TLS, "transmission", CodeTransmission, t.effect,
		"a dated record that the patient was warned and asked for plain e-mail", "counts as PHI")
}

func (t transmission) Doc() Doc {
	return Doc{
		Name: "transmission", Title: "Protected on the way",
		What: "PHI travels only encrypted to the recipient, on an escrow page, or inside TLS that is verified as far as the host asked for. " +
			"A patient who was warned of the risk and still wants plain e-mail gets their own information by TLS that is verified to the relay.",
		Source:  "45 CFR 164.312(e)(1); 45 CFR 164.522(b) for the patient's wish",
		Default: "Every message is PHI, whatever a classifier says. TLS must be verified to the recipient's own server.",
		Change: "Modes and TLS (modes and tls_assurance in the configuration file) say what is acceptable; TrustClassifier (policy.classifier: phi) " +
			"lets a message that was found free of PHI travel by TLS to the relay; a record of the kind plain-email is a patient's wish.",
		Setting: fmt.Sprintf("modes %v, TLS %s, classifier trusted %t", t.o.Modes, t.o.TLS, t.o.TrustClassifier),
	}
}
