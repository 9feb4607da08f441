package dkim_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/dkim/dkimtest"
)

// countingSigner is a key that lives elsewhere.
type countingSigner struct {
	crypto.Signer

	calls atomic.Int32
	sign  func(digest []byte) ([]byte, error)
}

func (s *countingSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.calls.Add(1)
	if s.sign != nil {
		return s.sign(digest)
	}
	return s.Signer.Sign(rand, digest, opts)
}

func TestNewListsEveryFault(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	_, err = dkim.New(dkim.Config{Expiry: time.Second, Keys: dkim.StaticKeys(
		dkim.Key{Domain: "clinic.example", Selector: "a", Signer: weak},
		dkim.Key{Domain: "clinic.example", Selector: "b", Signer: curve},
		dkim.Key{Domain: "clinic.example; l=0", Selector: "c", Signer: edKey()},
		dkim.Key{Domain: "example", Selector: "", Signer: (*rsa.PrivateKey)(nil)},
		dkim.Key{Domain: "clinic.example", Selector: "under_score", Signer: edKey(), NotBefore: day, NotAfter: day},
		dkim.Key{Domain: "clinic.example", Selector: "twice", Signer: edKey()},
		dkim.Key{Domain: "Clinic.Example", Selector: "twice", Signer: rsaKey()},
		dkim.Key{Domain: "clinic.example", Selector: "ok"},
	)})
	var got []string
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("not a joined error: %v", err)
	}
	for _, e := range joined.Unwrap() {
		var field *dkim.FieldError
		if !errors.As(e, &field) {
			t.Fatalf("not a FieldError: %v", e)
		}
		got = append(got, field.Field)
	}
	want := []string{
		"Keys[0].Signer", "Keys[1].Signer", "Keys[2].Domain", "Keys[3].Domain", "Keys[3].Selector", "Keys[3].Signer",
		"Keys[4].Selector", "Keys[4].NotAfter", "Keys[6].Selector", "Keys[7].Signer", "Expiry",
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults of\n%v, want\n%v", got, want)
	}
	for _, reason := range []error{dkim.ErrWeakKey, dkim.ErrKey, dkim.ErrConfig} {
		if !errors.Is(err, reason) {
			t.Errorf("the error is not %v", reason)
		}
	}
}

