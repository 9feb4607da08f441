package tlsrpt

import (
	"net/mail"
	"net/url"
	"strings"
)

// Record is where a domain wants its reports (RFC 8460 section 3).
type Record struct {
	Mail  []mail.Address
	HTTPS []string
}

// The most that is read of one record.
const (
	maxRecord = 4096
	maxURIs   = 10
)

// ParseRecord reads the text of a TXT record at _smtp._tls. It is false if that
// is no record of this version, or names no place that can be used.
func ParseRecord(txt string) (Record, bool) {
	var rec Record
	fields := strings.Split(txt, ";")
	if len(txt) > maxRecord || strings.TrimRight(fields[0], " \t") != "v=TLSRPTv1" {
		return rec, false
	}
	found := false
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		if strings.Trim(name, " \t") != "rua" {
			continue // an extension
		}
		if found {
			return Record{}, false
		}
		found = true
		for uri := range strings.SplitSeq(value, ",") {
			rec.add(strings.Trim(uri, " \t"))
		}
	}
	return rec, len(rec.Mail)+len(rec.HTTPS) > 0
}

func (r *Record) add(uri string) {
	u, err := url.Parse(uri)
	if err != nil || len(r.Mail)+len(r.HTTPS) >= maxURIs {
		return
	}
	switch u.Scheme {
	case "mailto":
		address, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return
		}
		if a, err := mail.ParseAddress(address); err == nil && a.Name == "" {
			r.Mail = append(r.Mail, *a)
		}
	case "https":
		if u.Host != "" && u.User == nil {
			r.HTTPS = append(r.HTTPS, u.String())
		}
	}
}
