package policy

const ruleKeyChange = "key-change"

// keyChange: a discovered key that is not the one of before.
type keyChange struct{ action Action }

func (k keyChange) Judge(f *Facts, i int) Ruling {
	if !f.Recipients[i].KeyChanged {
		return Pass()
	}
	return k.action.object(ruleKeyChange, "key-changed", "a look at the new key, and its acceptance",
		"the recipient's discovered key is another than before")
}

func (k keyChange) Doc() Doc {
	return Doc{
		Name: ruleKeyChange, Title: "A recipient's key changed",
		What: "A key that was discovered on the net and is not the one that was seen before may be an attacker's. Nothing is encrypted to it " +
			"until somebody has looked.",
		Source:  "45 CFR 164.312(d): authentication of whom the message is for",
		Default: "Refuse.",
		Change:  "KeyChange holds instead of refusing.",
		Setting: k.action.String(),
	}
}
