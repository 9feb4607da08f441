package policy

import (
	"net/mail"
	"time"
)

// Facts is what a decision rests on. A Policy must not change or keep it.
type Facts struct {
	Time       time.Time
	Tenant     string
	From       mail.Address
	Actor      Actor
	Purpose    Purpose
	Stream     Stream
	Label      string
	Patients   []string // opaque identifiers of whom the message is about
	Recipients []RecipientFacts

	Classification Classification
	Attachments    []AttachmentFacts
	Size           int64 // bytes, estimated before the message is built; 0 if unknown

	// Subject is the message's own. Rules look at its form (a marketing message
	// that poses as a reply); what it holds is for the Classification to say.
	Subject string
	// Reply says that the message answers another (In-Reply-To or References).
	Reply bool
	// OneClick says that the message has List-Unsubscribe with an https link and
	// List-Unsubscribe-Post of its own (RFC 8058 section 3.1).
	OneClick bool
	// Together says that the host vouches for this message: the recipients in
	// To and Cc may see each other's addresses.
	Together bool
	// Parties are those that see PHI beside the transport: a remote classifier,
	// a store, whoever sends codes.
	Parties []Party
	// Counts are what was sent lately.
	Counts Counts
	// Released is set for a message that was held and that somebody released.
	Released *Release
}

// Actor is who sends: a person or a service, and in whose name.
type Actor struct {
	ID         string
	Role       string
	OnBehalfOf string
}

// RecipientFacts is one address and why it is on the message.
type RecipientFacts struct {
	Address mail.Address
	Kind    RecipientKind
	// Patient is set only if the recipient is that person.
	Patient string
	// Offer is what the transport offers for this recipient, nil if it could
	// not be asked. Nothing is sent by a party that the decision did not know.
	Offer *OfferFacts
	// Records are those on file about the address, or about the patient that the
	// recipient is or the message is about, in the order of [Records.Find].
	Records []Record
	// KeyChanged says that a discovered key of the recipient is not the one that
	// was seen before.
	KeyChanged bool
	// PriorDay counts the messages to this address in the last 24 hours, 0 if
	// unknown.
	PriorDay int
}

// OfferFacts is what a transport can do for one recipient.
type OfferFacts struct {
	// Transport is its own name, such as "smtp".
	Transport string
	// TLS says that it can carry clear content, with Assurance.
	TLS       bool
	Assurance Assurance
	// Provider is the party that sees the message, its Name empty where nobody
	// else does.
	Provider Party
	// SizeLimit is the largest message in bytes, 0 if unknown.
	SizeLimit int64
	// RewritesLinks says that the provider alters links in bodies.
	RewritesLinks bool
}

// Party is somebody outside the host who sees PHI: a business associate (45 CFR
// 160.103).
type Party struct {
	Name string
	// Role is what they do: "transport", "classifier", "store", "codes".
	Role string
	// Agreement is the business associate agreement, nil if none is on record.
	Agreement *Agreement
	// Region is where they keep what they see, in the host's own words, such as
	// "us". Empty if unknown.
	Region string
}

// Agreement is a dated document on record (45 CFR 164.504(e)).
type Agreement struct {
	Document string
	Signed   time.Time
	Expires  time.Time // zero: open-ended
}

// InForce reports whether a is signed and in date at t. A nil one is not.
func (a *Agreement) InForce(t time.Time) bool {
	return a != nil && !a.Signed.IsZero() && !t.Before(a.Signed) && (a.Expires.IsZero() || t.Before(a.Expires))
}

// AttachmentFacts is what a rule may know about an attachment.
type AttachmentFacts struct {
	Name        string
	ContentType string
	Size        int64 // bytes, 0 if unknown
}

// Counts are recipients that were sent to before this message, 0 if unknown.
type Counts struct {
	// ActorHour and TenantHour are of the last 60 minutes.
	ActorHour, TenantHour int
}

// Release is why a held message is decided on again: somebody looked at exactly
// this content and let it go. It satisfies the duty to hold and nothing else.
type Release struct {
	// Actor is who released it. It is not the sender, and neither whom the
	// sender acts for.
	Actor Actor
	// Digest names the content that was released, in hex.
	Digest string
	// Codes are those of the holds that were looked at, see [Verdict.HoldCodes].
	// What holds the message for another reason still does.
	Codes []string
	// Keys are the fingerprints of the changed keys that were looked at. With
	// another changed key a message is not the one that was released, and is
	// judged as if nobody had.
	Keys []string
}
