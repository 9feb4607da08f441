package escrow

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/phimail/sdk/crypt"
)

// Factor is what a recipient shows beside the link. The zero value is none of
// them.
type Factor string

// The factors.
const (
	// Passcode is generated for each item, told to the recipient by another way
	// than e-mail, and part of the key: without it neither the server nor whoever
	// copies the store can open the item, whatever links they have.
	Passcode Factor = "passcode"
	// Code is a one-time code that the host sends by another way. It is a gate at
	// the server, and no part of the key.
	Code Factor = "code"
	// Login is the host's own login. It is a gate at the server, and no part of
	// the key.
	Login Factor = "login"
	// LinkOnly asks for nothing beside the link.
	LinkOnly Factor = "none"
)

// For is the factor that an item gets: f, but Passcode where f is LinkOnly (or
// unknown) and the link alone is not enough.
func (f Factor) For(a crypt.Access) Factor {
	switch f {
	case Passcode, Code, Login:
		return f
	case LinkOnly:
		if a.LinkEnough {
			return LinkOnly
		}
	}
	return Passcode
}

func (f Factor) known() bool { return f == Passcode || f == Code || f == Login || f == LinkOnly }

// State is where an item stands.
type State string

// The states. Only a published item can be read.
const (
	// Sealed: made, and not readable yet; also after it was withdrawn.
	Sealed State = "sealed"
	// Published: readable by whoever has the link and the factor.
	Published State = "published"
	// Recalled: taken back by the sender.
	Recalled State = "recalled"
	// Expired: its time was over.
	Expired State = "expired"
)