func TestNewNeedsKeys(t *testing.T) {
	t.Parallel()
	for _, cfg := range []dkim.Config{{}, {Keys: dkim.StaticKeys()}} {
		if _, err := dkim.New(cfg); !errors.Is(err, dkim.ErrNoKey) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestKeysChangeByDateWithoutARestart(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	now := day(1)
	s := newSigner(t, dkim.Config{Clock: func() time.Time { return now }, Keys: dkim.StaticKeys(
		dkim.Key{Domain: "clinic.example", Selector: "old", Signer: rsaKey(), NotBefore: day(2), NotAfter: day(10)},
		dkim.Key{Domain: "clinic.example", Selector: "new", Signer: otherRSA(), NotBefore: day(8), NotAfter: day(20)},
		dkim.Key{Domain: "clinic.example", Selector: "ed", Signer: edKey(), NotBefore: day(9), NotAfter: day(20)},
	)})
	for _, c := range []struct {
		at   time.Time
		want []string
	}{
		{day(1), nil},
		{day(2), []string{"old/rsa"}},
		{day(8).Add(-time.Nanosecond), []string{"old/rsa"}},
		{day(8), []string{"new/rsa", "old/rsa"}},
		{day(9), []string{"new/rsa", "old/rsa", "ed/ed25519"}},
		{day(10), []string{"new/rsa", "ed/ed25519"}},
		{day(20), nil},
	} {
		now = c.at
		var want []string
		for _, w := range c.want {
			want = append(want, "clinic.example/"+w+"-sha256")
		}
		_, ids, err := s.Sign(t.Context(), "clinic.example", open(message))
		if !slices.Equal(ids, want) || (want == nil) != errors.Is(err, dkim.ErrNoKey) {
			t.Errorf("%v: ids are %v, the error is %v", c.at, ids, err)
		}
		if checked, err := s.Check(t.Context(), "clinic.example"); !slices.Equal(checked, want) || (want == nil) != errors.Is(err, dkim.ErrNoKey) {
			t.Errorf("%v: Check says %v, %v", c.at, checked, err)
		}
	}
}

func TestTheKeyIsOfTheFromDomainOrAnAncestor(t *testing.T) {
	t.Parallel()
	at := func(domain, selector string) dkim.Key {
		return dkim.Key{Domain: domain, Selector: selector, Signer: edKey()}
	}
	s := newSigner(t, dkim.Config{Keys: dkim.StaticKeys(
		at("clinic.example", "parent"), at("mail.clinic.example", "exact"), at("xn--mnchen-3ya.example", "idn"),
		at("com.example", "foreign"), at("clinic.co.uk", "uk"), at("Münster.example", "typed"),
	)})
	for from, want := range map[string]string{
		"clinic.example":           "clinic.example/parent",
		"Mail.Clinic.Example":      "mail.clinic.example/exact",
		"a.mail.clinic.example":    "mail.clinic.example/exact",
		"news.clinic.example":      "clinic.example/parent",
		"a.b.clinic.co.uk":         "clinic.co.uk/uk",
		"münchen.example":          "xn--mnchen-3ya.example/idn",
		"xn--mnster-3ya.example":   "xn--mnster-3ya.example/typed",
		"notclinic.example":        "",
		"clinic.example.evil.test": "",
		"example":                  "",
		"co.uk":                    "",
		"":                         "",
		"clinic..example":          "",
		"clinic.example\r\nBcc: x": "",
	} {
		text := strings.Replace(message, "@clinic.example>\r\nTo", "@"+from+">\r\nTo", 1)
		_, ids, err := s.Sign(t.Context(), from, open(text))
		if want == "" {
			if !errors.Is(err, dkim.ErrNoKey) || ids != nil {
				t.Errorf("%q: %v, %v", from, ids, err)
			}
			continue
		}
		if err != nil || len(ids) != 1 || ids[0] != want+"/ed25519-sha256" {
			t.Errorf("%q: %v, %v, want %s", from, ids, err, want)
			continue
		}
		if d, _, _ := strings.Cut(want, "/"); !dkim.Aligned(from, d) {
			t.Errorf("%s is not aligned with %s", d, from)
		}
	}
}

func TestAlignment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, d string
		want    bool
	}{
		{"clinic.example", "clinic.example", true},
		{"Mail.Clinic.Example", "clinic.EXAMPLE", true},
		{"clinic.example", "mail.clinic.example", false},
		{"notclinic.example", "clinic.example", false},
		{"clinic.co.uk", "co.uk", false},
		{"a.clinic.co.uk", "clinic.co.uk", true},
		{"clinic.example", "example", false},
		{"clinic.example", "", false},
		{"", "clinic.example", false},
	} {
		if got := dkim.Aligned(c.from, c.d); got != c.want {
			t.Errorf("Aligned(%q, %q) is %t", c.from, c.d, got)
		}
	}
}

// loose returns the same keys for every domain.
type loose struct {
	keys []dkim.Key
	err  error
	hook func()
}

func (l loose) Keys(context.Context, string) ([]dkim.Key, error) {
	if l.hook != nil {
		l.hook()
	}
	return l.keys, l.err
}

func TestWhatASourceReturnsIsChecked(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	const secret = "token=hunter2"
	key := func(k dkim.Key) loose { return loose{keys: []dkim.Key{k, rsaAndEd()[0]}} }
	cases := map[string]struct {
		source dkim.KeySource
		want   []error
	}{
		"a foreign key":       {loose{keys: []dkim.Key{{Domain: "evil.example", Selector: "s", Signer: edKey()}}}, []error{dkim.ErrNoKey}},
		"a weak key":          {key(dkim.Key{Domain: "clinic.example", Selector: "w", Signer: weak}), []error{dkim.ErrWeakKey}},
		"a bad selector":      {key(dkim.Key{Domain: "clinic.example", Selector: "s; l=0", Signer: edKey()}), []error{dkim.ErrKey}},
		"no signer":           {key(dkim.Key{Domain: "clinic.example", Selector: "s"}), []error{dkim.ErrKey}},
		"an error":            {loose{err: errors.New(secret)}, []error{dkim.ErrKeySource}},
		"an error of context": {loose{err: fmt.Errorf("%s: %w", secret, context.DeadlineExceeded)}, []error{dkim.ErrKeySource, context.DeadlineExceeded}},
		"a panic":             {loose{hook: func() { panic(secret) }}, []error{dkim.ErrKeySource}},
		"a panic in Public":   {key(dkim.Key{Domain: "clinic.example", Selector: "s", Signer: &countingSigner{}}), []error{dkim.ErrKey}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, dkim.Config{Keys: c.source})
			fields, _, err := s.Sign(t.Context(), "clinic.example", open(message))
			for _, want := range c.want {
				if !errors.Is(err, want) {
					t.Errorf("the error %v is not %v", err, want)
				}
			}
			if fields != nil || printed(err, secret) {
				t.Errorf("fields %q, error %v", fields, err)
			}
		})
	}
}

