package dkim_test

import (
	"context"
	"crypto"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/dkim/dkimtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Keys take long to make, so that the tests share two of each kind.
var (
	rsaKey     = sync.OnceValue(func() crypto.Signer { return mustKey(dkim.RSA) })
	otherRSA   = sync.OnceValue(func() crypto.Signer { return mustKey(dkim.RSA) })
	edKey      = sync.OnceValue(func() crypto.Signer { return mustKey(dkim.Ed25519) })
	otherEdKey = sync.OnceValue(func() crypto.Signer { return mustKey(dkim.Ed25519) })
)

func mustKey(algorithm string) crypto.Signer {
	key, err := dkim.GenerateKey(algorithm)
	if err != nil {
		panic(err)
	}
	return key
}

func rsaAndEd() []dkim.Key {
	return []dkim.Key{
		{Domain: "clinic.example", Selector: "e1", Signer: edKey()},
		{Domain: "clinic.example", Selector: "r1", Signer: rsaKey()},
	}
}

func newSigner(tb testing.TB, cfg dkim.Config) *dkim.Signer {
	tb.Helper()
	if cfg.Keys == nil {
		cfg.Keys = dkim.StaticKeys(rsaAndEd()...)
	}
	s, err := dkim.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func recordsOf(tb testing.TB, keys ...dkim.Key) dkimtest.Records {
	tb.Helper()
	records := dkimtest.Records{}
	for _, k := range keys {
		txt, err := dkim.Record(k.Signer.Public())
		if err != nil {
			tb.Fatal(err)
		}
		records[k.RecordName()] = txt
	}
	return records
}

const message = "From: Riverside Clinic <no-reply@clinic.example>\r\n" +
	"To: someone@patient.example\r\n" +
	"Subject: Your appointment\r\n\ton\tMonday\r\n" +
	"Date: Mon, 05 Jan 2026 15:04:05 +0000\r\n" +
	"Message-ID: <4711@clinic.example>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=us-ascii\r\n" +
	"X-Other: not signed\r\n" +
	"\r\n" +
	"Dear  patient, \r\n\r\n.dots and  spaces\t\r\n\r\n\r\n"

func open(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func sign(tb testing.TB, s *dkim.Signer, domain, text string) (signed []byte, ids []string) {
	tb.Helper()
	fields, ids, err := s.Sign(context.Background(), domain, open(text))
	if err != nil {
		tb.Fatal(err)
	}
	return append(fields, text...), ids
}
