package audit

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// The decoder below takes what the encoder writes, and what a later version may
// add to it, and nothing else: one object without space between its parts, known
// names in their order, values that are strings, integers, booleans or lists of
// strings. encoding/json would fold the case of names and let the last of two
// equal names win, so that two readers could understand a record differently.
// It is also several times slower, which a start or a verification of a long
// chain would feel.

const (
	maxFields = 256 // of an event, of this version and later ones
	maxName   = 64
)

// decoder reads one object from b. Every method refuses with ErrMalformed.
type decoder struct {
	b       []byte
	unknown [][]byte // names of a later version
}

func decodeEvent(raw []byte) (Event, error) {
	var e Event
	d := decoder{b: raw}
	if !utf8.Valid(raw) || !d.skip('{') {
		return Event{}, ErrMalformed
	}
	last := -1
	for range maxFields {
		name, err := d.name()
		if err != nil {
			return Event{}, err
		}
		target, place := e.field(name)
		switch {
		case target == nil:
			err = d.skipUnknown(name)
		case place <= last:
			err = ErrMalformed
		default:
			last = place
			err = d.value(target)
		}
		if err != nil {
			return Event{}, err
		}
		switch {
		case d.skip(','):
		case d.skip('}') && len(d.b) == 0:
			return e, nil
		default:
			return Event{}, ErrMalformed
		}
	}
	return Event{}, ErrMalformed
}

// skip takes one byte if it is c.
func (d *decoder) skip(c byte) bool {
	if len(d.b) == 0 || d.b[0] != c {
		return false
	}
	d.b = d.b[1:]
	return true
}

// name takes a name of plain lower-case text, and its colon.
func (d *decoder) name() ([]byte, error) {
	quoted, err := d.quoted()
	if err != nil || !d.skip(':') {
		return nil, ErrMalformed
	}
	name := quoted[1 : len(quoted)-1]
	if len(name) == 0 || len(name) > maxName {
		return nil, ErrMalformed
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return nil, ErrMalformed
		}
	}
	return name, nil
}

// quoted takes a string with its quotes, escapes as they are.
func (d *decoder) quoted() ([]byte, error) {
	if len(d.b) == 0 || d.b[0] != '"' {
		return nil, ErrMalformed
	}
	for i := 1; i < len(d.b); i++ {
		switch c := d.b[i]; {
		case c == '\\':
			i++
		case c == '"':
			s := d.b[:i+1]
			d.b = d.b[i+1:]
			return s, nil
		case c < ' ':
			return nil, ErrMalformed
		}
	}
	return nil, ErrMalformed
}

func (d *decoder) text() (string, error) {
	quoted, err := d.quoted()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return "", ErrMalformed
	}
	return s, nil
}

// bare takes what stands up to the next comma or bracket: a number or a word.
func (d *decoder) bare() []byte {
	n := bytes.IndexAny(d.b, ",]}")
	if n < 0 {
		n = len(d.b)
	}
	word := d.b[:n]
	d.b = d.b[n:]
	return word
}

func (d *decoder) integer(bits int) (int64, error) {
	word := d.bare()
	digits := bytes.TrimPrefix(word, []byte("-"))
	if len(digits) == 0 || digits[0] < '0' || digits[0] > '9' || (digits[0] == '0' && len(word) > 1) {
		return 0, ErrMalformed
	}
	v, err := strconv.ParseInt(string(word), 10, bits)
	if err != nil {
		return 0, ErrMalformed
	}
	return v, nil
}

func (d *decoder) boolean() (bool, error) {
	switch string(d.bare()) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, ErrMalformed
}

func (d *decoder) list() ([]string, error) {
	if !d.skip('[') {
		return nil, ErrMalformed
	}
	var list []string
	for {
		s, err := d.text()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		if d.skip(']') {
			return list, nil
		}
		if !d.skip(',') {
			return nil, ErrMalformed
		}
	}
}

// value takes a value of the type of target.
func (d *decoder) value(target any) (err error) {
	switch t := target.(type) {
	case *string:
		*t, err = d.text()
	case *Kind:
		var s string
		s, err = d.text()
		*t = Kind(s)
	case *int:
		var v int64
		v, err = d.integer(strconv.IntSize)
		*t = int(v)
	case *int64:
		*t, err = d.integer(64)
	case *bool:
		*t, err = d.boolean()
	case *[]string:
		*t, err = d.list()
	default:
		err = ErrMalformed
	}
	return err
}

