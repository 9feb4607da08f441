package phimail

// gob would encode every exported field. What the methods below write can't be
// decoded: a value that holds PHI is not stored or sent that way.

// GobEncode encodes what MarshalJSON does.
func (x Message) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Recipient) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Attachment) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x HeaderField) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Entity) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Config) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Receipt) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Hold) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Outcome) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x BatchItem) GobEncode() ([]byte, error) { return x.MarshalJSON() }
