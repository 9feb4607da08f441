package audit

// Version is the version of the Event format that this package writes. Later
// versions only add fields and kinds.
const Version = 1

// Kind says what an event is about.
type Kind string

const (
	// KindRun opens a run: who writes the records that follow.
	KindRun Kind = "run"
	// KindIntent is durable before the first byte of a message leaves: one a
	// recipient and attempt.
	KindIntent Kind = "intent"
	// KindOutcome closes an intent, or stands alone for a recipient that was
	// given up while planning.
	KindOutcome Kind = "outcome"
	// KindHold tells what was decided on a message that was kept for review:
	// Status is "released", "rejected", "expired" or "abandoned" (a release did not
	// end), RecordRef is its id, Digest an HMAC-SHA-256 under a key of the store.
	KindHold Kind = "hold"
	// KindRecord tells of a change of the records on file: Decision is the kind
	// of record, RecordRef its ID, Status "recorded", "withdrawn" or "failed"
	// (it was announced and could not be stored), Actor who made it.
	KindRecord Kind = "record"
	// KindKey tells that a discovered key of a recipient is not the one that was
	// used before: Fingerprints are the old and the new one, KeySource is where it
	// was found, and Reason is "accepted", "held" or "refused".
	KindKey Kind = "key"
	// KindRepair tells of a torn last write that was cut off.
	KindRepair Kind = "repair"
	// KindEscrow tells what happened to an escrow item, EscrowID: Status is
	// stored, notified, withdrawn, opened, code-sent, verified, revealed, denied
	// (Reason says why), locked, unlocked, recalled, expired or destroyed. It
	// belongs to no attempt.
	KindEscrow Kind = "escrow"
)

// The statuses of an outcome. All but accepted and unknown may stand without an
// intent, for a recipient that was given up while planning.
const (
	StatusAccepted = "accepted" // the transport took responsibility
	StatusDeferred = "deferred" // a temporary failure, surely not taken
	StatusRejected = "rejected" // the peer's permanent no
	StatusRefused  = "refused"  // ours: nothing left the process
	StatusHeld     = "held"     // kept for review: nothing left the process
	StatusUnknown  = "unknown"  // it may have been taken
)

// ReasonCrash is the reason of an outcome that recovery wrote for the intent of
// a run that died.
const ReasonCrash = "crash"