// Item is what is known of an escrow item beside its ciphertext and the server's
// share of the key: no address, no subject, and nothing of the content. It is a
// persisted format: later versions only add fields.
type Item struct {
	// ID names the item: 32 hex digits.
	ID string `json:"id"`
	// Version counts changes, from 1. See [Items].
	Version uint64 `json:"version"`
	Tenant  string `json:"tenant,omitempty"`
	// Ref is the recipient in the host's own portal.
	Ref string `json:"ref,omitempty"`
	// Message is a digest of tenant and Message-ID: what the items of one
	// message have in common.
	Message string    `json:"message"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	State   State     `json:"state"`

	// Content names the ciphertext that readers get, Pending one that was sealed
	// and not published. Size is the length of Content, PendingSize of Pending.
	Content     string `json:"content,omitempty"`
	Pending     string `json:"pending,omitempty"`
	Size        int64  `json:"size,omitempty"`
	PendingSize int64  `json:"pending_size,omitempty"`

	// Share names the server's share.
	Share string `json:"share,omitempty"`

	Factor     Factor `json:"factor"`
	Salt       []byte `json:"salt"`
	Iterations int    `json:"iterations,omitempty"`
	// Access and Proof are salted verifiers of the keys that show the link and
	// the passcode.
	Access []byte `json:"access"`
	Proof  []byte `json:"proof,omitempty"`

	// Attempts counts those since the factor was last right. At the limit the
	// item is locked.
	Attempts int `json:"attempts,omitempty"`
	// Limit is that of the gate that counted last, 0 where none has.
	Limit int `json:"limit,omitempty"`
	// Tokens are the digests of those that may still be used for one attempt.
	Tokens []Token `json:"tokens,omitempty"`
	// Code is the one-time code that was sent last, CodesSent when.
	Code      *OneTime    `json:"code,omitempty"`
	CodesSent []time.Time `json:"codes_sent,omitempty"`

	// Reads counts readings; FirstRead and LastRead say when.
	Reads     int       `json:"reads,omitempty"`
	FirstRead time.Time `json:"first_read,omitzero"`
	LastRead  time.Time `json:"last_read,omitzero"`

	// Link is the link's secret and the passcode, wrapped by the key of senders,
	// until nobody needs them for another try.
	Link []byte `json:"link,omitempty"`
	// Erased says that share and ciphertext are gone.
	Erased bool `json:"erased,omitempty"`
}

// Token is the digest of a token that the page was given, and when it ends.
type Token struct {
	Digest  []byte    `json:"digest"`
	Expires time.Time `json:"expires"`
}

// OneTime is the salted digest of a one-time code, and when it ends.
type OneTime struct {
	Digest  []byte    `json:"digest"`
	Expires time.Time `json:"expires"`
}

// Clone returns a copy that shares nothing.
func (it *Item) Clone() *Item {
	c := *it
	c.Salt, c.Access, c.Proof, c.Link = bytes.Clone(it.Salt), bytes.Clone(it.Access), bytes.Clone(it.Proof), bytes.Clone(it.Link)
	c.Tokens = nil
	for _, t := range it.Tokens {
		c.Tokens = append(c.Tokens, Token{bytes.Clone(t.Digest), t.Expires})
	}
	if it.Code != nil {
		c.Code = &OneTime{bytes.Clone(it.Code.Digest), it.Code.Expires}
	}
	c.CodesSent = append([]time.Time(nil), it.CodesSent...)
	return &c
}

var errItem = errors.New("escrow: a stored item is damaged")

// maxItem bounds the stored form of an item, in bytes.
const maxItem = 64 << 10

// EncodeItem is the stored form of an item: one line of JSON.
func EncodeItem(it *Item) ([]byte, error) {
	b, err := json.Marshal((*plainItem)(it))
	if err == nil && len(b) > maxItem {
		err = errItem
	}
	return b, err
}

// DecodeItem reads what EncodeItem wrote. Unknown fields are those of a later
// version, and refused: what this version would drop may matter.
func DecodeItem(b []byte) (*Item, error) {
	if len(b) > maxItem {
		return nil, errItem
	}
	var it Item
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode((*plainItem)(&it)); err != nil || dec.More() {
		return nil, errItem
	}
	if _, err := parseID(it.ID); err != nil || it.Version == 0 || len(it.Salt) != saltSize || !it.Factor.known() {
		return nil, errItem
	}
	return &it, nil
}

// plainItem is an Item as JSON has it.
type plainItem Item

func (it *Item) summary() string {
	if it == nil {
		return "<nil>"
	}
	return fmt.Sprintf("escrow.Item{%s, %s, attempts:%d, reads:%d}", it.ID, it.State, it.Attempts, it.Reads)
}

// Format prints id, state and counts, whatever the verb.
func (it *Item) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, it.summary()) }

// LogValue logs id, state and counts.
func (it *Item) LogValue() slog.Value { return slog.StringValue(it.summary()) }

// MarshalJSON encodes id, state and counts; EncodeItem is the stored form.
func (it *Item) MarshalJSON() ([]byte, error) { return json.Marshal(it.summary()) }

// ValidID reports whether s may be the id of an item, or the name of a
// ciphertext: 32 lower-case hex digits, so that it is safe in a path and a URL.
func ValidID(s string) bool {
	_, err := parseID(s)
	return err == nil
}

func parseID(s string) (id [idSize]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != idSize || hex.EncodeToString(b) != s {
		return id, errEncoding
	}
	return [idSize]byte(b), nil
}

func randomName() string {
	var b [idSize]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// verifier is what the store keeps of a key or code, so that a copy of the store
// does not show it.
func verifier(salt, key []byte, what string) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "phimail escrow 1 verifier %s\x00", what) // never fails
	_, _ = h.Write(salt)
	_, _ = h.Write(key)
	return h.Sum(nil)
}

// matches compares in constant time.
func matches(stored, salt, key []byte, what string) bool {
	return subtle.ConstantTimeCompare(stored, verifier(salt, key, what)) == 1
}

// messageDigest is Item.Message. Message-IDs are random, so it hides them.
func messageDigest(tenant, messageID string) string {
	h := sha256.Sum256(fmt.Appendf(nil, "phimail escrow 1 message\x00%d\x00%s\x00%s", len(tenant), tenant, messageID))
	return hex.EncodeToString(h[:16])
}
