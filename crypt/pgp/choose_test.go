package pgp_test

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

func TestAKeyThatMayNotBeUsedSaysWhy(t *testing.T) {
	t.Parallel()
	day, long := 24*time.Hour, time.Now().Add(-30*24*time.Hour)
	k := func(kind pgptest.Kind, o pgptest.Options) []*pgptest.Key {
		return []*pgptest.Key{pgptest.New(kind, dana, o)}
	}
	good := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{Made: long})
	for name, c := range map[string]struct {
		keys []*pgptest.Key
		to   string
		want crypt.Reason
	}{
		"none":                          {nil, dana, crypt.ErrNotFound},
		"of another":                    {k(pgptest.Curve25519, pgptest.Options{}), lee, crypt.ErrWrongAddress},
		"of another case":               {k(pgptest.Curve25519, pgptest.Options{}), "Dana@patient.example", crypt.ErrWrongAddress},
		"of another domain":             {k(pgptest.Curve25519, pgptest.Options{}), "dana@patient.example.org", crypt.ErrWrongAddress},
		"a revoked user id":             {k(pgptest.Curve25519, pgptest.Options{NameRevoked: true}), dana, crypt.ErrWrongAddress},
		"expired":                       {k(pgptest.Curve25519, pgptest.Options{Made: long, Lifetime: day}), dana, crypt.ErrExpired},
		"an expired subkey":             {k(pgptest.Curve25519, pgptest.Options{Made: long, PartLifetime: day}), dana, crypt.ErrSubkeyExpired},
		"revoked":                       {k(pgptest.Curve25519, pgptest.Options{Revoked: true}), dana, crypt.ErrRevoked},
		"a revoked subkey":              {k(pgptest.Curve25519, pgptest.Options{PartRevoked: true}), dana, crypt.ErrRevoked},
		"for signatures only":           {k(pgptest.Curve25519, pgptest.Options{SignOnly: true}), dana, crypt.ErrUsage},
		"RSA for signatures only":       {k(pgptest.RSA2048, pgptest.Options{SignOnly: true}), dana, crypt.ErrUsage},
		"RSA of 1024 bits":              {k(pgptest.RSA1024, pgptest.Options{}), dana, crypt.ErrWeak},
		"another curve":                 {k(pgptest.Brainpool, pgptest.Options{}), dana, crypt.ErrUnsupported},
		"made tomorrow":                 {k(pgptest.Curve25519, pgptest.Options{Made: time.Now().Add(day)}), dana, crypt.ErrWrongAddress},
		"of version 6":                  {k(pgptest.V6, pgptest.Options{}), dana, crypt.ErrForm},
		"the one that came furthest":    {append(k(pgptest.Curve25519, pgptest.Options{Revoked: true}), k(pgptest.Curve25519, pgptest.Options{SignOnly: true})...), dana, crypt.ErrUsage},
		"none, the address is no one's": {[]*pgptest.Key{good}, "dana", crypt.ErrNotFound},
	} {
		s := newSealer(t, pgp.Config{Keys: having(c.keys...)})
		_, err := s.Find(t.Context(), address(clinic), address(c.to))
		e, ok := errors.AsType[*crypt.Error](err)
		if !ok || e.Reason != c.want || !errors.Is(err, crypt.ErrNoKey) || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: got %v, want %s", name, err, string(c.want))
		}
	}
	// An expired subkey is an expired key for those who don't care.
	s := newSealer(t, pgp.Config{Keys: having(k(pgptest.Curve25519, pgptest.Options{Made: long, PartLifetime: day})...)})
	if _, err := s.Find(t.Context(), address(clinic), address(dana)); !errors.Is(err, crypt.ErrExpired) {
		t.Error(err)
	}
}

func TestTheNewestKeyThatMayBeUsedIs(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{Made: now.Add(-48 * time.Hour)})
	newer := pgptest.New(pgptest.P256, dana, pgptest.Options{Made: now.Add(-24 * time.Hour)})
	newest := pgptest.New(pgptest.P256, dana, pgptest.Options{Made: now.Add(-time.Hour), Revoked: true})
	s := newSealer(t, pgp.Config{Keys: having(old, newest, newer)})
	if key := find(t, s, dana); key.Fingerprint != newer.Fingerprint() {
		t.Error("another key was taken")
	}
}

