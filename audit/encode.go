package audit

import (
	"encoding/json"
	"strconv"
	"time"
)

// The encoder below writes what encoding/json would, byte for byte (a test
// holds it to that), at a fraction of the cost. It is in two parts, so that
// callers encode their events side by side and the one committer adds only what
// depends on the moment: the number, the link and the time.

// timeLayout is RFC 3339 in UTC with microseconds, always of one length.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// stamp is what the Log adds to an event.
type stamp struct {
	version   int
	time      time.Time
	clockBack int64
	run       string
	library   string
}

// appendStamp opens the event's object with the fields that the Log sets.
func appendStamp(b []byte, kind Kind, s *stamp) []byte {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, int64(s.version), 10)
	b = append(b, `,"kind":`...)
	b = appendJSONString(b, string(kind))
	b = append(b, `,"time":"`...)
	b = s.time.AppendFormat(b, timeLayout)
	b = append(b, '"')
	b = appendInt(b, `,"clock_back_ms":`, s.clockBack)
	b = append(b, `,"run":`...)
	b = appendJSONString(b, s.run)
	return appendField(b, `,"library":`, s.library)
}

// appendRest writes the fields that the caller set and closes the object.
func appendRest(b []byte, e *Event) []byte {
	return append(appendResult(appendPlan(b, e), e), '}')
}

// appendPlan writes who, what, to whom and how it was decided.
func appendPlan(b []byte, e *Event) []byte {
	b = appendField(b, `,"attempt":`, e.Attempt)
	b = appendInt(b, `,"item":`, int64(e.Item))

	b = appendField(b, `,"tenant":`, e.Tenant)
	b = appendField(b, `,"actor":`, e.Actor)
	b = appendField(b, `,"role":`, e.Role)
	b = appendField(b, `,"on_behalf_of":`, e.OnBehalfOf)
	b = appendList(b, `,"patients":[`, e.Patients)
	b = appendField(b, `,"purpose":`, e.Purpose)
	b = appendField(b, `,"stream":`, e.Stream)
	b = appendField(b, `,"label":`, e.Label)

	b = appendField(b, `,"message_id":`, e.MessageID)
	b = appendField(b, `,"sender":`, e.Sender)
	b = appendField(b, `,"sender_domain":`, e.SenderDomain)
	b = appendField(b, `,"recipient":`, e.Recipient)
	b = appendField(b, `,"recipient_domain":`, e.RecipientDomain)
	b = appendField(b, `,"digest":`, e.Digest)
	b = appendInt(b, `,"size":`, e.Size)

	b = appendTrue(b, `,"phi":true`, e.PHI)
	b = appendList(b, `,"categories":[`, e.Categories)
	b = appendList(b, `,"classification":[`, e.Classification)
	b = appendField(b, `,"decision":`, e.Decision)
	b = appendList(b, `,"rules":[`, e.Rules)
	b = appendField(b, `,"policy_digest":`, e.PolicyDigest)
	return appendField(b, `,"config_digest":`, e.ConfigDigest)
}

// appendResult writes how it was protected, and what became of it.
func appendResult(b []byte, e *Event) []byte {
	b = appendField(b, `,"mode":`, e.Mode)
	b = appendField(b, `,"need":`, e.Need)
	b = appendField(b, `,"assurance":`, e.Assurance)
	b = appendField(b, `,"container":`, e.Container)
	b = appendList(b, `,"algorithms":[`, e.Algorithms)
	b = appendList(b, `,"fingerprints":[`, e.Fingerprints)
	b = appendField(b, `,"key_source":`, e.KeySource)
	b = appendField(b, `,"factor":`, e.Factor)
	b = appendField(b, `,"signed":`, e.Signed)
	b = appendList(b, `,"dkim":[`, e.DKIM)
	b = append(b, `,"fips":`...)
	b = strconv.AppendBool(b, e.FIPS)

	b = appendField(b, `,"transport":`, e.Transport)
	b = appendField(b, `,"provider":`, e.Provider)
	b = appendField(b, `,"agreement":`, e.Agreement)
	b = appendField(b, `,"tls_peer":`, e.TLSPeer)
	b = appendField(b, `,"tls_version":`, e.TLSVersion)
	b = appendField(b, `,"tls_suite":`, e.TLSSuite)
	b = appendField(b, `,"tls_curve":`, e.TLSCurve)
	b = appendField(b, `,"tls_spki":`, e.TLSSPKI)
	b = appendField(b, `,"tls_issuer_spki":`, e.TLSIssuerSPKI)
	b = appendField(b, `,"tls_verified":`, e.TLSVerified)
	b = appendTrue(b, `,"requiretls":true`, e.RequireTLS)

	b = appendField(b, `,"status":`, e.Status)
	b = appendField(b, `,"reason":`, e.Reason)
	b = appendField(b, `,"stage":`, e.Stage)
	b = appendInt(b, `,"code":`, int64(e.Code))
	b = appendField(b, `,"enhanced":`, e.Enhanced)
	b = appendTrue(b, `,"retryable":true`, e.Retryable)

	b = appendField(b, `,"escrow_id":`, e.EscrowID)
	b = appendField(b, `,"network":`, e.Network)
	b = appendField(b, `,"record_ref":`, e.RecordRef)
	b = appendInt(b, `,"count":`, e.Count)

	b = appendField(b, `,"proven_by":`, e.ProvenBy)
	b = appendList(b, `,"tlsa":[`, e.TLSA)
	b = appendField(b, `,"sts_id":`, e.STSID)
	b = appendField(b, `,"sts_mode":`, e.STSMode)
	b = appendInt(b, `,"sts_age":`, e.STSAge)
	return appendInt(b, `,"sts_max_age":`, e.STSMaxAge)
}

func appendField(b []byte, name, v string) []byte {
	if v == "" {
		return b
	}
	return appendJSONString(append(b, name...), v)
}

func appendInt(b []byte, name string, v int64) []byte {
	if v == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), v, 10)
}

func appendTrue(b []byte, text string, v bool) []byte {
	if !v {
		return b
	}
	return append(b, text...)
}

func appendList(b []byte, open string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(b, open...)
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, v)
	}
	return append(b, ']')
}

func appendJSONString(b []byte, v string) []byte {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(v)
			if err != nil { // A string always has an encoding.
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}