// Event is one entry of the log: a persisted, versioned format of primitive
// fields, pinned by a golden file. Empty fields are left out of the JSON.
//
// Every string is a code, a digest, a pseudonym, a domain or an identifier that
// the host chose for its records; there is no field for an address, a subject or
// content.
type Event struct {
	// Version, Time (RFC 3339 in UTC, microseconds), Run and Library are set by
	// the Log when it chains the record. ClockBack is set where Time lies before
	// the last record that this run knew: by how many milliseconds.
	Version   int    `json:"v"`
	Kind      Kind   `json:"kind"`
	Time      string `json:"time"`
	ClockBack int64  `json:"clock_back_ms,omitempty"`
	Run       string `json:"run"`
	Library   string `json:"library,omitempty"`

	// Attempt names one SendPlan call. An intent and its outcome agree in
	// Attempt and Item.
	Attempt string `json:"attempt,omitempty"`
	// Item numbers the recipient within its attempt, from 1.
	Item int `json:"item,omitempty"`

	// Who, and for what purpose (45 CFR 164.528).
	Tenant     string   `json:"tenant,omitempty"`
	Actor      string   `json:"actor,omitempty"`
	Role       string   `json:"role,omitempty"`
	OnBehalfOf string   `json:"on_behalf_of,omitempty"`
	Patients   []string `json:"patients,omitempty"` // pseudonyms
	Purpose    string   `json:"purpose,omitempty"`
	Stream     string   `json:"stream,omitempty"`
	Label      string   `json:"label,omitempty"`

	// What, and to whom.
	MessageID       string `json:"message_id,omitempty"`
	Sender          string `json:"sender,omitempty"` // pseudonym
	SenderDomain    string `json:"sender_domain,omitempty"`
	Recipient       string `json:"recipient,omitempty"` // pseudonym
	RecipientDomain string `json:"recipient_domain,omitempty"`
	Digest          string `json:"digest,omitempty"` // SHA-256 of the bytes handed over, hex
	Size            int64  `json:"size,omitempty"`   // of those bytes

	// What was found and decided.
	PHI            bool     `json:"phi,omitempty"`
	Categories     []string `json:"categories,omitempty"`     // specially protected
	Classification []string `json:"classification,omitempty"` // the classifier's codes
	Decision       string   `json:"decision,omitempty"`       // the code of the decision or of the refusal
	Rules          []string `json:"rules,omitempty"`
	PolicyDigest   string   `json:"policy_digest,omitempty"`
	ConfigDigest   string   `json:"config_digest,omitempty"`

	// How it was, or is to be, protected.
	Mode         string   `json:"mode,omitempty"`
	Need         string   `json:"need,omitempty"`      // least assurance that the decision asks for
	Assurance    string   `json:"assurance,omitempty"` // assurance that was proven
	Container    string   `json:"container,omitempty"`
	Algorithms   []string `json:"algorithms,omitempty"`
	Fingerprints []string `json:"fingerprints,omitempty"`
	KeySource    string   `json:"key_source,omitempty"`
	Factor       string   `json:"factor,omitempty"`
	Signed       string   `json:"signed,omitempty"` // content signature, "none" if there is none
	DKIM         []string `json:"dkim,omitempty"`   // domain/selector/algorithm
	FIPS         bool     `json:"fips"`

	// The connection, as verified.
	Transport     string `json:"transport,omitempty"`
	Provider      string `json:"provider,omitempty"`
	Agreement     string `json:"agreement,omitempty"` // the provider's BAA
	TLSPeer       string `json:"tls_peer,omitempty"`
	TLSVersion    string `json:"tls_version,omitempty"`
	TLSSuite      string `json:"tls_suite,omitempty"`
	TLSCurve      string `json:"tls_curve,omitempty"`
	TLSSPKI       string `json:"tls_spki,omitempty"`
	TLSIssuerSPKI string `json:"tls_issuer_spki,omitempty"`
	TLSVerified   string `json:"tls_verified,omitempty"`
	RequireTLS    bool   `json:"requiretls,omitempty"`

	// What became of it: one of the statuses above.
	Status    string `json:"status,omitempty"`
	Reason    string `json:"reason,omitempty"` // a code
	Stage     string `json:"stage,omitempty"`
	Code      int    `json:"code,omitempty"`
	Enhanced  string `json:"enhanced,omitempty"`
	Retryable bool   `json:"retryable,omitempty"`

	// Escrow, records and repairs.
	EscrowID  string `json:"escrow_id,omitempty"`
	Network   string `json:"network,omitempty"`    // truncated prefix
	RecordRef string `json:"record_ref,omitempty"` // consent or authorization, or the held message
	Count     int64  `json:"count,omitempty"`      // bytes cut by a repair

	// What proves the servers of the recipient's domain: to the look-up while
	// planning in an intent, to the delivery in an outcome that has one.
	ProvenBy  string   `json:"proven_by,omitempty"`   // "dane" (RFC 7672), "mta-sts" (RFC 8461) or "dane+mta-sts"
	TLSA      []string `json:"tlsa,omitempty"`        // usage, selector, matching type and the data's first digits
	STSID     string   `json:"sts_id,omitempty"`      // of the policy in force
	STSMode   string   `json:"sts_mode,omitempty"`    // "enforce", "testing" or "none"
	STSAge    int64    `json:"sts_age,omitempty"`     // seconds since it was fetched
	STSMaxAge int64    `json:"sts_max_age,omitempty"` // seconds that it holds
}
