package main

import (
	"net/mail"
	"strings"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/internal/compose"
)

// address decides who gets the message and who is named in its header.
//
// With -t they are the To, Cc and Bcc fields. Otherwise they are the arguments:
// one that the To or Cc field names stays there, and the others become Bcc, so
// that nobody sees them who did not see them in the message. A single argument
// becomes the To of a message that names nobody.
//
// The library writes To and Cc from those it sends to, so that the record and
// the header agree; a field that names somebody else is refused, not altered.
func (req *request) address(msg *phimail.Message) error {
	seen := map[string]bool{}
	if req.fromHeader {
		msg.To, msg.Cc, msg.Bcc = fresh(msg.To, seen), fresh(msg.Cc, seen), fresh(msg.Bcc, seen)
		if len(seen) == 0 {
			return fail(exitData, "the message names nobody in To, Cc or Bcc, and -t takes the recipients from there")
		}
		return nil
	}
	args := map[string]bool{}
	for _, a := range req.recipients {
		args[addressKey(a)] = true
	}
	msg.To, msg.Cc = fresh(msg.To, seen), fresh(msg.Cc, seen)
	for key := range seen {
		if !args[key] {
			return fail(exitUsage, "the message's To and Cc fields name others than the recipients on the command line; "+
				"send to those in the message with -t, or take the others out of it")
		}
	}
	named := len(seen)
	var rest []phimail.Recipient
	for _, a := range req.recipients {
		rest = append(rest, phimail.Recipient{Address: a})
	}
	rest = fresh(rest, seen)
	msg.Bcc = nil // without -t the field counts for nothing, and it never travels
	if named == 0 && len(rest) == 1 {
		msg.To = rest
		return nil
	}
	msg.Bcc = rest
	return nil
}

// fresh returns those of list that were not seen yet, and marks them.
func fresh(list []phimail.Recipient, seen map[string]bool) []phimail.Recipient {
	var out []phimail.Recipient
	for _, r := range list {
		if key := addressKey(r.Address); !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	return out
}

// addressKey compares addresses: the domain without regard to case or to the
// form of its international labels.
func addressKey(a mail.Address) string {
	if n, err := compose.NormalizeAddress(a); err == nil {
		a = n
	}
	at := strings.LastIndexByte(a.Address, '@')
	return a.Address[:at+1] + strings.ToLower(a.Address[at+1:])
}

func sameAddress(a, b mail.Address) bool {
	return strings.EqualFold(addressKey(a), addressKey(b))
}
