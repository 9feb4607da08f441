package records

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/policy"
)

// MaxLine bounds one record in a file, in bytes.
const MaxLine = 16 << 10

// line is the form of a record in JSON. The names are those of CSV columns too.
type line struct {
	ID        string   `json:"id,omitempty"`
	Tenant    string   `json:"tenant,omitempty"`
	Kind      string   `json:"kind"`
	Withdrawn bool     `json:"withdrawn,omitempty"`
	Patient   string   `json:"patient,omitempty"`
	Address   string   `json:"address,omitempty"`
	Modes     []string `json:"modes,omitempty"`
	By        string   `json:"by,omitempty"`
	At        string   `json:"at,omitempty"`
	Wording   string   `json:"wording,omitempty"`
	Source    string   `json:"source,omitempty"`
	Expires   string   `json:"expires,omitempty"`
}

// AppendLine appends r as one line of JSON without its end.
func AppendLine(b []byte, r *policy.Record) []byte {
	l := toLine(r)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(&l) //nolint:errchkjson // strings and a bool can be encoded
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// ParseLine reads one record. Names are those that AppendLine writes, others are
// errors; times are RFC 3339 or a date, which begins the day in UTC. A record
// that stops mail (bounce, complaint, unsubscribe, preference) may leave out its
// time, and then always was. Without an ID the record gets one that follows from
// the rest, and without "by" it is by "file". The address may be in any case. The
// error is an *Error; the record is checked.
func ParseLine(data []byte) (policy.Record, error) {
	if len(data) > MaxLine {
		return policy.Record{}, &Error{Field: "line", Reason: "longer than 16 KiB"}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var l line
	if err := dec.Decode(&l); err != nil {
		if ute, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && knownField(ute.Field) {
			return policy.Record{}, &Error{Field: ute.Field, Reason: "a value of another type is expected"}
		}
		if strings.HasPrefix(err.Error(), "json: unknown field") {
			return policy.Record{}, &Error{Field: "line", Reason: "a name that is not known; use " + strings.Join(columns[:], ", ")}
		}
		return policy.Record{}, &Error{Field: "line", Reason: "not a JSON object"}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return policy.Record{}, &Error{Field: "line", Reason: "more than one JSON value"}
	}
	return l.record()
}

func knownField(s string) bool { return slices.Contains(columns[:], s) }

func toLine(r *policy.Record) line {
	l := line{
		ID: r.ID, Tenant: r.Tenant, Kind: r.Kind.String(), Withdrawn: r.Withdrawn, Patient: r.Patient, Address: r.Address,
		By: r.By, At: formatTime(r.At), Wording: r.Wording, Source: r.Source, Expires: formatTime(r.Expires),
	}
	for _, m := range r.Modes {
		l.Modes = append(l.Modes, m.String())
	}
	return l
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (l *line) record() (policy.Record, error) {
	r := policy.Record{
		ID: l.ID, Tenant: l.Tenant, Withdrawn: l.Withdrawn, Patient: l.Patient, Address: strings.ToLower(strings.TrimSpace(l.Address)),
		By: l.By, Wording: l.Wording, Source: l.Source,
	}
	var err error
	if r.Kind, err = policy.ParseRecordKind(l.Kind); err != nil {
		return policy.Record{}, &Error{Field: "kind", Reason: "unknown; use " + kinds()}
	}
	for _, name := range l.Modes {
		m, err := policy.ParseMode(name)
		if err != nil {
			m = policy.Refuse // likewise
		}
		r.Modes = append(r.Modes, m)
	}
	if r.At, err = parseTime(l.At); err != nil {
		return policy.Record{}, &Error{Field: "at", Reason: timeAdvice}
	}
	if r.Expires, err = parseTime(l.Expires); err != nil {
		return policy.Record{}, &Error{Field: "expires", Reason: timeAdvice}
	}
	if r.At.IsZero() && !r.Withdrawn && stops(r.Kind) {
		r.At = time.Unix(0, 0).UTC()
	}
	if r.By == "" {
		r.By = "file"
	}
	if r.ID == "" {
		// The same line is the same record, however often it is read.
		sum := sha256.Sum256(AppendLine(nil, &r))
		r.ID = "line-" + hex.EncodeToString(sum[:12])
	}
	if err := Check(&r); err != nil {
		return policy.Record{}, err
	}
	return r, nil
}

// kinds are the names of all kinds.
func kinds() string {
	var names []string
	for k := policy.PlainEmail; k <= policy.Unsubscribe; k++ {
		names = append(names, k.String())
	}
	return strings.Join(names, ", ")
}

// stops: kinds that only ever take something away, so that one without a date is
// believed.
func stops(k policy.RecordKind) bool {
	switch k {
	case policy.Bounce, policy.Complaint, policy.Unsubscribe, policy.Preference:
		return true
	case policy.PlainEmail, policy.Authorization, policy.OptIn, policy.VerifiedAddress, policy.PatientAddress:
	}
	return false
}

const timeAdvice = "use 2026-11-02 or 2026-11-02T09:30:00Z"

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UTC(), err
}
