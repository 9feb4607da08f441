package phimail

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// The methods below keep addresses, content and secrets out of every way that Go
// prints a value.

func (m Message) summary() string {
	return fmt.Sprintf("phimail.Message{recipients:%d, attachments:%d, purpose:%s, stream:%s}",
		len(m.To)+len(m.Cc)+len(m.Bcc), len(m.Attachments), m.Purpose, m.Stream)
}

// Format prints codes and counts, whatever the verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, m.summary()) }

// LogValue logs codes and counts.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.summary()) }

// MarshalJSON encodes codes and counts.
func (m Message) MarshalJSON() ([]byte, error) { return json.Marshal(m.summary()) }

const recipientSummary = "phimail.Recipient{}"

// Format prints nothing of the recipient, whatever the verb.
func (r Recipient) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, recipientSummary) }

// LogValue logs nothing of the recipient.
func (r Recipient) LogValue() slog.Value { return slog.StringValue(recipientSummary) }

// MarshalJSON encodes nothing of the recipient.
func (r Recipient) MarshalJSON() ([]byte, error) { return json.Marshal(recipientSummary) }

const attachmentSummary = "phimail.Attachment{}"

// Format prints nothing of the file, whatever the verb.
func (a Attachment) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, attachmentSummary) }

// LogValue logs nothing of the file.
func (a Attachment) LogValue() slog.Value { return slog.StringValue(attachmentSummary) }

// MarshalJSON encodes nothing of the file.
func (a Attachment) MarshalJSON() ([]byte, error) { return json.Marshal(attachmentSummary) }

const headerFieldSummary = "phimail.HeaderField{}"

// Format prints nothing of the field, whatever the verb.
func (h HeaderField) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, headerFieldSummary) }

// LogValue logs nothing of the field.
func (h HeaderField) LogValue() slog.Value { return slog.StringValue(headerFieldSummary) }

// MarshalJSON encodes nothing of the field.
func (h HeaderField) MarshalJSON() ([]byte, error) { return json.Marshal(headerFieldSummary) }

const entitySummary = "phimail.Entity{}"

// Format prints nothing of the body, whatever the verb.
func (e Entity) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, entitySummary) }

// LogValue logs nothing of the body.
func (e Entity) LogValue() slog.Value { return slog.StringValue(entitySummary) }

// MarshalJSON encodes nothing of the body.
func (e Entity) MarshalJSON() ([]byte, error) { return json.Marshal(entitySummary) }

func (c Config) summary() string {
	return fmt.Sprintf("phimail.Config{tenant:%q, senders:%d, dkim:%t, partial:%d}",
		c.Tenant, 1+len(c.Senders), c.DKIM != nil, c.OnPartial)
}

// Format prints no address and no secret, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.summary()) }

// LogValue logs no address and no secret.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.summary()) }

// MarshalJSON encodes no address and no secret.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.summary()) }

func (r Receipt) summary() string {
	accepted := 0
	for i := range r.Recipients {
		if r.Recipients[i].Status == Accepted {
			accepted++
		}
	}
	return fmt.Sprintf("phimail.Receipt{attempt:%q, accepted:%d of %d}", r.Attempt, accepted, len(r.Recipients))
}

// Format prints the attempt and counts, whatever the verb.
func (r Receipt) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, r.summary()) }

// LogValue logs the attempt and counts.
func (r Receipt) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalJSON encodes the attempt and counts.
func (r Receipt) MarshalJSON() ([]byte, error) { return json.Marshal(r.summary()) }

// Format prints id, counts and codes, whatever the verb.
func (h HeldMessage) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, h.summary()) }

// LogValue logs id, counts and codes.
func (h HeldMessage) LogValue() slog.Value { return slog.StringValue(h.summary()) }

// Format prints nothing of the key, whatever the verb.
func (h Hold) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, holdSummary) }

// LogValue logs nothing of the key.
func (h Hold) LogValue() slog.Value { return slog.StringValue(holdSummary) }

// MarshalJSON encodes nothing of the key.
func (h Hold) MarshalJSON() ([]byte, error) { return json.Marshal(holdSummary) }

const holdSummary = "phimail.Hold{}"

func (o Outcome) summary() string {
	return fmt.Sprintf("phimail.Outcome{mode:%s, status:%s, code:%q}", o.Mode, o.Status, o.Code)
}

// Format prints mode, status and code, whatever the verb.
func (o Outcome) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, o.summary()) }

// LogValue logs mode, status and code.
func (o Outcome) LogValue() slog.Value { return slog.StringValue(o.summary()) }

// MarshalJSON encodes mode, status and code.
func (o Outcome) MarshalJSON() ([]byte, error) { return json.Marshal(o.summary()) }

// Format prints counts, whatever the verb.
func (p Plan) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, p.summary()) }

// LogValue logs counts.
func (p Plan) LogValue() slog.Value { return slog.StringValue(p.summary()) }

// MarshalJSON encodes modes and codes by the recipients' numbers.
func (p Plan) MarshalJSON() ([]byte, error) {
	type recipient struct {
		Mode   string `json:"mode"`
		Status string `json:"status"`
		Code   string `json:"code"`
		Reason string `json:"reason"`
	}
	var out struct {
		MessageID  string      `json:"message_id"`
		Expires    time.Time   `json:"expires"`
		Recipients []recipient `json:"recipients"`
	}
	if p.draft == nil {
		return []byte("null"), nil
	}
	out.MessageID, out.Expires = p.draft.messageID, p.expires
	for _, o := range p.Receipt().Recipients {
		out.Recipients = append(out.Recipients, recipient{o.Mode.String(), o.Status.String(), o.Code, o.Reason})
	}
	return json.Marshal(out)
}

func (p *Plan) summary() string {
	if p.draft == nil {
		return "phimail.Plan{}"
	}
	return fmt.Sprintf("phimail.Plan{recipients:%d, sending:%d, bytes:%d}", len(p.recipients), p.sending(), p.content.size)
}

// Format prints the tenant, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.summary()) }

// LogValue logs the tenant.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.summary()) }

func (c *Client) summary() string {
	if c == nil || c.settings == nil {
		return "phimail.Client{}"
	}
	return fmt.Sprintf("phimail.Client{tenant:%q}", c.cfg.Tenant)
}

// Format prints what Error returns, whatever the verb.
func (e *RecipientError) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Error()) }

// Format prints what Error returns, whatever the verb.
func (e *SendError) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Error()) }

// Format prints nothing of the template, whatever the verb.
func (t *Template) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "phimail.Template{}") }

// LogValue logs nothing of the template.
func (t *Template) LogValue() slog.Value { return slog.StringValue("phimail.Template{}") }

const batchItemSummary = "phimail.BatchItem{}"

// Format prints nothing of the message, whatever the verb.
func (i BatchItem) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, batchItemSummary) }

// LogValue logs nothing of the message.
func (i BatchItem) LogValue() slog.Value { return slog.StringValue(batchItemSummary) }

// MarshalJSON encodes nothing of the message.
func (i BatchItem) MarshalJSON() ([]byte, error) { return json.Marshal(batchItemSummary) }
