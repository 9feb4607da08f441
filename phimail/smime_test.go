package phimail_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/mail"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
	"github.com/phimail/sdk/phimail"
)

// office is a clinic and a patient with certificates of one authority.
type office struct {
	trust    *x509.CertPool
	clinic   *smimetest.Identity
	patient  *smimetest.Identity
	patients smime.KeySource
}

func newOffice() *office {
	authority := smimetest.NewAuthority()
	o := &office{
		trust:   smimetest.Pool(authority),
		clinic:  authority.Issue(smimetest.P256, "no-reply@clinic.example"),
		patient: authority.Issue(smimetest.RSA2048, "dana@patient.example"),
	}
	o.patients = smime.KeySourceFunc(func(_ context.Context, to mail.Address) ([]smime.Candidate, error) {
		if to.Address != "dana@patient.example" {
			return nil, nil
		}
		return []smime.Candidate{{Certificate: o.patient.Certificate}}, nil
	})
	return o
}

func (o *office) identities() smime.Identities {
	return smime.Identities{{Certificate: o.clinic.Certificate, Key: o.clinic.Key}}
}

// open reads a delivered message as the patient does.
func (o *office) open(t *testing.T, raw []byte) *smime.Opened {
	t.Helper()
	reader, err := smime.NewReader(smime.ReaderConfig{
		Keys: smime.Identities{{Certificate: o.patient.Certificate, Key: o.patient.Key}}, Trust: o.trust,
	})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := reader.Read(t.Context(), bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestSealedBySMIMEAndReadByThePatient(t *testing.T) {
	t.Parallel()
	o := newOffice()
	sealer, err := smime.New(smime.Config{Certificates: o.patients, Trust: o.trust, Signer: o.identities()})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *phimail.Config) { c.Sealers = []crypt.Sealer{sealer} })
	for name, size := range map[string]int{"small": 10, "large": 3 << 20} {
		msg := reminder("dana@patient.example")
		msg.Subject = "Befund " + canary
		msg.Attachments = []phimail.Attachment{{Name: "a.bin", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x", size))), nil
		}}}
		if _, err := w.client.Send(t.Context(), msg); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		raw := w.relay.received[len(w.relay.received)-1]
		if bytes.Contains(raw, []byte(canary)) {
			t.Errorf("%s: the subject is outside", name)
		}
		opened := o.open(t, raw)
		if len(opened.Signers) != 1 || opened.Signers[0].Fault != "" {
			t.Errorf("%s: signatures %+v", name, opened.Signers)
		}
	}
	e := w.events(t, audit.KindOutcome)[0]
	if e.Mode != "smime" || e.Container == "" || len(e.Fingerprints) != 1 || e.Signed == "none" {
		t.Errorf("recorded %+v", e)
	}
	if _, err := w.client.Send(t.Context(), reminder("other@patient.example")); err != nil {
		t.Errorf("TLS is among the modes and good enough: %v", err)
	}
}

func TestSignedInClear(t *testing.T) {
	t.Parallel()
	o := newOffice()
	signer, err := smime.NewSigner(smime.SignerConfig{Keys: o.identities()})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *phimail.Config) { c.Signer = signer })
	for name, attachments := range map[string][]phimail.Attachment{
		"kept": nil, "streamed": {{Name: "a.bin", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x", 3<<20))), nil
		}}},
	} {
		msg := reminder("a@patient.example", "b@patient.example")
		msg.Attachments = attachments
		if _, err := w.client.Send(t.Context(), msg); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		raw := w.relay.received[len(w.relay.received)-1]
		if env := w.relay.sent[len(w.relay.sent)-1]; env.Size != int64(len(raw)) {
			t.Errorf("%s: %d bytes, said to be %d", name, len(raw), env.Size)
		}
		opened := o.open(t, raw)
		if len(opened.Signers) != 1 || opened.Signers[0].Fault != "" || bytes.Count(raw, []byte("\r\nSubject: Your visit")) < 1 {
			t.Errorf("%s: signatures %+v", name, opened.Signers)
		}
	}
	for _, e := range w.events(t, audit.KindOutcome) {
		if e.Signed == "none" || e.Mode != "tls" {
			t.Errorf("recorded %+v", e)
		}
	}
}

type badSigner func(*crypt.Job) (*crypt.Signature, error)

func (f badSigner) Sign(_ context.Context, job *crypt.Job) (*crypt.Signature, error) { return f(job) }

func TestSignersThatFailStopTheMessage(t *testing.T) {
	t.Parallel()
	for name, sign := range map[string]badSigner{
		"error":   func(*crypt.Job) (*crypt.Signature, error) { return nil, errors.New(canary) },
		"panic":   func(*crypt.Job) (*crypt.Signature, error) { panic(canary) },
		"nothing": func(*crypt.Job) (*crypt.Signature, error) { return nil, nil },
		"skip":    func(job *crypt.Job) (*crypt.Signature, error) { return &crypt.Signature{Skip: job.Size + 1}, nil },
	} {
		w := newWorld(t, func(c *phimail.Config) { c.Signer = sign })
		receipt, err := w.client.Send(t.Context(), reminder("a@patient.example"))
		if sent, _ := w.relay.count(); sent != 0 || err == nil || receipt.Recipients[0].Status != phimail.Refused || len(leaks(err)) > 0 {
			t.Errorf("%s: sent %d, %v", name, sent, err)
		}
	}
}
