package pgp_test

import (
	"bytes"
	"context"
	"io"
	"net/mail"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	dana   = "dana@patient.example"
	lee    = "lee@patient.example"
	kim    = "kim@patient.example"
	clinic = "no-reply@clinic.example"
)

func address(a string) mail.Address { return mail.Address{Address: a} }

// having is a source with fixed keys.
func having(list ...*pgptest.Key) pgp.KeySource {
	var candidates []pgp.Candidate
	for _, k := range list {
		candidates = append(candidates, pgp.Candidate{Key: k.Public(), Source: "test"})
	}
	return sourceOf(candidates)
}

func sourceOf(candidates []pgp.Candidate) pgp.KeySource {
	return pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) { return candidates, nil })
}

func newSealer(tb testing.TB, cfg pgp.Config) *pgp.Sealer {
	tb.Helper()
	s, err := pgp.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func newReader(tb testing.TB, cfg pgp.ReaderConfig) *pgp.Reader {
	tb.Helper()
	r, err := pgp.NewReader(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// readerOf reads with a key, and knows senders.
func readerOf(tb testing.TB, k *pgptest.Key, senders ...*pgptest.Key) *pgp.Reader {
	tb.Helper()
	return newReader(tb, pgp.ReaderConfig{Keys: pgp.PrivateKeys{k.Private()}, Senders: knowing(senders...)})
}

// publicKeys is a fixed pgp.PublicKeySource.
type publicKeys []*pgp.PublicKey

func (k publicKeys) PublicKeys(context.Context) ([]*pgp.PublicKey, error) { return k, nil }

func knowing(list ...*pgptest.Key) publicKeys {
	var keys publicKeys
	for _, k := range list {
		keys = append(keys, k.Public())
	}
	return keys
}

func find(tb testing.TB, s *pgp.Sealer, to string) crypt.Key {
	tb.Helper()
	key, err := s.Find(tb.Context(), address(clinic), address(to))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// job is a message to addresses whose keys s finds.
func job(tb testing.TB, s *pgp.Sealer, entity string, to ...string) *crypt.Job {
	tb.Helper()
	j := letter(entity)
	for _, a := range to {
		j.To = append(j.To, crypt.Target{Address: address(a), Key: find(tb, s, a)})
	}
	return j
}

const subject = "Your colonoscopy on Friday"

func letter(entity string) *crypt.Job {
	shared := []crypt.Field{{Name: "From", Value: "Clinic <" + clinic + ">"}, {Name: "Date", Value: "Mon, 12 Jan 2026 10:00:00 +0000"}}
	return &crypt.Job{
		MessageID: "1@clinic.example", From: address(clinic),
		Header: append(append([]crypt.Field(nil), shared...), crypt.Field{Name: "Subject", Value: subject}),
		Outer:  append(append([]crypt.Field(nil), shared...), crypt.Field{Name: "Subject", Value: "Secure message"}),
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(entity))), nil },
		Size:   int64(len(entity)),
	}
}

const (
	textHead = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	textBody = "Please do not eat after midnight. Bis Freitag, gr\u00fc\u00dfe!\r\n"
	text     = textHead + textBody
)

func seal(tb testing.TB, s *pgp.Sealer, j *crypt.Job) ([]byte, *crypt.Sealed) {
	tb.Helper()
	var out bytes.Buffer
	sealed, err := s.Seal(tb.Context(), &out, j)
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes(), sealed
}

func put(tb testing.TB, path string, data []byte) string {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
