package policy

import (
	"fmt"
	"html"
	"net/mail"
	"net/url"
	"strings"
)

// MarketingMail sets up the rule for commercial mail.
type MarketingMail struct {
	// PostalAddress is the sender's valid physical address (15 U.S.C.
	// 7704(a)(5)). Without it commercial mail is refused.
	PostalAddress string
	// Unsubscribe makes the link by which a recipient opts out with one click: an
	// https URL with a signed token.
	// Without it a message needs List-Unsubscribe fields of its own.
	Unsubscribe func(tenant string, to mail.Address) (string, error)
}

// marketing: CAN-SPAM and one-click unsubscribe.
type marketing struct{ o MarketingMail }

func (m marketing) Judge(f *Facts, i int) Ruling {
	if !commercial(f) {
		return Pass()
	}
	const fact = "marketing mail"
	out := Pass()
	if m.o.PostalAddress == "" {
		out = out.And(refuse("marketing", "postal-address", "MarketingMail.PostalAddress", fact, "no postal address is set up"))
	}
	if deceptive(f) {
		out = out.And(refuse("marketing", "deceptive-subject", "a subject that says what the message is about",
			fact, "the subject is empty or poses as a reply"))
	}
	if f.OneClick {
		return out.And(m.footer(""))
	}
	if m.o.Unsubscribe == nil {
		return out.And(refuse("marketing", "one-click", "MarketingMail.Unsubscribe, or List-Unsubscribe fields in the message", fact, "no way to opt out"))
	}
	if len(f.Recipients) != 1 {
		// RFC 8058 section 3.1: the link identifies the recipient.
		return out.And(refuse("marketing", "one-recipient", "a message for each recipient", fact, "several recipients"))
	}
	link, err := m.o.Unsubscribe(f.Tenant, f.Recipients[i].Address)
	if err != nil || !isHTTPS(link) {
		return out.And(refuse("marketing", "one-click", "a working MarketingMail.Unsubscribe", fact, "the link to opt out could not be made"))
	}
	out = out.And(m.footer(link))
	out.Header = []HeaderField{
		{"List-Unsubscribe", "<" + link + ">"},
		{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"},
	}
	return out
}

// footer is the address and the link in the body, where people look for them.
func (m marketing) footer(link string) Ruling {
	out := Pass()
	n := Notice{ID: "marketing", Text: m.o.PostalAddress, HTML: "<p>" + lines(m.o.PostalAddress) + "</p>"}
	if link != "" {
		n.Text += "\nUnsubscribe: " + link
		n.HTML += `<p><a href="` + html.EscapeString(link) + `">Unsubscribe</a></p>`
	}
	out.Notices = []Notice{n}
	out.Steps = []Step{{
		Rule: "marketing", Code: "marketing-footer", Effect: "notice marketing",
		Facts: []string{"marketing mail"}, Change: "a message that is not marketing",
	}}
	return out
}

// lines is text as HTML, with its line ends.
func lines(text string) string { return strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") }

func isHTTPS(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Scheme == "https" && u.Host != "" && !strings.ContainsAny(link, "<>, \r\n\"")
}

// deceptive: 15 U.S.C. 7704(a)(2). Only the form can be judged here.
func deceptive(f *Facts) bool {
	s := strings.ToLower(strings.TrimSpace(f.Subject))
	if s == "" {
		return true
	}
	if f.Reply {
		return false
	}
	for _, prefix := range []string{"re:", "re[", "fw:", "fwd:", "aw:", "wg:", "sv:", "rv:", "tr:"} {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func (m marketing) Doc() Doc {
	return Doc{
		Name: "marketing", Title: "Commercial mail",
		What: "Mail of the marketing stream or for the purpose of marketing carries the sender's postal address and a way to opt out with one " +
			"click, in the body and in the header, goes to one recipient a message, " +
			"and has a subject that is not empty and does not pose as a reply.",
		Source:  "CAN-SPAM: 15 U.S.C. 7704(a)(2), (3), (5), 16 CFR 316.5; RFC 8058",
		Default: "On. Without a postal address and a link to opt out, commercial mail is refused.",
		Change:  "MarketingMail.PostalAddress and MarketingMail.Unsubscribe; a message may bring List-Unsubscribe fields of its own.",
		Setting: fmt.Sprintf("postal address %q, links %t", m.o.PostalAddress, m.o.Unsubscribe != nil),
	}
}
