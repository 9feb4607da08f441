package phimail

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/mail"
	"slices"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
	"github.com/phimail/sdk/policy"
)

// heldItem is an entry of the store and how it was read there.
type heldItem struct {
	id     string
	stored []byte // as sealed
	meta   heldMeta
}

// heldMeta is what a list needs. It is sealed apart from the message.
type heldMeta struct {
	Version     int       `json:"v"`
	Tenant      string    `json:"tenant"`
	MessageID   string    `json:"message_id"`
	Held        time.Time `json:"held"`
	Expires     time.Time `json:"expires"`
	Actor       Actor     `json:"actor"`
	Label       string    `json:"label"`
	Purpose     string    `json:"purpose"`
	Stream      string    `json:"stream"`
	Recipients  int       `json:"recipients"`
	Attachments int       `json:"attachments"`
	Bytes       int64     `json:"bytes"`
	Codes       []string  `json:"codes"`
	Explanation []string  `json:"explanation"`
	Keys        []string  `json:"keys"` // fingerprints of the changed keys
	Digest      string    `json:"digest"`
	Releasing   bool      `json:"releasing"`
	ReleasedBy  string    `json:"released_by"`
	ReleasedAt  time.Time `json:"released_at"`
}

// heldMessage is a message in the form in which it is kept: the caller's, before
// any duty was done. The printed forms of its parts are redacted, so that each
// has one of its own here.
type heldMessage struct {
	From                  heldAddress
	To, Cc, Bcc           []heldRecipient
	ReplyTo               []heldAddress
	Subject, Text, HTML   string
	Attachments           []heldFile
	Entity                []byte // a whole message, of which the body counts
	InReplyTo, References []string
	Header                []heldField
	Date                  time.Time
	Patients              []string
	Fields                map[string]string
	Known                 []policy.Finding
	Actor                 Actor
	Purpose               policy.Purpose
	Stream                policy.Stream
	Label                 string
	IdempotencyKey        string
	Together              bool
}

type (
	heldAddress   struct{ Name, Address string }
	heldRecipient struct {
		Address      heldAddress
		Patient, Ref string
	}
	heldFile struct {
		Name, ContentType, ContentID string
		Data                         []byte
	}
	heldField struct{ Name, Value string }
)

// keepable reads everything that a message refers to.
func (d *draft) keepable(limit int64) ([]byte, error) {
	m := &d.msg
	h := heldMessage{
		From: heldAddress(d.from), Subject: m.Subject, Text: m.Text, HTML: m.HTML,
		InReplyTo: m.InReplyTo, References: m.References, Date: m.Date, Patients: m.Patients, Fields: m.Fields, Known: m.Known,
		Actor: m.Actor, Purpose: m.Purpose, Stream: m.Stream, Label: m.Label, IdempotencyKey: m.IdempotencyKey, Together: m.Together,
	}
	for i, list := range [...][]Recipient{m.To, m.Cc, m.Bcc} {
		for _, r := range list {
			to := [...]*[]heldRecipient{&h.To, &h.Cc, &h.Bcc}[i]
			*to = append(*to, heldRecipient{heldAddress(r.Address), r.Patient, r.Ref})
		}
	}
	for _, a := range m.ReplyTo {
		h.ReplyTo = append(h.ReplyTo, heldAddress(a))
	}
	for _, f := range m.Header {
		h.Header = append(h.Header, heldField(f))
	}
	for _, a := range m.Attachments {
		data, err := readAttachment(a, limit)
		if err != nil {
			return nil, err
		}
		limit -= int64(len(data))
		h.Attachments = append(h.Attachments, heldFile{a.Name, a.ContentType, a.ContentID, data})
	}
	if m.Entity != nil {
		rendering, err := compose.NewRendering(&compose.Message{From: d.from, Date: m.Date, MessageID: d.messageID, Entity: m.Entity.body})
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if _, err := rendering.WriteTo(&b); err != nil {
			return nil, err
		}
		h.Entity = b.Bytes()
	}
	return json.Marshal(&h) //nolint:musttag // a format of this package, whose names are its own
}

func readAttachment(a Attachment, limit int64) (data []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	r, err := a.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errTooLarge
	}
	return data, err
}

// message is what keepable kept.
func (h *heldMessage) message() (*Message, error) {
	m := &Message{
		From: mail.Address(h.From), Subject: h.Subject, Text: h.Text, HTML: h.HTML,
		InReplyTo: h.InReplyTo, References: h.References, Date: h.Date, Patients: h.Patients, Fields: h.Fields, Known: h.Known,
		Actor: h.Actor, Purpose: h.Purpose, Stream: h.Stream, Label: h.Label, IdempotencyKey: h.IdempotencyKey, Together: h.Together,
	}
	for i, list := range [...][]heldRecipient{h.To, h.Cc, h.Bcc} {
		for _, r := range list {
			to := [...]*[]Recipient{&m.To, &m.Cc, &m.Bcc}[i]
			*to = append(*to, Recipient{Address: mail.Address(r.Address), Patient: r.Patient, Ref: r.Ref})
		}
	}
	for _, a := range h.ReplyTo {
		m.ReplyTo = append(m.ReplyTo, mail.Address(a))
	}
	for _, f := range h.Header {
		m.Header = append(m.Header, HeaderField(f))
	}
	for _, a := range h.Attachments {
		m.Attachments = append(m.Attachments, Attachment{
			Name: a.Name, ContentType: a.ContentType, ContentID: a.ContentID,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(a.Data)), nil },
		})
	}
	if h.Entity != nil {
		parsed, err := compose.Parse(bytes.NewReader(h.Entity), compose.Limits{MaxBytes: int64(len(h.Entity)) + 1})
		if err != nil {
			return nil, err
		}
		m.Entity = &Entity{body: parsed.Entity}
	}
	return m, nil
}