func TestAKeySaysWhatItIs(t *testing.T) {
	t.Parallel()
	const v1, v2 = "openpgp-seipd-v1/aes-256-cfb", "openpgp-seipd-v2/aes-256-ocb"
	made := time.Now().Add(-time.Hour).Truncate(time.Second)
	aead := []pgp.FormRule{{For: "Patient.example", Form: pgp.AEAD}}
	for name, c := range map[string]struct {
		kind  pgptest.Kind
		o     pgptest.Options
		rules []pgp.FormRule
		want  crypt.Key
	}{
		"RSA":                       {pgptest.RSA2048, pgptest.Options{}, nil, crypt.Key{Algorithm: "RSA", Bits: 2048, Form: v1}},
		"Curve25519":                {pgptest.Curve25519, pgptest.Options{}, nil, crypt.Key{Algorithm: "Curve25519", Bits: 256, Form: v1}},
		"P-256":                     {pgptest.P256, pgptest.Options{}, nil, crypt.Key{Algorithm: "P-256", Bits: 256, Form: v1}},
		"ML-KEM":                    {pgptest.V4MLKEM, pgptest.Options{}, nil, crypt.Key{Algorithm: "ML-KEM-768+X25519", Bits: 768, Form: v1 + "+ml-kem"}},
		"announced, not allowed":    {pgptest.P256, pgptest.Options{AEAD: true}, nil, crypt.Key{Algorithm: "P-256", Bits: 256, Form: v1}},
		"announced and allowed":     {pgptest.P256, pgptest.Options{AEAD: true}, aead, crypt.Key{Algorithm: "P-256", Bits: 256, Form: v2}},
		"allowed, not announced":    {pgptest.P256, pgptest.Options{}, aead, crypt.Key{Algorithm: "P-256", Bits: 256, Form: v1}},
		"version 6":                 {pgptest.V6, pgptest.Options{}, aead, crypt.Key{Algorithm: "X25519", Bits: 256, Form: v2 + "+x25519"}},
		"version 6 with ML-KEM":     {pgptest.V6MLKEM, pgptest.Options{}, aead, crypt.Key{Algorithm: "ML-KEM-768+X25519", Bits: 768, Form: v2 + "+ml-kem"}},
		"a person before a domain":  {pgptest.P256, pgptest.Options{AEAD: true}, append(aead, pgp.FormRule{For: dana, Form: pgp.Standard}), crypt.Key{Algorithm: "P-256", Bits: 256, Form: v1}},
		"one that ends":             {pgptest.P256, pgptest.Options{Lifetime: 48 * time.Hour}, nil, crypt.Key{Algorithm: "P-256", Bits: 256, Form: v1, NotAfter: made.Add(48 * time.Hour)}},
		"one whose subkey ends":     {pgptest.P256, pgptest.Options{PartLifetime: 24 * time.Hour}, nil, crypt.Key{Algorithm: "P-256", Bits: 256, Form: v1, NotAfter: made.Add(24 * time.Hour)}},
		"one with several user ids": {pgptest.P256, pgptest.Options{Others: []string{lee, kim}}, nil, crypt.Key{Algorithm: "P-256", Bits: 256, Form: v1}},
	} {
		c.o.Made = made
		k := pgptest.New(c.kind, dana, c.o)
		s := newSealer(t, pgp.Config{Keys: having(k), Forms: c.rules})
		key := find(t, s, dana)
		if s.Mode() != "pgp" || key.Algorithm != c.want.Algorithm || key.Bits != c.want.Bits || key.Form != c.want.Form ||
			!key.NotAfter.Equal(c.want.NotAfter) || key.Fingerprint != k.Fingerprint() || key.Source != "test" {
			t.Errorf("%s: %+v", name, key)
		}
	}
}

func TestSourcesAreAskedInTurn(t *testing.T) {
	t.Parallel()
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	fails := pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) { return nil, errors.New("dana") })
	panics := pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) { panic("dana") })
	says := pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) {
		return nil, &crypt.Error{Reason: crypt.ErrUnproven, Cause: errors.New("dana")}
	})
	slow := pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) { return nil, context.DeadlineExceeded })
	elsewhere := pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) {
		return nil, &crypt.Error{Reason: crypt.ErrCanceled, Cause: context.Canceled}
	})
	for name, c := range map[string]struct {
		source pgp.KeySource
		want   error
	}{
		"the second has it":   {pgp.KeySources{having(), having(k)}, nil},
		"the first has it":    {pgp.KeySources{having(k), fails}, nil},
		"the first can't say": {pgp.KeySources{fails, having(k)}, crypt.ErrSource},
		"it panics":           {panics, crypt.ErrSource},
		"it says why":         {says, crypt.ErrUnproven},
		"it is slow":          {slow, crypt.ErrSource}, // which the caller is not
		"its own one ended":   {elsewhere, crypt.ErrSource},
	} {
		_, err := newSealer(t, pgp.Config{Keys: c.source}).Find(t.Context(), address(clinic), address(dana))
		if !errors.Is(err, c.want) || err != nil && strings.Contains(err.Error(), "dana") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
