package sign_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestWhatWeSignWeVerify(t *testing.T) {
	t.Parallel()
	at := time.Now().Truncate(time.Second).UTC()
	for name, id := range identities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			message := signed(t, id, entity, at)
			v, err := sign.Open(message, options())
			if err != nil {
				t.Fatal(err)
			}
			if string(v.Content) != entity || len(v.Signers) != 1 {
				t.Fatalf("content %q, %d signers", v.Content, len(v.Signers))
			}
			s := v.Signers[0]
			described, err := id.Describe()
			if err != nil || s.Fault != "" || !s.Time.Equal(at) || !s.Certificate.Equal(id.Certificate) || !slices.Equal(s.Algorithms, described[:2]) {
				t.Errorf("fault %q, time %s, algorithms %q, %v", s.Fault, s.Time, s.Algorithms, err)
			}
			if !slices.Equal(s.Addresses, []string{address}) || len(s.Chain) != 3 {
				t.Errorf("%d addresses, a chain of %d", len(s.Addresses), len(s.Chain))
			}
			for line := range bytes.SplitSeq(message, []byte("\r\n")) {
				if len(line) > 78 || bytes.ContainsAny(line, "\r\n") {
					t.Errorf("line %q", line)
				}
			}
			if micalg := "micalg=" + described[1] + ";"; !bytes.Contains(message, []byte(micalg)) {
				t.Errorf("no %s", micalg)
			}
		})
	}
}

// X.690 section 11.6: some readers sort before they verify. The order is that of
// the encodings, so the shortest attributes come first.
func TestAttributesAreInTheOrderOfDER(t *testing.T) {
	t.Parallel()
	der := detached(t, signed(t, signer(smimetest.P256), entity, time.Now()))
	oids := [][]byte{
		[]byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"), []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"),
		[]byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f"), []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"),
		[]byte("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f"),
	}
	at := -1
	for _, oid := range oids {
		i := bytes.LastIndex(der, oid)
		if i < at {
			t.Errorf("%x stands at %d, before %d", oid, i, at)
		}
		at = i
	}
}

func TestIntermediatesAreSentAndTheRootIsNot(t *testing.T) {
	t.Parallel()
	id := signer(smimetest.P256)
	id.Chain = append(id.Chain, authority().root.Certificate, nil, id.Certificate)
	der := detached(t, signed(t, id, entity, time.Now()))
	for name, tt := range map[string]struct {
		c *x509.Certificate
		n int
	}{"signer": {id.Certificate, 1}, "intermediate": {authority().below.Certificate, 1}, "root": {authority().root.Certificate, 0}} {
		if n := bytes.Count(der, tt.c.Raw); n != tt.n {
			t.Errorf("the %s is sent %d times", name, n)
		}
	}
}

// RFC 5652 section 11.3: a UTCTime ends with 2049.
func TestSigningTimeOutlivesUTCTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2050, 1, 2, 3, 4, 5, 0, time.UTC)
	id := signer(smimetest.P256, smimetest.Between(at.AddDate(-1, 0, 0), at.AddDate(1, 0, 0)))
	v, err := sign.Open(signed(t, id, entity, at), options())
	if err != nil || !v.Signers[0].Time.Equal(at) {
		t.Errorf("%v, %v", v, err)
	}
}

func TestUnfitSignersAreRefused(t *testing.T) {
	t.Parallel()
	other := signer(smimetest.P256)
	other.Key = smimetest.NewKey(smimetest.P256)
	broken, failing := signer(smimetest.P256), signer(smimetest.P256)
	broken.Key, failing.Key = brokenKey{broken.Key}, failingKey{failing.Key}
	for name, id := range map[string]*sign.Identity{
		"none": nil, "empty": {}, "no key": {Certificate: other.Certificate},
		"another key": other, "a key that lies": broken, "a key that fails": failing,
		"expired": signer(smimetest.P256, smimetest.Expired), "not yet valid": signer(smimetest.P256, smimetest.NotYetValid),
		"not for e-mail": signer(smimetest.P256, smimetest.NotForEmail), "not for signing": signer(smimetest.RSA2048, smimetest.EncryptOnly),
		"RSA-1024": signer(smimetest.RSA1024), "PSS with EC": withPSS(signer(smimetest.P256)),
	} {
		w, err := sign.NewWriter(io.Discard, id, time.Now())
		if err == nil {
			err = w.Close()
		}
		wantReason(t, err, crypt.ErrSigner)
		if s := fmt.Sprintf("%v %+v %#v", err, err, id); strings.Contains(s, "4711") || strings.Contains(s, address) {
			t.Errorf("%s: prints %s", name, s)
		}
	}
}