// sealHeld encrypts what belongs to an id: what names it and what kind it is can't
// be exchanged.
func (c *Client) sealHeld(kind, id string, plain []byte) ([]byte, error) {
	aead, err := c.holdCipher()
	if err != nil {
		return nil, err
	}
	// SP 800-38D section 8.2.2: the nonce is random and goes in front.
	return aead.Seal(nil, nil, plain, c.holdContext(kind, id)), nil //nolint:gosec // the AEAD makes the nonce
}

func (c *Client) openHeld(kind, id string, sealed []byte) ([]byte, error) {
	aead, err := c.holdCipher()
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, c.holdContext(kind, id))
	if err != nil {
		return nil, ErrHoldStore
	}
	return plain, nil
}

func (c *Client) holdCipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(c.cfg.Hold.Key)
	if err != nil {
		return nil, ErrHoldStore
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (*Client) holdContext(kind, id string) []byte {
	return []byte("phimail hold v1\x00" + kind + "\x00" + id)
}

const (
	holdMeta   = "meta"
	holdBody   = "message"
	bodySuffix = ".message"
	// Version 1 named a message by its bare SHA-256, and knew no keys.
	holdVersion = 2
)

// isHoldID reports whether s names an item: 32 hex digits.
func isHoldID(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 16 && hex.EncodeToString(raw) == s
}

func (c *Client) loadItem(ctx context.Context, id string) (*heldItem, error) {
	stored, err := c.cfg.Hold.Store.Load(ctx, id)
	if err != nil {
		return nil, holdError(err)
	}
	plain, err := c.openHeld(holdMeta, id, stored)
	if err != nil {
		return nil, err
	}
	it := &heldItem{id: id, stored: stored}
	err = json.Unmarshal(plain, &it.meta) //nolint:musttag // a format of this package, whose names are its own
	if err != nil || it.meta.Version < 1 || it.meta.Version > holdVersion {
		return nil, ErrHoldStore
	}
	return it, nil
}

// loadMessage returns the message of an item, if it is the one that was held.
func (c *Client) loadMessage(ctx context.Context, it *heldItem) (*Message, error) {
	sealed, err := c.cfg.Hold.Store.Load(ctx, it.id+bodySuffix)
	if err != nil {
		return nil, holdError(err)
	}
	plain, err := c.openHeld(holdBody, it.id, sealed)
	if err != nil {
		return nil, err
	}
	var h heldMessage
	err = json.Unmarshal(plain, &h) //nolint:musttag // a format of this package, whose names are its own
	if err != nil {
		return nil, ErrHoldStore
	}
	digest, err := c.holdDigest(it.meta.Version, plain)
	if err != nil || !hmac.Equal([]byte(digest), []byte(it.meta.Digest)) {
		return nil, ErrHoldStore
	}
	m, err := h.message()
	if err != nil {
		return nil, ErrHoldStore
	}
	return m, nil
}

// holdDigest names a message in lists and in the audit log. It is keyed: what a
// message made of a template says can be guessed, and compared with a bare digest.
func (c *Client) holdDigest(version int, plain []byte) (string, error) {
	if version == 1 {
		sum := sha256.Sum256(plain)
		return hex.EncodeToString(sum[:]), nil
	}
	key, err := hkdf.Key(sha256.New, c.cfg.Hold.Key, nil, "phimail hold v2 digest", sha256.Size)
	if err != nil {
		return "", ErrHoldStore
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(plain) // never fails
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// swapMeta replaces the entry of an item, if nobody else did.
func (c *Client) swapMeta(ctx context.Context, from, to *heldItem) error {
	plain, err := json.Marshal(&to.meta) //nolint:musttag // a format of this package, whose names are its own
	if err != nil {
		return ErrHoldStore
	}
	sealed, err := c.sealHeld(holdMeta, to.id, plain)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	if err := c.cfg.Hold.Store.Swap(ctx, to.id, from.stored, sealed); err != nil {
		return holdError(err)
	}
	to.stored = sealed
	return nil
}

// remove takes an item away, the entry first: without it the message is nobody's.
func (c *Client) remove(ctx context.Context, it *heldItem) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	store := c.cfg.Hold.Store
	if err := store.Swap(ctx, it.id, it.stored, nil); err != nil {
		return holdError(err)
	}
	body, err := store.Load(ctx, it.id+bodySuffix)
	if err == nil {
		err = store.Swap(ctx, it.id+bodySuffix, body, nil)
	}
	if err != nil && !errors.Is(err, ErrNotHeld) {
		return holdError(err)
	}
	return nil
}

// holdError keeps the classes of a store's error, and nothing of its text.
func holdError(err error) error {
	for _, class := range []Class{ErrNotHeld, ErrHoldConflict} {
		if errors.Is(err, class) {
			return class
		}
	}
	return &callError{class: ErrHoldStore, cause: ownError(err)}
}

func (it *heldItem) public() HeldMessage {
	m := &it.meta
	purpose, _ := policy.ParsePurpose(m.Purpose) // unspecified if it is not known
	stream, _ := policy.ParseStream(m.Stream)
	return HeldMessage{
		ID: it.id, MessageID: m.MessageID, Held: m.Held, Expires: m.Expires, Actor: m.Actor, Label: m.Label,
		Purpose: purpose, Stream: stream, Recipients: m.Recipients, Attachments: m.Attachments, Bytes: m.Bytes,
		Codes: slices.Clone(m.Codes), Explanation: slices.Clone(m.Explanation), Digest: m.Digest,
		Releasing: m.Releasing, ReleasedBy: m.ReleasedBy,
	}
}
