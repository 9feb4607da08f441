package smime_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	dana   = "dana@patient.example"
	lee    = "lee@patient.example"
	clinic = "no-reply@clinic.example"
)

func address(a string) mail.Address { return mail.Address{Address: a} }

// having is a source with fixed certificates.
func having(list ...*smimetest.Identity) smime.KeySource {
	var candidates []smime.Candidate
	for _, id := range list {
		candidates = append(candidates, smime.Candidate{Certificate: id.Certificate, Intermediates: id.Chain, Source: "test"})
	}
	return smime.KeySourceFunc(func(context.Context, mail.Address) ([]smime.Candidate, error) { return candidates, nil })
}

func identities(list ...*smimetest.Identity) smime.Identities {
	var all smime.Identities
	for _, id := range list {
		all = append(all, smime.Identity{Certificate: id.Certificate, Chain: id.Chain, Key: id.Key})
	}
	return all
}

func newSealer(tb testing.TB, cfg smime.Config) *smime.Sealer {
	tb.Helper()
	s, err := smime.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func newReader(tb testing.TB, cfg smime.ReaderConfig) *smime.Reader {
	tb.Helper()
	r, err := smime.NewReader(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func find(tb testing.TB, s *smime.Sealer, to string) crypt.Key {
	tb.Helper()
	key, err := s.Find(tb.Context(), address(clinic), address(to))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// job is a message to addresses whose keys s finds.
func job(tb testing.TB, s *smime.Sealer, entity string, to ...string) *crypt.Job {
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

const text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
	"Please do not eat after midnight. Bis Freitag, gr\u00fc\u00dfe!\r\n"

func seal(tb testing.TB, s *smime.Sealer, j *crypt.Job) ([]byte, *crypt.Sealed) {
	tb.Helper()
	var out bytes.Buffer
	sealed, err := s.Seal(tb.Context(), &out, j)
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes(), sealed
}

func write(tb testing.TB, path string, data []byte) string {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// replace renames a new file over path, as rotation does.
func replace(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.Rename(write(tb, filepath.Join(tb.TempDir(), "new"), data), path); err != nil {
		tb.Fatal(err)
	}
}

func wantReason(tb testing.TB, name string, err error, want crypt.Reason) {
	tb.Helper()
	e, ok := errors.AsType[*crypt.Error](err)
	if !ok || e.Reason != want {
		tb.Errorf("%s: got %v, want %s", name, err, string(want))
	}
}

func pool(list ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range list {
		p.AddCert(c)
	}
	return p
}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }
