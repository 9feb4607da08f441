package crypt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestErrorsMatchTheirReasonAndClass(t *testing.T) {
	t.Parallel()
	keys := []crypt.Reason{
		crypt.ErrNoKey, crypt.ErrNotFound, crypt.ErrExpired, crypt.ErrNotYetValid, crypt.ErrRevoked, crypt.ErrRevocation,
		crypt.ErrWrongAddress, crypt.ErrPurpose, crypt.ErrUsage, crypt.ErrUntrusted, crypt.ErrWeak, crypt.ErrUnsupported, crypt.ErrChanged, crypt.ErrUnproven,
		crypt.ErrSubkeyExpired, crypt.ErrForm, crypt.ErrBadKey,
	}
	others := []crypt.Reason{
		crypt.ErrSource, crypt.ErrSigner, crypt.ErrFIPS, crypt.ErrEntity, crypt.ErrWrite, crypt.ErrMalformed, crypt.ErrIntegrity,
		crypt.ErrRecipient, crypt.ErrUnsigned, crypt.ErrSignature, crypt.ErrTooLarge, crypt.ErrAlgorithm, crypt.ErrConfig, crypt.ErrCanceled,
	}
	check := func(r crypt.Reason, isKey bool) {
		err := fmt.Errorf("x: %w", &crypt.Error{Reason: r})
		if !errors.Is(err, r) || errors.Is(err, crypt.ErrNoKey) != isKey {
			t.Errorf("%s: matches itself %t, no-key %t", string(r), errors.Is(err, r), errors.Is(err, crypt.ErrNoKey))
		}
		if s := err.Error(); strings.HasSuffix(s, ": "+string(r)) {
			t.Errorf("%s has no words: %s", string(r), s)
		}
	}
	for _, r := range keys {
		check(r, true)
	}
	for _, r := range others {
		check(r, false)
	}
}

func TestPrintedFormsHoldNothing(t *testing.T) {
	t.Parallel()
	const marker = "marker4711"
	a := mail.Address{Name: marker, Address: marker + "@x.example"}
	for _, v := range []any{
		crypt.Job{From: a, To: []crypt.Target{{Address: a}}, Header: []crypt.Field{{Name: "Subject", Value: marker}}},
		crypt.Target{Address: a, Ref: marker}, crypt.Field{Name: "Subject", Value: marker},
		&crypt.Error{Reason: crypt.ErrEntity},
	} {
		out, err := json.Marshal(v)
		if s := fmt.Sprintf("%v %+v %#v %s", v, v, v, out); err != nil || strings.Contains(s, marker) {
			t.Errorf("%T prints %s, %v", v, s, err)
		}
	}
}

func ExampleError() {
	err := fmt.Errorf("planning: %w", &crypt.Error{Reason: crypt.ErrExpired})
	fmt.Println(err)
	fmt.Println(errors.Is(err, crypt.ErrExpired), errors.Is(err, crypt.ErrNoKey))
	// Output:
	// planning: crypt: the recipient's key has expired; get a new one from them
	// true true
}

func TestAnotherDiscoveredKeyIsAChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  crypt.Key
		want bool
	}{
		{crypt.Key{Fingerprint: "b", Pinned: "a", Discovered: true}, true},
		{crypt.Key{Fingerprint: "a", Pinned: "a", Discovered: true}, false},
		{crypt.Key{Fingerprint: "a", Discovered: true}, false},
		{crypt.Key{Fingerprint: "b", Pinned: "a"}, false},
	} {
		if c.key.Changed() != c.want {
			t.Errorf("%+v: %t", c.key, !c.want)
		}
	}
}
