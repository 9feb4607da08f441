package audit

// GobEncode encodes what MarshalJSON does: gob would encode every exported field.
func (c Config) GobEncode() ([]byte, error) { return c.MarshalJSON() }
