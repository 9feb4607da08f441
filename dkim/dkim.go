// Package dkim signs finished messages so that their recipients can tell that
// a clinic's mail is the clinic's.
//
// A [Signer] reads the raw bytes of a message once and returns the
// DKIM-Signature header fields to put before it: one for each key of the
// sender's domain that is valid now, so that a domain with an RSA and an
// Ed25519 key signs twice (RFC 8463 section 3). The keys may be any
// [crypto.Signer], an HSM's or a KMS's among them. Signatures
//
//   - cover the whole body (never l=, RFC 6376 section 8.2),
//   - list each header field of the message once more than it occurs, so that
//     none can be added (RFC 6376 section 8.15),
//   - use relaxed canonicalization for header and body,
//   - end after [Config.Expiry] (x=), which bounds a replay,
//   - are made by RSA keys of 2048 bits or more (RFC 8301) or by Ed25519.
//
// [GenerateKey], [Record] and [CheckRecord] make a key, the DNS record that
// publishes it, and tell whether what is published is that key.
//
// Canonicalization and the format of the field are
// github.com/emersion/go-msgauth's.
package dkim

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Key signs for one domain.
type Key struct {
	// Domain is the d= tag: the From domain, or an ancestor of it within the
	// same organisational domain. It is matched in lower case and in its ASCII
	// form.
	Domain string
	// Selector is the s= tag. The public key is published at
	// SELECTOR._domainkey.DOMAIN, see [Key.RecordName].
	Selector string
	// Signer is an RSA key of 2048 bits or more, or an Ed25519 key. It is used
	// by many goroutines at once. Its Sign has no context: a KeySource that
	// calls a service binds the context it was given.
	Signer crypto.Signer
	// NotBefore and NotAfter bound when the key signs; NotAfter itself is no
	// longer part. Zero is unbounded. Publish the record before NotBefore, and
	// keep it for [Config.Expiry] after NotAfter. While the time of two keys
	// overlaps, both sign.
	NotBefore time.Time
	NotAfter  time.Time
}

// RecordName is the DNS name of the key's TXT record (RFC 6376 section
// 3.6.2.1), without a final dot.
func (k Key) RecordName() string { return k.Selector + "._domainkey." + k.Domain }

func (k Key) valid(now time.Time) bool {
	return (k.NotBefore.IsZero() || !now.Before(k.NotBefore)) && (k.NotAfter.IsZero() || now.Before(k.NotAfter))
}

func (k Key) summary() string { return "dkim.Key{" + strconv.Quote(k.RecordName()) + "}" }

// Format prints the name of the record, never the key, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.summary()) }

// LogValue logs the name of the record.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.summary()) }

// MarshalText encodes the name of the record, for JSON too.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.summary()), nil }

// KeySource knows the keys. It is asked for each message, so that keys change
// without a restart, and is safe for concurrent use.
//
// Keys returns the keys whose Domain is domain, which is in lower case and in
// ASCII. Others are ignored, as are those that are not valid now. No key is no
// error. An error stops the message; its text is not shown.
type KeySource interface {
	Keys(ctx context.Context, domain string) ([]Key, error)
}

// StaticKeys is a source of fixed keys. [New] reports the faults of each.
func StaticKeys(keys ...Key) KeySource {
	return staticKeys(append([]Key(nil), keys...))
}

type staticKeys []Key

func (s staticKeys) Keys(_ context.Context, domain string) ([]Key, error) {
	var found []Key
	for _, k := range s {
		if d, ok := normalize(k.Domain); ok && d == domain {
			found = append(found, k)
		}
	}
	return found, nil
}

func (s staticKeys) known() []Key { return s }
