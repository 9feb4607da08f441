package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
)

// The exit codes of a message that was handled, as sysexits.h has them.
const (
	exitPartly   = 70 // some accepted, not all
	exitRejected = 69 // the peer's permanent no
	exitDeferred = 75 // a temporary failure
	exitUnknown  = 76 // somebody may have it
	exitRefused  = 77 // ours: policy, no key, TLS not verified
)

// exitCode says what became of a message. The first line that fits counts:
//
//	0   all accepted
//	76  unknown for any recipient: it may have been taken, so don't send again blindly
//	70  accepted for some, not for all
//	77  nobody has it; refused for any: policy, no key, TLS not verified
//	69  nobody has it; rejected for any
//	75  nobody has it; deferred: try again later
func exitCode(recipients []phimail.Outcome) int {
	var n [phimail.Held + 1]int
	for i := range recipients {
		s := recipients[i].Status
		if s > phimail.Held {
			s = phimail.Unknown
		}
		n[s]++
	}
	good := n[phimail.Accepted] + n[phimail.Planned]
	switch {
	case n[phimail.Unknown] > 0 || len(recipients) == 0:
		return exitUnknown
	case good == len(recipients):
		return exitOK
	case good > 0:
		return exitPartly
	case n[phimail.Refused]+n[phimail.Held] > 0:
		return exitRefused
	case n[phimail.Rejected] > 0:
		return exitRejected
	}
	return exitDeferred
}

// receiptJSON is the receipt as scripts read it.
type receiptJSON struct {
	MessageID      string          `json:"message_id"`
	IdempotencyKey string          `json:"idempotency_key"`
	Recipients     []recipientJSON `json:"recipients"`
	// Attempt names this call in the audit log.
	Attempt string `json:"attempt,omitempty"`
}

type recipientJSON struct {
	Address   string       `json:"address"`
	Mode      string       `json:"mode"`
	Status    string       `json:"status"`
	Retryable bool         `json:"retryable"`
	Assurance string       `json:"assurance"`
	Code      string       `json:"code"`
	Reason    string       `json:"reason"`
	Evidence  evidenceJSON `json:"evidence"`
	// EscrowID names the escrow item; Passcode is its second factor, to be told
	// by another way than e-mail. The passcode is nowhere else.
	EscrowID string `json:"escrow_id,omitempty"`
	// Explanation is of plan: the rules, their facts, and what would change it.
	Explanation []string `json:"explanation,omitempty"`
	// HoldID names a message that was kept for review.
	HoldID   string `json:"hold_id,omitempty"`
	Passcode string `json:"passcode,omitempty"`
}

// evidenceJSON names things as the audit log does.
type evidenceJSON struct {
	Need          string   `json:"need,omitempty"`
	TLSPeer       string   `json:"tls_peer,omitempty"`
	TLSVersion    string   `json:"tls_version,omitempty"`
	TLSSuite      string   `json:"tls_suite,omitempty"`
	TLSCurve      string   `json:"tls_curve,omitempty"`
	TLSSPKI       string   `json:"tls_spki,omitempty"`
	TLSIssuerSPKI string   `json:"tls_issuer_spki,omitempty"`
	TLSVerified   string   `json:"tls_verified,omitempty"`
	RequireTLS    bool     `json:"requiretls,omitempty"`
	ProvenBy      string   `json:"proven_by,omitempty"`
	ProvenUntil   string   `json:"proven_until,omitempty"` // RFC 3339
	TLSA          []string `json:"tlsa,omitempty"`
	STSID         string   `json:"sts_id,omitempty"`
	STSMode       string   `json:"sts_mode,omitempty"`
	STSAge        int64    `json:"sts_age,omitempty"`
	STSMaxAge     int64    `json:"sts_max_age,omitempty"`
	Reply         int      `json:"reply,omitempty"`
	Enhanced      string   `json:"enhanced,omitempty"`
	DKIM          []string `json:"dkim,omitempty"`
	Container     string   `json:"container,omitempty"`
	Algorithms    []string `json:"algorithms,omitempty"`
	Fingerprints  []string `json:"fingerprints,omitempty"`
	KeySource     string   `json:"key_source,omitempty"`
	Factor        string   `json:"factor,omitempty"`
	Signed        string   `json:"signed,omitempty"`
	Digest        string   `json:"digest,omitempty"`
	Size          int64    `json:"size,omitempty"`
}

// writeReceipt writes r as one line of JSON.
func writeReceipt(w io.Writer, r *phimail.Receipt) error {
	out := receiptJSON{
		MessageID: r.MessageID, IdempotencyKey: r.IdempotencyKey, Attempt: r.Attempt,
		Recipients: make([]recipientJSON, len(r.Recipients)),
	}
	for i := range r.Recipients {
		out.Recipients[i] = recipientOf(&r.Recipients[i])
	}
	return writeJSON(w, out)
}

func recipientOf(o *phimail.Outcome) recipientJSON {
	e := &o.Evidence
	r := recipientJSON{
		Address: o.Address.Address, Mode: o.Mode.String(), Status: o.Status.String(),
		Retryable: o.Retryable, Code: o.Code, Reason: o.Reason,
		Evidence: evidenceJSON{
			Container: e.Seal.Container, Algorithms: e.Seal.Algorithms, Fingerprints: e.Seal.Fingerprints,
			KeySource: e.Seal.KeySource, Signed: e.Seal.Signed, Factor: e.Seal.Factor,
			Reply: e.Reply, Enhanced: e.Enhanced, DKIM: e.DKIM, Digest: e.Digest, Size: e.Size,
		},
	}
	r.EscrowID, r.Passcode = e.Seal.EscrowID, o.Passcode
	r.HoldID, r.Explanation = o.HoldID, o.Explanation
	if o.Mode == policy.TLS {
		r.Evidence.Need = e.Need.String()
		r.Evidence.domain(e.Domain())
	}
	if p := e.TLS; p != nil {
		r.Assurance = p.Assurance.String()
		r.Evidence.TLSPeer, r.Evidence.TLSVersion, r.Evidence.TLSSuite = p.Peer, p.TLSVersion, p.CipherSuite
		r.Evidence.TLSCurve, r.Evidence.TLSSPKI, r.Evidence.TLSIssuerSPKI = p.Curve, p.SPKI, p.IssuerSPKI
		r.Evidence.TLSVerified, r.Evidence.RequireTLS = p.Verified, p.RequireTLS
	}
	return r
}

// domain adds what proves the servers of the recipient's domain.
func (e *evidenceJSON) domain(d phimail.DomainEvidence) {
	e.ProvenBy, e.TLSA = d.ProvenBy, d.TLSA
	if !d.Until.IsZero() {
		e.ProvenUntil = d.Until.UTC().Format(time.RFC3339)
	}
	if d.Policy != nil {
		e.STSID, e.STSMode = d.Policy.ID, d.Policy.Mode
		e.STSAge, e.STSMaxAge = int64(d.PolicyAge/time.Second), int64(d.Policy.MaxAge/time.Second)
	}
}

// writeJSON writes v as one line. Addresses keep their characters.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
