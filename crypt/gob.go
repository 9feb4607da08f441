package crypt

// gob would encode every exported field. What the methods below write can't be
// decoded: a value that holds PHI is not stored or sent that way.

// GobEncode encodes what MarshalJSON does.
func (x Job) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Target) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Sealed) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Field) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Signature) GobEncode() ([]byte, error) { return x.MarshalJSON() }

// GobEncode encodes what MarshalJSON does.
func (x Protected) GobEncode() ([]byte, error) { return x.MarshalJSON() }
