package transport

// gob would encode every exported field. What the methods below write can't be
// decoded: a value that holds PHI is not stored or sent that way.

// GobEncode encodes what MarshalJSON does.
func (x Query) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Envelope) GobEncode() ([]byte, error) { return x.MarshalJSON() }
