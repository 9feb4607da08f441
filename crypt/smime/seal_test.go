package smime_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"io"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"crypto/x509"
	"crypto/x509/pkix"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestAFaultyConfigurationIsListed(t *testing.T) {
	t.Parallel()
	_, err := smime.New(smime.Config{
		Trust: x509.NewCertPool(), Revocation: []smime.Revocation{nil},
		Forms: []smime.FormRule{{For: "a@b@", Form: smime.GCM}, {For: "x.example", Form: "rot13"}, {For: "X.example"}, {For: dana}, {For: dana}},
	})
	want := []string{"Forms[0].For", "Forms[1].Form", "Forms[2].For", "Forms[4].For", "Certificates", "Trust", "Revocation[0]"}
	if got := fields(err); !slices.Equal(got, want) || !errors.Is(err, crypt.ErrConfig) {
		t.Errorf("faults are %v", got)
	}
	if _, err := smime.NewSigner(smime.SignerConfig{}); !slices.Equal(fields(err), []string{"Keys"}) {
		t.Errorf("signer: %v", err)
	}
	if _, err := smime.NewReader(smime.ReaderConfig{MaxBytes: -1, Revocation: []smime.Revocation{nil}}); !slices.Equal(fields(err), []string{"MaxBytes", "Revocation"}) {
		t.Errorf("reader: %v", err)
	}
}

func TestAKeySaysWhatItIs(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	for kind, want := range map[smimetest.Kind]crypt.Key{
		smimetest.RSA3072: {Algorithm: "RSA", Bits: 3072, Form: "cms-enveloped-data/aes-256-cbc"},
		smimetest.P384:    {Algorithm: "EC", Bits: 384, Form: "cms-enveloped-data/aes-256-cbc+ecdh"},
	} {
		id := root.Issue(kind, dana)
		s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root)})
		key := find(t, s, dana)
		if s.Mode() != "smime" || key.Algorithm != want.Algorithm || key.Bits != want.Bits || key.Source != "test" ||
			key.Fingerprint != fingerprint(id.Certificate) || !key.NotAfter.Equal(id.Certificate.NotAfter) || key.Form != want.Form {
			t.Errorf("%s: %+v", kind, key)
		}
	}
}

// A plan ends with the first certificate of the chain that does.
func TestAKeyEndsWithItsChain(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	soon := time.Now().Add(24 * time.Hour).Truncate(time.Second)
	middle := root.Intermediate(smimetest.Between(time.Now().Add(-time.Hour), soon))
	s := newSealer(t, smime.Config{Certificates: having(middle.Issue(smimetest.P256, dana)), Trust: smimetest.Pool(root)})
	if key := find(t, s, dana); !key.NotAfter.Equal(soon) {
		t.Errorf("ends %v", key.NotAfter)
	}
}

// capabilities is the extension of RFC 4262.
func capabilities(der string) smimetest.Edit {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}, Value: []byte(der)})
	}
}

const (
	canGCM     = "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e"
	canOAEP    = "\x30\x1c\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07\x30\x0f\xa0\x0d\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	canOAEPOld = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07\x30\x00" // with SHA-1
)

