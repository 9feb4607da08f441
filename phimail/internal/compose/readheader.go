package compose

import (
	"bytes"
	"mime"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-message/textproto"
)

// readHeader reads the fields of a ready message. It returns the Content-*
// fields apart.
func readHeader(h textproto.Header) (*Parsed, textproto.Header, error) {
	var (
		f       faults
		p       Parsed
		content [][]byte
		seen    = map[string]bool{}
		sender  []mail.Address
		i       = -1
	)
	for fields := h.Fields(); fields.Next(); {
		i++
		key, value := strings.ToLower(fields.Key()), fields.Value()
		if isSingle(key) {
			if seen[key] {
				f.add(shownName(fields.Key(), i), "occurs more than once; readers would differ on which one counts")
				continue
			}
			seen[key] = true
		}
		switch {
		case key == "from":
			p.From = readSingle(&f, "From", value)
		case key == "sender":
			sender = []mail.Address{readSingle(&f, "Sender", value)}
		case p.readList(&f, key, value):
		case key == "subject":
			p.Subject = decodeWords(value)
			f.add("Subject", textFault(p.Subject, maxSubject))
		case key == "date":
			p.Date = readDate(&f, value)
		case strings.HasPrefix(key, "resent-"):
			f.add(indexed("header", i), "belongs to a resent message; send a new one")
		case key == "tls-required":
			f.add("TLS-Required", "would lower the protection; remove it")
		case strings.HasPrefix(key, "content-"):
			raw, err := fields.Raw()
			if err == nil {
				content = append(content, raw)
			}
		case isTrace(key):
		default:
			raw, _ := fields.Raw()
			name, _, _ := bytes.Cut(raw, []byte{':'})
			field := Field{Name: string(bytes.TrimRight(name, " \t")), Value: value}
			f.add(indexed("header", i), field.fault())
			p.Header = append(p.Header, field)
		}
	}
	if len(sender) > 0 && sender[0].Address != p.From.Address {
		f.add("Sender", "differs from From; remove it")
	}
	return &p, newHeader(content...), f.err()
}

// readList reads a field that is a list. It reports whether key is one.
func (p *Parsed) readList(f *faults, key, value string) bool {
	switch key {
	case "to":
		p.To = readAddresses(f, "To", value)
	case "cc":
		p.Cc = readAddresses(f, "Cc", value)
	case "bcc":
		p.Bcc = readAddresses(f, "Bcc", value)
	case "reply-to":
		p.ReplyTo = readAddresses(f, "Reply-To", value)
	case "in-reply-to":
		p.InReplyTo = readIDs(f, "In-Reply-To", value)
	case "references":
		p.References = readIDs(f, "References", value)
	default:
		return false
	}
	return true
}

// isSingle reports whether a message may hold a field at most once (RFC 5322
// section 3.6, RFC 2045 section 3).
func isSingle(key string) bool {
	switch key {
	case "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject", "date",
		"mime-version":
		return true
	}
	return strings.HasPrefix(key, "content-")
}

// shownName returns the name of a field that may occur once, if it is a known
// one: any other name is foreign text.
func shownName(key string, i int) string {
	if lower := strings.ToLower(key); strings.HasPrefix(lower, "content-") && !isKnownContent(lower) {
		return indexed("header", i)
	}
	return key
}

func isKnownContent(lower string) bool {
	switch lower {
	case "content-type", "content-transfer-encoding", "content-disposition", "content-id", "content-description":
		return true
	}
	return false
}

func readSingle(f *faults, name, value string) mail.Address {
	before := len(*f)
	list := readAddresses(f, name, value)
	switch len(list) {
	case 1:
		return list[0]
	case 0:
		if len(*f) == before {
			f.add(name, "holds no address")
		}
	default:
		f.add(name, "holds several addresses; give one")
	}
	return mail.Address{}
}

// readAddresses reads a list of addresses, groups included.
func readAddresses(f *faults, name, value string) []mail.Address {
	if strings.TrimSpace(value) == "" {
		return nil
	}
	parser := mail.AddressParser{WordDecoder: wordDecoder()}
	list, err := parser.ParseList(value)
	if err != nil {
		f.add(indexed(name, firstBadAddress(&parser, value)),
			"is not a valid address, or its name is in an unknown charset")
		return nil
	}
	out := make([]mail.Address, 0, len(list))
	for i, a := range list {
		// The parser has taken the quotes off.
		spec := a.Address
		if at := strings.LastIndexByte(spec, '@'); at >= 0 && !isDotAtom(spec[:at]) {
			spec = string(appendQuoted(nil, spec[:at])) + spec[at:]
		}
		addr, reason := normalizeSpec(spec)
		f.add(indexed(name, i), reason)
		f.add(indexed(name, i), nameFault(a.Name))
		out = append(out, mail.Address{Name: a.Name, Address: addr})
	}
	return out
}

// firstBadAddress returns the number of the first address in a list that does
// not parse.
func firstBadAddress(parser *mail.AddressParser, list string) int {
	n, start, quoted, depth := 0, 0, false, 0
	for i := 0; i <= len(list); i++ {
		if i < len(list) {
			switch c := list[i]; {
			case c == '\\':
				i++
				continue
			case c == '"' && depth == 0:
				quoted = !quoted
			case c == '(' && !quoted:
				depth++
			case c == ')' && !quoted && depth > 0:
				depth--
			}
			if list[i] != ',' || quoted || depth > 0 {
				continue
			}
		}
		if item := strings.TrimSpace(list[start:min(i, len(list))]); item != "" {
			if _, err := parser.Parse(item); err != nil {
				return n
			}
			n++
		}
		start = i + 1
	}
	return n
}

// readIDs reads Message-IDs and leaves out what is none, such as the phrases of
// RFC 822.
func readIDs(f *faults, name, value string) []string {
	var ids []string
	for {
		_, rest, ok := strings.Cut(value, "<")
		if !ok {
			break
		}
		id, rest, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		if idFault(id) == "" {
			ids = append(ids, id)
		}
		value = rest
	}
	if len(ids) > maxReferences {
		f.add(name, "holds more than 1000 Message-IDs")
	}
	return ids
}

// readDate reads a date. Go takes an unknown zone name for UTC, so the ones of
// RFC 5322 section 4.3 are set right.
func readDate(f *faults, value string) time.Time {
	t, err := mail.ParseDate(value)
	if err != nil {
		f.add("Date", "is not a date; give the form of RFC 5322 section 3.3")
		return time.Time{}
	}
	name, _ := t.Zone()
	if hours := obsoleteZone(name); hours != 0 {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.FixedZone("", hours*3600))
	}
	f.add("Date", dateFault(t))
	return t
}

func obsoleteZone(name string) int {
	switch name {
	case "EDT":
		return -4
	case "EST", "CDT":
		return -5
	case "CST", "MDT":
		return -6
	case "MST", "PDT":
		return -7
	case "PST":
		return -8
	}
	return 0
}

// decodeWords decodes the encoded words of a text. What can't be decoded stays
// as it is.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	decoded, err := wordDecoder().DecodeHeader(s)
	if err != nil || !utf8.ValidString(decoded) {
		return s
	}
	return decoded
}

func wordDecoder() *mime.WordDecoder { return &mime.WordDecoder{CharsetReader: charsetReader} }
