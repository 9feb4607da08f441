package policy

// gob would encode every exported field. What the methods below write can't be
// decoded: a value that holds PHI is not stored or sent that way.

// GobEncode encodes what MarshalJSON does.
func (x Facts) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x RecipientFacts) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x AttachmentFacts) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Content) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Attachment) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Record) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x RecordQuery) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Notice) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x HeaderField) GobEncode() ([]byte, error) { return x.MarshalJSON() }