func TestTheFormIsWhatTheRecipientCanRead(t *testing.T) {
	t.Parallel()
	const cbc, gcm, ecdh = "cms-enveloped-data/aes-256-cbc", "cms-auth-enveloped-data/aes-256-gcm", "+ecdh"
	root := smimetest.NewAuthority()
	rsa := root.Issue(smimetest.RSA2048, dana)
	ec := root.Issue(smimetest.P256, dana)
	can := func(list ...string) *smimetest.Identity {
		all := strings.Join(list, "")
		return root.Issue(smimetest.RSA2048, dana, capabilities("\x30"+string(rune(len(all)))+all))
	}
	broken := root.Issue(smimetest.RSA2048, dana, capabilities("\x30\x20\x01"))
	for name, c := range map[string]struct {
		id        *smimetest.Identity
		rules     []smime.FormRule
		fips      bool
		form      string
		transport string
		want      crypt.Reason
	}{
		"by default":                  {rsa, nil, false, cbc, "rsa-pkcs1-v1.5", ""},
		"elliptic":                    {ec, nil, false, cbc + ecdh, "ecdh-sha256kdf", ""},
		"OAEP for a domain":           {rsa, []smime.FormRule{{"Patient.example", smime.OAEP}}, false, cbc, "rsa-oaep-sha256", ""},
		"of another domain":           {rsa, []smime.FormRule{{"example", smime.OAEP}}, false, cbc, "rsa-pkcs1-v1.5", ""},
		"a person before the domain":  {rsa, []smime.FormRule{{"patient.example", smime.OAEP}, {dana, smime.GCM}}, false, gcm, "rsa-oaep-sha256", ""},
		"elliptic with GCM":           {ec, []smime.FormRule{{dana, smime.GCM}}, false, gcm + ecdh, "ecdh-sha256kdf", ""},
		"announced but not asked for": {can(canGCM, canOAEP), nil, false, cbc, "rsa-pkcs1-v1.5", ""},
		"announced both":              {can(canGCM, canOAEP), []smime.FormRule{{dana, smime.Announced}}, false, gcm, "rsa-oaep-sha256", ""},
		"announced GCM":               {can(canGCM), []smime.FormRule{{dana, smime.Announced}}, false, gcm, "rsa-pkcs1-v1.5", ""},
		"announced OAEP":              {can(canOAEP), []smime.FormRule{{dana, smime.Announced}}, false, cbc, "rsa-oaep-sha256", ""},
		"announced OAEP with SHA-1":   {can(canOAEPOld), []smime.FormRule{{dana, smime.Announced}}, false, cbc, "rsa-pkcs1-v1.5", ""},
		"announced nothing":           {rsa, []smime.FormRule{{dana, smime.Announced}}, false, cbc, "rsa-pkcs1-v1.5", ""},
		"announced what is no list":   {broken, []smime.FormRule{{dana, smime.Announced}}, false, cbc, "rsa-pkcs1-v1.5", ""},
		"FIPS":                        {rsa, nil, true, cbc, "rsa-oaep-sha256", ""},
		"FIPS, elliptic":              {ec, []smime.FormRule{{dana, smime.Standard}}, true, cbc + ecdh, "ecdh-sha256kdf", ""},
		"FIPS and what it forbids":    {rsa, []smime.FormRule{{dana, smime.Standard}}, true, "", "", crypt.ErrFIPS},
	} {
		s := newSealer(t, smime.Config{Certificates: having(c.id), Trust: smimetest.Pool(root), Forms: c.rules, RequireFIPS: c.fips})
		key, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.want != "" {
			wantReason(t, name, err, c.want)
			continue
		}
		if err != nil || key.Form != c.form {
			t.Errorf("%s: %q, %v", name, key.Form, err)
			continue
		}
		if _, sealed := seal(t, s, job(t, s, text, dana)); !slices.Contains(sealed.Evidence.Algorithms, c.transport) {
			t.Errorf("%s: %v", name, sealed.Evidence.Algorithms)
		}
	}
}

func TestEvidenceNamesWhatWasDone(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	us := root.Issue(smimetest.P256, clinic)
	first, second := root.Issue(smimetest.RSA2048, dana), root.Issue(smimetest.P384, lee)
	source := smime.KeySourceFunc(func(_ context.Context, a mail.Address) ([]smime.Candidate, error) {
		if a.Address == dana {
			return []smime.Candidate{{Certificate: first.Certificate, Source: "file"}}, nil
		}
		return []smime.Candidate{{Certificate: second.Certificate, Source: "directory"}}, nil
	})
	s := newSealer(t, smime.Config{Certificates: source, Trust: smimetest.Pool(root), Signer: identities(us)})
	_, sealed := seal(t, s, job(t, s, text, dana, lee))
	e := sealed.Evidence
	want := []string{"aes-256-cbc", "rsa-pkcs1-v1.5", "rsa-2048", "ecdh-sha384kdf", "aes-256-wrap", "p-384", "ecdsa", "sha-256", "ec-p-256"}
	if e.Container != "cms-enveloped-data" || !slices.Equal(e.Algorithms, want) || e.KeySource != "directory+file" ||
		!slices.Equal(e.Fingerprints, []string{fingerprint(first.Certificate), fingerprint(second.Certificate)}) ||
		e.Signed != "ecdsa/sha-256:"+fingerprint(us.Certificate) || sealed.Publish != nil || sealed.Withdraw != nil {
		t.Errorf("evidence is %+v", e)
	}
	unsigned := newSealer(t, smime.Config{Certificates: source, Trust: smimetest.Pool(root)})
	if _, sealed := seal(t, unsigned, job(t, unsigned, text, dana)); sealed.Evidence.Signed != "none" || slices.Contains(sealed.Evidence.Algorithms, "sha-256") {
		t.Errorf("unsigned: %+v", sealed.Evidence)
	}
}