func TestLinesThatDoNotEndWithCRLFAreRefused(t *testing.T) {
	t.Parallel()
	w, err := sign.NewWriter(io.Discard, signer(smimetest.P256), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(strings.ReplaceAll(entity, "\r\n", "\n"))); err != nil {
		t.Fatal(err)
	}
	wantReason(t, w.Close(), crypt.ErrEntity)
	wantReason(t, w.Close(), crypt.ErrEntity)
}

func TestNothingFollowsTheSignature(t *testing.T) {
	t.Parallel()
	w, err := sign.NewWriter(io.Discard, signer(smimetest.P256), time.Now())
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte("x"))
	wantReason(t, err, crypt.ErrWrite)
	wantReason(t, w.Close(), crypt.ErrWrite)
}

// limited fails after some bytes.
type limited int

func (l *limited) Write(p []byte) (int, error) {
	if *l -= limited(len(p)); *l < 0 {
		return 0, errors.New("foreign")
	}
	return len(p), nil
}

func TestFailureOfTheWriterIsReported(t *testing.T) {
	t.Parallel()
	for _, n := range []limited{0, 300, 500} {
		w, err := sign.NewWriter(&n, signer(smimetest.P256), time.Now())
		if err == nil {
			_, err = w.Write(make([]byte, 200))
		}
		if err == nil {
			err = w.Close()
		}
		wantReason(t, err, crypt.ErrWrite)
	}
}

func TestWrappedPayloadRepeatsItself(t *testing.T) {
	t.Parallel()
	job := jobOf(entity)
	payload, err := crypt.NewPayload(job, crypt.SignedOnly)
	if err != nil {
		t.Fatal(err)
	}
	id := signer(smimetest.P256)
	w, err := sign.Wrap(payload, id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var passes [2][]byte
	for i := range passes {
		r, err := w.Open()
		if err != nil {
			t.Fatal(err)
		}
		if passes[i], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	}
	s := w.Signature()
	if whole := slices.Concat(s.Before, []byte(entity)[s.Skip:], s.After); !bytes.Equal(passes[0], whole) || !bytes.Equal(passes[1], whole) || int64(len(whole)) != w.Size() {
		t.Error("the passes differ")
	}
	if want := "ecdsa/sha-256:" + id.Fingerprint(); s.Evidence.Signed != want || w.Signed() != want || s.Evidence.Container != "multipart-signed" || len(s.Evidence.Algorithms) != 3 {
		t.Errorf("evidence %+v", s.Evidence)
	}
	v, err := sign.Open(passes[0], options())
	if err != nil || v.Signers[0].Fault != "" {
		t.Fatal(err)
	}
	protected, ok := crypt.ReadProtected(v.Content)
	if !ok || protected.Protection != crypt.SignedOnly || !slices.Equal(protected.Fields, job.Header) {
		t.Errorf("the header is not protected: %t", ok)
	}
}

func TestPayloadThatFailsIsNotSigned(t *testing.T) {
	t.Parallel()
	job := jobOf(entity)
	job.Size++
	payload, err := crypt.NewPayload(job, crypt.SignedOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sign.Wrap(payload, signer(smimetest.P256), time.Now())
	wantReason(t, err, crypt.ErrEntity)
	opens := 0
	job = jobOf(entity)
	open := job.Entity
	job.Entity = func() (io.ReadCloser, error) {
		if opens++; opens > 2 {
			return nil, errors.New("foreign")
		}
		return open()
	}
	if payload, err = crypt.NewPayload(job, crypt.SignedOnly); err != nil {
		t.Fatal(err)
	}
	w, err := sign.Wrap(payload, signer(smimetest.P256), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Open()
	wantReason(t, err, crypt.ErrEntity)
	_, err = sign.Wrap(payload, signer(smimetest.P256), time.Now())
	wantReason(t, err, crypt.ErrEntity)
	_, err = sign.Wrap(payload, &sign.Identity{}, time.Now())
	wantReason(t, err, crypt.ErrSigner)
	_, err = sign.Wrap(payload, signer(smimetest.P256, smimetest.Expired), time.Now())
	wantReason(t, err, crypt.ErrSigner)
}