func TestAKeyThatCannotSignStopsTheMessage(t *testing.T) {
	t.Parallel()
	const secret = "arn:aws:kms:secret"
	cases := map[string]struct {
		sign func([]byte) ([]byte, error)
		want []error
	}{
		"error":           {func([]byte) ([]byte, error) { return nil, errors.New(secret) }, []error{dkim.ErrSigner}},
		"error and bytes": {func(d []byte) ([]byte, error) { return d, errors.New(secret) }, []error{dkim.ErrSigner}},
		"timeout":         {func([]byte) ([]byte, error) { return nil, fmt.Errorf("%s: %w", secret, context.DeadlineExceeded) }, []error{dkim.ErrSigner, context.DeadlineExceeded}},
		"panic":           {func([]byte) ([]byte, error) { panic(secret) }, []error{dkim.ErrSigner}},
		"wrong signature": {func([]byte) ([]byte, error) { return make([]byte, 256), nil }, []error{dkim.ErrSigner}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, dkim.Config{Keys: dkim.StaticKeys(
				dkim.Key{Domain: "clinic.example", Selector: "e1", Signer: edKey()},
				dkim.Key{Domain: "clinic.example", Selector: "r1", Signer: &countingSigner{Signer: rsaKey(), sign: c.sign}},
			)})
			fields, ids, err := s.Sign(t.Context(), "clinic.example", open(message))
			for _, want := range c.want {
				if !errors.Is(err, want) {
					t.Errorf("the error %v is not %v", err, want)
				}
			}
			var typed *dkim.Error
			if !errors.As(err, &typed) || typed.Key != "clinic.example/r1/rsa-sha256" || fields != nil || ids != nil || printed(err, secret) {
				t.Errorf("got %q, %v, %v", fields, ids, err)
			}
		})
	}
}

func TestAKeyThatLivesElsewhereSigns(t *testing.T) {
	t.Parallel()
	keys := []dkim.Key{
		{Domain: "clinic.example", Selector: "r1", Signer: &countingSigner{Signer: rsaKey()}},
		{Domain: "clinic.example", Selector: "e1", Signer: &countingSigner{Signer: edKey()}},
	}
	signed, ids := sign(t, newSigner(t, dkim.Config{Keys: dkim.StaticKeys(keys...)}), "clinic.example", message)
	if got := dkimtest.Passed(dkimtest.Msgauth(t, signed, recordsOf(t, keys...))); len(got) != 2 || len(ids) != 2 {
		t.Fatalf("passed %v", got)
	}
}

func TestNoMoreThanFourSignatures(t *testing.T) {
	t.Parallel()
	var keys []dkim.Key
	for i := range 6 {
		keys = append(keys, dkim.Key{Domain: "clinic.example", Selector: fmt.Sprint("s", i), Signer: edKey(), NotBefore: time.Unix(int64(i), 0)})
	}
	_, ids := sign(t, newSigner(t, dkim.Config{Keys: dkim.StaticKeys(keys...)}), "clinic.example", message)
	if len(ids) != 4 || ids[0] != "clinic.example/s5/ed25519-sha256" {
		t.Fatalf("ids are %v", ids)
	}
}

// printed reports whether any way to print v shows the marker.
func printed(v any, marker string) bool {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	text, err := json.Marshal(v)
	fmt.Fprintf(&b, "%s %v\n", text, err)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	return strings.Contains(b.String(), marker) || strings.Contains(b.String(), fmt.Sprintf("%x", marker))
}

func TestAKeyPrintsNoSecret(t *testing.T) {
	t.Parallel()
	key, ok := rsaKey().(*rsa.PrivateKey)
	if !ok {
		t.Fatal("not an RSA key")
	}
	k := dkim.Key{Domain: "clinic.example", Selector: "r1", Signer: key}
	for _, v := range []any{k, &k, []dkim.Key{k}, struct{ K dkim.Key }{k}} {
		for _, secret := range []string{key.D.String(), fmt.Sprintf("%x", key.D), key.Primes[0].String(), "Primes"} {
			if printed(v, secret) {
				t.Errorf("%T prints its key", v)
			}
		}
		if !printed(v, "r1._domainkey.clinic.example") {
			t.Errorf("%T doesn't print its name", v)
		}
	}
}