func TestTheEntityIsWhatRFC8551Says(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.RSA2048, dana)
	for form, kind := range map[smime.Form]string{smime.Default: "enveloped-data", smime.GCM: "authEnveloped-data"} {
		s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Forms: []smime.FormRule{{dana, form}}})
		for _, length := range []int{0, 1, 56, 57, 58, 100_000} {
			out, _ := seal(t, s, job(t, s, text+strings.Repeat("x", length), dana))
			header, body, _ := strings.Cut(string(out), "\r\n\r\n")
			want := "MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=" + kind + ";\r\n name=\"smime.p7m\"\r\n" +
				"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7m\""
			if header != want {
				t.Fatalf("%s: %s", kind, header)
			}
			rows := strings.SplitAfter(body, "\r\n")
			if rows[len(rows)-1] != "" {
				t.Fatalf("%d: the last line does not end", length)
			}
			for i, row := range rows[:len(rows)-1] {
				if row = strings.TrimSuffix(row, "\r\n"); len(row) > 76 || len(row) < 76 && i < len(rows)-2 || strings.ContainsAny(row, "\r\n") {
					t.Fatalf("%d: line %d has %d characters", length, i, len(row))
				}
			}
			if _, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\r\n", "")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNoWordOfTheMessageIsInTheSealedOne(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	us := root.Issue(smimetest.RSA2048, clinic)
	words := []string{"colonoscopy", "midnight", "gr\u00fc\u00dfe", "gr=C3=BC=C3=9Fe"}
	for _, form := range []smime.Form{smime.Default, smime.OAEP, smime.GCM} {
		s := newSealer(t, smime.Config{
			Certificates: having(root.Issue(smimetest.RSA2048, dana)), Trust: smimetest.Pool(root),
			Signer: identities(us), Forms: []smime.FormRule{{dana, form}},
		})
		out, _ := seal(t, s, job(t, s, text, dana))
		_, body, _ := bytes.Cut(out, []byte("\r\n\r\n"))
		der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(body), "\r\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]byte{out, bytes.ReplaceAll(out, []byte("\r\n"), nil), der} {
			for _, w := range words {
				for _, shape := range shapes(w) {
					if bytes.Contains(in, shape) {
						t.Errorf("%s: %q is in it", form, shape)
					}
				}
			}
		}
	}
}

// shapes are a word as it may occur.
func shapes(word string) [][]byte {
	list := [][]byte{[]byte(word)}
	for shift := range 3 {
		// The digits that depend on nothing beside the word; fewer would be found
		// in ciphertext by chance.
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + word))
		list = append(list, []byte(encoded[(8*shift+5)/6:8*(shift+len(word))/6]))
	}
	var big, little []byte
	for _, u := range utf16.Encode([]rune(word)) {
		big, little = append(big, byte(u>>8), byte(u)), append(little, byte(u), byte(u>>8))
	}
	return append(list, big, little)
}