// skipUnknown takes a value that a later version added: a primitive, or a list
// of strings.
func (d *decoder) skipUnknown(name []byte) error {
	for _, u := range d.unknown {
		if bytes.Equal(u, name) {
			return ErrMalformed
		}
	}
	d.unknown = append(d.unknown, name)
	switch {
	case len(d.b) == 0:
		return ErrMalformed
	case d.b[0] == '"':
		_, err := d.text()
		return err
	case d.b[0] == '[':
		_, err := d.list()
		return err
	}
	word := d.bare()
	if len(word) == 0 || bytes.ContainsAny(word, " \t\r\n{\"[") || !json.Valid(word) || string(word) == "null" {
		return ErrMalformed
	}
	return nil
}

// field returns where a name of the JSON goes, and the place of the field in the
// struct, which is its place in the JSON; nil for a name of a later version.
func (e *Event) field(name []byte) (target any, place int) { //nolint:gocyclo,funlen,maintidx // flat: one case a field
	switch string(name) {
	case "v":
		return &e.Version, 0
	case "kind":
		return &e.Kind, 1
	case "time":
		return &e.Time, 2
	case "clock_back_ms":
		return &e.ClockBack, 3
	case "run":
		return &e.Run, 4
	case "library":
		return &e.Library, 5
	case "attempt":
		return &e.Attempt, 6
	case "item":
		return &e.Item, 7
	case "tenant":
		return &e.Tenant, 8
	case "actor":
		return &e.Actor, 9
	case "role":
		return &e.Role, 10
	case "on_behalf_of":
		return &e.OnBehalfOf, 11
	case "patients":
		return &e.Patients, 12
	case "purpose":
		return &e.Purpose, 13
	case "stream":
		return &e.Stream, 14
	case "label":
		return &e.Label, 15
	case "message_id":
		return &e.MessageID, 16
	case "sender":
		return &e.Sender, 17
	case "sender_domain":
		return &e.SenderDomain, 18
	case "recipient":
		return &e.Recipient, 19
	case "recipient_domain":
		return &e.RecipientDomain, 20
	case "digest":
		return &e.Digest, 21
	case "size":
		return &e.Size, 22
	case "phi":
		return &e.PHI, 23
	case "categories":
		return &e.Categories, 24
	case "classification":
		return &e.Classification, 25
	case "decision":
		return &e.Decision, 26
	case "rules":
		return &e.Rules, 27
	case "policy_digest":
		return &e.PolicyDigest, 28
	case "config_digest":
		return &e.ConfigDigest, 29
	case "mode":
		return &e.Mode, 30
	case "need":
		return &e.Need, 31
	case "assurance":
		return &e.Assurance, 32
	case "container":
		return &e.Container, 33
	case "algorithms":
		return &e.Algorithms, 34
	case "fingerprints":
		return &e.Fingerprints, 35
	case "key_source":
		return &e.KeySource, 36
	case "factor":
		return &e.Factor, 37
	case "signed":
		return &e.Signed, 38
	case "dkim":
		return &e.DKIM, 39
	case "fips":
		return &e.FIPS, 40
	case "transport":
		return &e.Transport, 41
	case "provider":
		return &e.Provider, 42
	case "agreement":
		return &e.Agreement, 43
	case "tls_peer":
		return &e.TLSPeer, 44
	case "tls_version":
		return &e.TLSVersion, 45
	case "tls_suite":
		return &e.TLSSuite, 46
	case "tls_curve":
		return &e.TLSCurve, 47
	case "tls_spki":
		return &e.TLSSPKI, 48
	case "tls_issuer_spki":
		return &e.TLSIssuerSPKI, 49
	case "tls_verified":
		return &e.TLSVerified, 50
	case "requiretls":
		return &e.RequireTLS, 51
	case "status":
		return &e.Status, 52
	case "reason":
		return &e.Reason, 53
	case "stage":
		return &e.Stage, 54
	case "code":
		return &e.Code, 55
	case "enhanced":
		return &e.Enhanced, 56
	case "retryable":
		return &e.Retryable, 57
	case "escrow_id":
		return &e.EscrowID, 58
	case "network":
		return &e.Network, 59
	case "record_ref":
		return &e.RecordRef, 60
	case "count":
		return &e.Count, 61
	case "proven_by":
		return &e.ProvenBy, 62
	case "tlsa":
		return &e.TLSA, 63
	case "sts_id":
		return &e.STSID, 64
	case "sts_mode":
		return &e.STSMode, 65
	case "sts_age":
		return &e.STSAge, 66
	case "sts_max_age":
		return &e.STSMaxAge, 67
	}
	return nil, 0
}
