package phimail

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/phimail/sdk/phimail/internal/compose"
	"github.com/phimail/sdk/policy"
)

// draft is a Client's own copy of a message that was found valid.
type draft struct {
	msg        Message
	from       mail.Address
	fromDomain string
	recipients []addressee
	messageID  string
	compose    compose.Message
}

// addressee is one recipient with the normalized address.
type addressee struct {
	address mail.Address
	domain  string
	kind    policy.RecipientKind
	patient string
	ref     string
}

const (
	maxIdempotencyKey = 255
	maxPatients       = 1000
	maxOpaque         = 256
)

// draft checks msg and copies it. The error joins a *MessageError a fault.
func (c *Client) draft(msg *Message, now time.Time) (*draft, error) {
	if msg == nil {
		return nil, &MessageError{Field: "message", Reason: "nil; pass a message"}
	}
	d := &draft{msg: *msg}
	var errs []error
	fault := func(field, reason string) { errs = append(errs, &MessageError{Field: field, Reason: reason}) }

	c.draftSender(d, fault)
	c.draftRecipients(d, fault)
	d.checkRecord(fault)
	if d.msg.IdempotencyKey != "" && c.cfg.HostSecret == nil {
		fault("IdempotencyKey", "needs Config.HostSecret, which keys the Message-ID")
	}
	if d.msg.Date.IsZero() {
		d.msg.Date = now
	}
	d.msg.Date = d.msg.Date.Truncate(time.Second)
	d.messageID = c.messageID(d)
	d.copyIn()
	// Building finds the same faults but for names of further fields: here they
	// are looked for only where there is one to report them with.
	if len(errs) > 0 || len(d.msg.Header) > 0 {
		if err := d.compose.Check(compose.Rules{AllowHeaders: c.cfg.AllowHeaders}); err != nil {
			errs = append(errs, messageErrors(err)...)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return d, nil
}

func (c *Client) draftSender(d *draft, fault func(field, reason string)) {
	d.from = c.cfg.From
	if d.msg.From.Address != "" {
		from, err := compose.NormalizeAddress(d.msg.From)
		switch {
		case err != nil:
			fault("From", "not a valid address")
		case !c.senders[senderKey(from)]:
			fault("From", "not among the configured senders; add it to Config.Senders")
		}
		d.from = from
	}
	d.fromDomain = domainOf(d.from)
}

func (c *Client) draftRecipients(d *draft, fault func(field, reason string)) {
	n := len(d.msg.To) + len(d.msg.Cc) + len(d.msg.Bcc)
	switch {
	case n == 0:
		fault("To", "no recipient; name at least one in To, Cc or Bcc")
		return
	case n > c.cfg.MaxRecipients:
		fault("To", fmt.Sprintf("more than %d recipients; send several messages or raise Config.MaxRecipients", c.cfg.MaxRecipients))
		return
	}
	d.recipients = make([]addressee, 0, n)
	seen := make(map[string]bool, n)
	for kind, list := range [...][]Recipient{policy.To: d.msg.To, policy.Cc: d.msg.Cc, policy.Bcc: d.msg.Bcc} {
		for i, r := range list {
			d.addRecipient(policy.RecipientKind(kind), i, r, seen, fault)
		}
	}
}

var recipientFields = [...]string{policy.To: "To", policy.Cc: "Cc", policy.Bcc: "Bcc"}

func (d *draft) addRecipient(kind policy.RecipientKind, i int, r Recipient, seen map[string]bool, fault func(field, reason string)) {
	field := func() string { return fmt.Sprintf("%s[%d]", recipientFields[kind], i) }
	a, err := compose.NormalizeAddress(r.Address)
	switch {
	case err != nil:
		fault(field(), "not a valid address")
	case seen[a.Address]:
		fault(field(), "stands twice among the recipients; remove one")
	}
	seen[a.Address] = true
	if r.Patient != "" && !slices.Contains(d.msg.Patients, r.Patient) {
		fault(field()+".Patient", "not among Message.Patients; add it there")
	}
	if !isOpaque(r.Ref) {
		fault(field()+".Ref", opaqueAdvice)
	}
	d.recipients = append(d.recipients, addressee{address: a, domain: domainOf(a), kind: kind, patient: r.Patient, ref: r.Ref})
}

// checkRecord checks what goes into records.
func (d *draft) checkRecord(fault func(field, reason string)) {
	m := &d.msg
	for _, t := range [...]struct{ field, value string }{
		{"Actor.ID", m.Actor.ID}, {"Actor.Role", m.Actor.Role}, {"Actor.OnBehalfOf", m.Actor.OnBehalfOf}, {"Label", m.Label},
	} {
		if !isToken(t.value) {
			fault(t.field, tokenAdvice)
		}
	}
	if len(m.Patients) > maxPatients {
		fault("Patients", fmt.Sprintf("more than %d", maxPatients))
	}
	for i, p := range m.Patients {
		if p == "" || !isOpaque(p) {
			fault(fmt.Sprintf("Patients[%d]", i), "empty or not opaque; "+opaqueAdvice)
		}
	}
	if m.Purpose > policy.Individual {
		fault("Purpose", "unknown; use a constant of package policy")
	}
	if m.Stream > policy.Promotional {
		fault("Stream", "unknown; use a constant of package policy")
	}
	if len(m.IdempotencyKey) > maxIdempotencyKey {
		fault("IdempotencyKey", fmt.Sprintf("longer than %d bytes", maxIdempotencyKey))
	}
	if m.Entity != nil && (m.Text != "" || m.HTML != "" || len(m.Attachments) > 0) {
		fault("Entity", "excludes Text, HTML and Attachments; use one or the other")
	}
}

const opaqueAdvice = "use an identifier of at most 256 bytes without control characters"

func isOpaque(s string) bool {
	return len(s) <= maxOpaque && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// copyIn takes copies of what the caller could still change, and fills the
// message to build.
func (d *draft) copyIn() {
	m := &d.msg
	m.Patients, m.Known, m.Fields = slices.Clone(m.Patients), slices.Clone(m.Known), maps.Clone(m.Fields)
	m.ReplyTo, m.InReplyTo, m.References = slices.Clone(m.ReplyTo), slices.Clone(m.InReplyTo), slices.Clone(m.References)
	m.Attachments = slices.Clone(m.Attachments)
	d.compose = compose.Message{
		From: d.from, ReplyTo: m.ReplyTo, Subject: m.Subject, Date: m.Date, MessageID: d.messageID,
		InReplyTo: m.InReplyTo, References: m.References, Text: m.Text, HTML: m.HTML,
	}
	for _, r := range d.recipients {
		switch r.kind {
		case policy.To:
			d.compose.To = append(d.compose.To, r.address)
		case policy.Cc:
			d.compose.Cc = append(d.compose.Cc, r.address)
		case policy.Bcc: // never in the header
		}
	}
	for _, h := range m.Header {
		d.compose.Header = append(d.compose.Header, compose.Field(h))
	}
	for _, a := range m.Attachments {
		d.compose.Attachments = append(d.compose.Attachments, compose.Attachment{
			Name: a.Name, ContentType: a.ContentType, ContentID: a.ContentID, Open: a.Open,
		})
	}
	if m.Entity != nil {
		d.compose.Entity = m.Entity.body
	}
}

// messageID is stable for an idempotency key, so that a recipient's client can
// tell a surplus copy after a lost reply.
func (c *Client) messageID(d *draft) string {
	var id [20]byte
	if d.msg.IdempotencyKey == "" || c.cfg.HostSecret == nil {
		_, _ = rand.Read(id[:]) // never fails
	} else {
		mac := hmac.New(sha256.New, c.cfg.HostSecret)
		_, _ = fmt.Fprintf(mac, "message-id v1\x00%d\x00%s\x00%s", len(c.cfg.Tenant), c.cfg.Tenant, d.msg.IdempotencyKey)
		copy(id[:], mac.Sum(nil))
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(id[:])) + "@" + compose.ASCIIDomain(d.fromDomain)
}

// domainOf returns the part after the last "@", in lower case.
func domainOf(a mail.Address) string {
	return strings.ToLower(a.Address[strings.LastIndexByte(a.Address, '@')+1:])
}

// messageErrors turns the faults of package compose into ours.
func messageErrors(err error) []error {
	var errs []error
	walk(err, func(e error) {
		if f, ok := e.(*compose.FaultError); ok { //nolint:errorlint // walk has unwrapped the joined errors
			errs = append(errs, &MessageError{Field: f.Field, Reason: f.Reason})
		}
	})
	if errs == nil {
		errs = append(errs, &MessageError{Field: "message", Reason: "could not be built"})
	}
	return errs
}

func walk(err error, visit func(error)) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree is walked here
		for _, e := range joined.Unwrap() {
			walk(e, visit)
		}
		return
	}
	visit(err)
}