func TestEachKeyIsCheckedAgainWhenSealing(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id, other := root.Issue(smimetest.P256, dana), root.Issue(smimetest.P256, lee)
	now := time.Now()
	status := smime.Good
	revocation := answer(func(*x509.Certificate) (smime.Status, error) { return status, nil })
	s := newSealer(t, smime.Config{
		Certificates: smime.KeySourceFunc(func(_ context.Context, a mail.Address) ([]smime.Candidate, error) {
			if a.Address == lee {
				return []smime.Candidate{{Certificate: other.Certificate}}, nil
			}
			return []smime.Candidate{{Certificate: id.Certificate}}, nil
		}),
		Trust: smimetest.Pool(root), Clock: func() time.Time { return now }, Revocation: []smime.Revocation{revocation},
		Forms: []smime.FormRule{{lee, smime.GCM}},
	})
	for _, c := range []struct {
		name   string
		change func(j *crypt.Job)
		want   crypt.Reason
	}{
		{"unchanged", func(*crypt.Job) {}, ""},
		{"nobody", func(j *crypt.Job) { j.To = nil }, crypt.ErrNotFound},
		{"another address", func(j *crypt.Job) { j.To[0].Address = address(lee) }, crypt.ErrWrongAddress},
		{"no address", func(j *crypt.Job) { j.To[0].Address = mail.Address{} }, crypt.ErrWrongAddress},
		{"another form beside it", func(j *crypt.Job) { j.To = append(j.To, crypt.Target{Address: address(lee), Key: find(t, s, lee)}) }, crypt.ErrUnsupported},
		{"an unknown form", func(j *crypt.Job) { j.To[0].Key.Form = "pgp" }, crypt.ErrUnsupported},
		{"no data", func(j *crypt.Job) { j.To[0].Key.Data = nil }, crypt.ErrUnsupported},
		{"other data", func(j *crypt.Job) { j.To[0].Key.Data = append([]byte("x"), id.Certificate.Raw...) }, crypt.ErrUnsupported},
		{"no certificate", func(j *crypt.Job) { j.To[0].Key.Data = []byte("o") }, crypt.ErrUnsupported},
		{"another certificate", func(j *crypt.Job) { j.To[0].Key.Data = append([]byte("o"), other.Certificate.Raw...) }, crypt.ErrUnsupported},
		{"no entity", func(j *crypt.Job) { j.Entity = nil }, crypt.ErrEntity},
		{"an entity that fails", func(j *crypt.Job) {
			j.Entity = func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(errors.New("marker4711"))), nil }
		}, crypt.ErrEntity},
		{"an entity that can't be opened", func(j *crypt.Job) {
			j.Entity = func() (io.ReadCloser, error) { return nil, errors.New("marker4711") }
		}, crypt.ErrEntity},
		{"an entity of another size", func(j *crypt.Job) { j.Size++ }, crypt.ErrEntity},
		{"revoked since", func(*crypt.Job) { status = smime.Revoked }, crypt.ErrRevoked},
		{"unknown since", func(*crypt.Job) { status = smime.Unknown }, crypt.ErrRevocation},
		{"expired since", func(*crypt.Job) { now = id.Certificate.NotAfter.Add(time.Second) }, crypt.ErrExpired},
	} {
		status, now = smime.Good, time.Now()
		j := job(t, s, text, dana)
		c.change(j)
		sealed, err := s.Seal(t.Context(), io.Discard, j)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		wantReason(t, c.name, err, c.want)
		if sealed != nil {
			t.Errorf("%s: sealed", c.name)
		}
	}
}

func TestSealingEndsWithItsContextAndItsWriter(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	s := newSealer(t, smime.Config{
		Certificates: having(root.Issue(smimetest.P256, dana)), Trust: smimetest.Pool(root), Signer: identities(root.Issue(smimetest.P256, clinic)),
	})
	j := job(t, s, text+strings.Repeat("x", 1<<20), dana)
	ctx, cancel := context.WithCancel(t.Context())
	passes := 0
	open := j.Entity
	j.Entity = func() (io.ReadCloser, error) {
		if passes++; passes == 3 { // header, signature, encryption
			cancel()
		}
		return open()
	}
	_, err := s.Seal(ctx, io.Discard, j)
	wantReason(t, "canceled", err, crypt.ErrCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is lost after %d passes: %v", passes, err)
	}
	for _, limit := range []int64{0, 100, 500_000} {
		_, err := s.Seal(t.Context(), &full{left: limit}, job(t, s, text+strings.Repeat("x", 1<<20), dana))
		wantReason(t, "a full disk", err, crypt.ErrWrite)
	}
}

// full is a writer that fails after some bytes.
type full struct{ left int64 }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= int64(len(p)); f.left < 0 {
		return 0, errors.New("marker4711: disk full")
	}
	return len(p), nil
}

func TestASignerGoneSincePlanningSealsNothing(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	keys := identities(root.Issue(smimetest.P256, clinic))
	s := newSealer(t, smime.Config{
		Certificates: having(root.Issue(smimetest.P256, dana)), Trust: smimetest.Pool(root),
		Signer: signers(func() ([]smime.Identity, error) { return keys, nil }),
	})
	j := job(t, s, text, dana)
	keys = nil
	_, err := s.Seal(t.Context(), io.Discard, j)
	wantReason(t, "gone", err, crypt.ErrSigner)
}
