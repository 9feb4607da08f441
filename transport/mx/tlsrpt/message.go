package tlsrpt

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"
)

// Letter says how a report travels by mail.
type Letter struct {
	// From is the reporter's address; To is where the domain wants its reports.
	From mail.Address
	To   []mail.Address
	// Date defaults to now.
	Date time.Time
}

// Filename is the name of the attachment (RFC 8460 section 5.1): submitter,
// domain, begin and end in seconds since 1970.
func (r *Report) Filename(submitter string) string {
	return submitter + "!" + r.Domain() + "!" + strconv.FormatInt(r.Range.Start.Unix(), 10) + "!" +
		strconv.FormatInt(r.Range.End.Unix(), 10) + ".json.gz"
}

// Message is the report as mail (RFC 8460 section 5.3): RFC 5322 with CRLF line
// ends, for phimail.ParseMessage. It has to be signed with DKIM by the domain of
// From (section 3).
func (r *Report) Message(l Letter) ([]byte, error) {
	submitter, err := l.submitter()
	if err != nil {
		return nil, err
	}
	packed, err := r.Gzip()
	if err != nil {
		return nil, err
	}
	if l.Date.IsZero() {
		l.Date = time.Now()
	}
	to := make([]string, len(l.To))
	for i := range l.To {
		to[i] = l.To[i].String()
	}
	boundary := "tlsrpt-" + rand.Text()
	var b bytes.Buffer
	for _, field := range [][2]string{
		{"From", l.From.String()},
		{"To", strings.Join(to, ",\r\n ")},
		{"Date", l.Date.Format(time.RFC1123Z)},
		{"Subject", "Report Domain: " + r.Domain() + "\r\n Submitter: " + submitter + "\r\n Report-ID: <" + r.ID + ">"},
		{"TLS-Report-Domain", r.Domain()},
		{"TLS-Report-Submitter", submitter},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", `multipart/report; report-type="tlsrpt";` + "\r\n boundary=\"" + boundary + `"`},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", field[0], field[1])
	}
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary)
	fmt.Fprintf(&b, "This is an aggregate TLS report (RFC 8460) from %s\r\nfor %s, from %s to %s.\r\n",
		submitter, r.Domain(), r.Range.Start.UTC().Format(time.RFC3339), r.Range.End.UTC().Format(time.RFC3339))
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n", boundary)
	fmt.Fprintf(&b, "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n\r\n", r.Filename(submitter))
	writeBase64(&b, packed)
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes(), nil
}

// submitter is the domain of From.
func (l *Letter) submitter() (string, error) {
	if len(l.To) == 0 {
		return "", errors.New("tlsrpt: Letter.To is empty")
	}
	for _, a := range append([]mail.Address{l.From}, l.To...) {
		if _, err := mail.ParseAddress(a.String()); err != nil || strings.ContainsAny(a.Address, "\r\n") {
			return "", errors.New("tlsrpt: Letter has an address that is none")
		}
	}
	submitter := l.From.Address[strings.LastIndexByte(l.From.Address, '@')+1:]
	if !domainName(submitter) {
		return "", errors.New("tlsrpt: the domain of Letter.From is not in A-labels")
	}
	return submitter, nil
}

func writeBase64(b *bytes.Buffer, data []byte) {
	const line = 57 // bytes, 76 characters (RFC 2045 section 6.8)
	for len(data) > 0 {
		n := min(line, len(data))
		b.WriteString(base64.StdEncoding.EncodeToString(data[:n]) + "\r\n")
		data = data[n:]
	}
}
