package dkim

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
)

// maxRecord bounds a record's text, far above the 3 KiB of an RSA key of 16384
// bits, and maxTags the number of its tags: RFC 6376 knows seven.
const (
	maxRecord = 8 << 10
	maxTags   = 32
)

// CheckRecord compares what is published under [Key.RecordName], its strings
// joined, with a key. Nil means that a verifier will find this key there and
// accept it. The errors are the ErrRecord reasons, and ErrKey or ErrWeakKey for
// a key that must not sign.
func CheckRecord(txt string, key Key) error {
	public := publicOf(key.Signer)
	algorithm, reason := checkPublic(public)
	if reason != "" {
		return fail(reason)
	}
	want, err := recordKey(public)
	if err != nil {
		return err
	}
	if strings.Trim(txt, " \t\r\n") == "" {
		return fail(ErrRecordMissing)
	}
	tags, ok := parseTags(txt)
	if !ok {
		return fail(ErrRecordMalformed)
	}
	if reason := tags.compare(algorithm, want); reason != "" {
		return fail(reason)
	}
	return nil
}

// tags is a tag-list of RFC 6376 section 3.2 in its order.
type tags []tag

type tag struct{ name, value string }

func (t tags) get(name string) (string, bool) {
	for _, tag := range t {
		if tag.name == name {
			return tag.value, true
		}
	}
	return "", false
}

// list returns the elements of a colon-separated value.
func (t tags) list(name string) ([]string, bool) {
	value, ok := t.get(name)
	if !ok {
		return nil, false
	}
	parts := strings.Split(value, ":")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " \t\r\n")
	}
	return parts, true
}

// parseTags refuses a doubled tag, a name that is none, and a v= that is not
// the first tag or not DKIM1 (RFC 6376 sections 3.2 and 3.6.1).
func parseTags(s string) (tags, bool) {
	if len(s) > maxRecord {
		return nil, false
	}
	var list tags
	specs := strings.SplitN(s, ";", maxTags+1)
	if len(specs) > maxTags {
		return nil, false
	}
	for i, spec := range specs {
		name, value, found := strings.Cut(spec, "=")
		name, value = strings.Trim(name, " \t\r\n"), strings.Trim(value, " \t\r\n")
		if !found && name == "" && i == len(specs)-1 && i > 0 {
			break // the semicolon after the last tag is optional
		}
		if _, twice := list.get(name); !found || twice || !validTagName(name) {
			return nil, false
		}
		if name == "v" && (len(list) > 0 || value != "DKIM1") {
			return nil, false
		}
		list = append(list, tag{name, value})
	}
	return list, true
}

func validTagName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// compare returns why a verifier would not take the key, or an empty reason.
func (t tags) compare(algorithm string, want []byte) Reason {
	p, ok := t.get("p")
	if !ok {
		return ErrRecordMalformed
	}
	p = strings.Join(strings.Fields(p), "")
	if p == "" {
		return ErrRecordRevoked
	}
	der, err := base64.StdEncoding.DecodeString(p)
	if err != nil {
		return ErrRecordMalformed
	}
	published := RSA // the default of k=
	if k, ok := t.get("k"); ok {
		published = k
	}
	if published != algorithm {
		return ErrRecordMismatch
	}
	if published == RSA {
		if der, ok = rsaKeyInfo(der); !ok {
			return ErrRecordMalformed
		}
	}
	if !bytes.Equal(der, want) {
		return ErrRecordMismatch
	}
	return t.usable()
}

// rsaKeyInfo returns a published RSA key as SubjectPublicKeyInfo. A bare
// RSAPublicKey is accepted as verifiers accept it (RFC 6376 erratum 3017).
func rsaKeyInfo(der []byte) ([]byte, bool) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		parsed, err = x509.ParsePKCS1PublicKey(der)
	}
	pub, ok := parsed.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, false
	}
	der, err = x509.MarshalPKIXPublicKey(pub)
	return der, err == nil
}

// usable checks the tags that narrow what a key is for.
func (t tags) usable() Reason {
	if hashes, ok := t.list("h"); ok && !slices.Contains(hashes, "sha256") {
		return ErrRecordUnusable
	}
	if services, ok := t.list("s"); ok && !slices.Contains(services, "*") && !slices.Contains(services, "email") {
		return ErrRecordUnusable
	}
	if flags, ok := t.list("t"); ok && slices.Contains(flags, "y") {
		return ErrRecordTesting
	}
	return ""
}
