// Package mtasts reads what RFC 8461 has a domain publish: the TXT record that
// says that there is a policy, and the policy. Its input is foreign; what is not
// well formed is no record and no policy.
package mtasts

import (
	"bytes"
	"errors"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The modes of a policy (RFC 8461 section 5).
const (
	Enforce = "enforce"
	Testing = "testing"
	None    = "none"
)

const (
	// MaxPolicy bounds the text of a policy in bytes (RFC 8461 section 3.3).
	MaxPolicy = 64 << 10
	// MaxAge bounds how long a policy holds (RFC 8461 section 3.2).
	MaxAge = 31557600 * time.Second

	maxID       = 32
	maxDigits   = 10
	maxPatterns = 1000
	maxHost     = 253
	version     = "STSv1"
)

// errPolicy and errRecord say no more: the text is foreign.
var (
	errPolicy = errors.New("mtasts: not a policy")
	errRecord = errors.New("mtasts: not one record")
)

// Policy is what a domain asks of those who send to it.
type Policy struct {
	Mode   string
	MaxAge time.Duration
	// MX are host names in lower case; one may start with "*." and stands for
	// any one label then.
	MX []string
}

// URL is where the policy of a domain is (RFC 8461 section 3.3).
func URL(domain string) string {
	return "https://mta-sts." + domain + "/.well-known/mta-sts.txt"
}

// RecordName is where the TXT record of a domain is (RFC 8461 section 3.1).
func RecordName(domain string) string { return "_mta-sts." + domain }

// ParseRecords returns the id of the one STSv1 record among the TXT records at
// _mta-sts. It is "" where there is none, or several, or one that is malformed:
// the domain has no policy then (RFC 8461 section 3.1).
func ParseRecords(texts []string) (id string, err error) {
	found := 0
	for _, t := range texts {
		rest, ok := strings.CutPrefix(t, "v="+version)
		if !ok {
			continue
		}
		if trimmed := strings.TrimLeft(rest, " \t"); !strings.HasPrefix(trimmed, ";") {
			continue
		}
		if found++; found > 1 {
			return "", errRecord
		}
		id = recordID(rest)
	}
	if found == 1 && id == "" {
		return "", errRecord
	}
	return id, nil
}

// recordID reads the fields after the version. It is "" if one is malformed.
func recordID(fields string) string {
	id := ""
	parts := strings.Split(strings.TrimLeft(fields, " \t"), ";")[1:]
	for i, f := range parts {
		f = strings.Trim(f, " \t")
		if f == "" && i == len(parts)-1 {
			break // the last delimiter may stand alone
		}
		name, value, ok := strings.Cut(f, "=")
		if !ok || !fieldName(name) || !fieldValue(value) {
			return ""
		}
		if name == "id" && id == "" {
			if !isID(value) {
				return ""
			}
			id = value
		}
	}
	return id
}

func isID(s string) bool {
	return len(s) > 0 && len(s) <= maxID && !strings.ContainsFunc(s, func(r rune) bool { return !alphanumeric(r) })
}

// ID reports whether s may be the id of a record.
func ID(s string) bool { return isID(s) }

func fieldName(s string) bool {
	if len(s) == 0 || len(s) > maxID || !alphanumeric(rune(s[0])) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !alphanumeric(r) && r != '_' && r != '-' && r != '.' })
}

// fieldValue is printable ASCII without "=", ";" and spaces.
func fieldValue(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '=' || r == ';' })
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// ContentType reports whether a policy may come with this media type: text/plain
// with any parameters (RFC 8461 section 3.2).
func ContentType(value string) bool {
	t, _, err := mime.ParseMediaType(value)
	return t == "text/plain" && (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter))
}

// Parse reads the text of a policy (RFC 8461 section 3.2). Unknown fields are
// passed over, and so is what repeats a field other than mx.
func Parse(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, errPolicy
	}
	p := &Policy{}
	seen := map[string]bool{}
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		line = bytes.TrimRight(bytes.TrimSuffix(line, []byte("\r")), " \t")
		if len(line) == 0 {
			continue
		}
		key, value, ok := strings.Cut(string(line), ":")
		if !ok || !fieldName(key) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, errPolicy
		}
		if seen[key] && key != "mx" {
			continue
		}
		seen[key] = true
		if !p.field(key, strings.Trim(value, " \t")) {
			return nil, errPolicy
		}
	}
	if !seen["version"] || !seen["mode"] || !seen["max_age"] || len(p.MX) == 0 && p.Mode != None {
		return nil, errPolicy
	}
	return p, nil
}

// field takes in one field. It returns false if the value is malformed.
func (p *Policy) field(key, value string) bool {
	switch key {
	case "version":
		return value == version
	case "mode":
		p.Mode = value
		return slices.Contains([]string{Enforce, Testing, None}, value)
	case "max_age":
		if value == "" || len(value) > maxDigits || strings.ContainsFunc(value, func(r rune) bool { return r < '0' || r > '9' }) {
			return false
		}
		seconds, err := strconv.ParseInt(value, 10, 64)
		p.MaxAge = time.Duration(min(seconds, int64(MaxAge/time.Second))) * time.Second
		return err == nil
	case "mx":
		host := strings.ToLower(value)
		if !hostName(strings.TrimPrefix(host, "*.")) || len(p.MX) == maxPatterns {
			return false
		}
		p.MX = append(p.MX, host)
	}
	return true
}

// hostName reports whether s is a name of letters, digits and hyphens.
func hostName(s string) bool {
	if len(s) == 0 || len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return !alphanumeric(r) && r != '-' }) {
			return false
		}
	}
	return true
}

// Matches reports whether mail may go to host under p: a wildcard stands for
// exactly one label, the leftmost (RFC 8461 section 4.1). host is in lower case
// and without a final dot.
func (p *Policy) Matches(host string) bool {
	if !hostName(host) {
		return false
	}
	_, parent, _ := strings.Cut(host, ".")
	for _, pattern := range p.MX {
		if suffix, wild := strings.CutPrefix(pattern, "*."); pattern == host || wild && parent == suffix {
			return true
		}
	}
	return false
}

// Text is p as a domain would publish it.
func (p *Policy) Text() []byte {
	var b bytes.Buffer
	b.WriteString("version: " + version + "\r\nmode: " + p.Mode + "\r\n")
	for _, mx := range p.MX {
		b.WriteString("mx: " + mx + "\r\n")
	}
	b.WriteString("max_age: " + strconv.FormatInt(int64(p.MaxAge/time.Second), 10) + "\r\n")
	return b.Bytes()
}
