package smime_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestWhatWeSealOurReaderOpens(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthorityOf(smimetest.RSA2048)
	middle := root.Intermediate()
	for _, signer := range []smimetest.Kind{smimetest.RSA2048, smimetest.P256, smimetest.P384} {
		us := middle.Issue(signer, clinic)
		for _, kind := range []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.P256, smimetest.P384} {
			for _, form := range []smime.Form{smime.Default, smime.OAEP, smime.GCM} {
				id, friend := middle.Issue(kind, dana), root.Issue(smimetest.RSA2048, lee)
				s := newSealer(t, smime.Config{
					Certificates: having(id, friend), Trust: smimetest.Pool(root), Signer: identities(us), Forms: []smime.FormRule{{"patient.example", form}},
				})
				out, sealed := seal(t, s, job(t, s, text, lee, dana))
				name := fmt.Sprintf("%s to %s, %q", signer, kind, form)
				for _, whom := range []*smimetest.Identity{id, friend} {
					r := newReader(t, smime.ReaderConfig{Keys: identities(whom), Trust: smimetest.Pool(root)})
					opened, err := r.Read(t.Context(), bytes.NewReader(out))
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					checkOpened(t, name, opened, sealed.Evidence.Container)
				}
			}
		}
	}
}

func checkOpened(tb testing.TB, name string, o *smime.Opened, container string) {
	tb.Helper()
	if o.Container != container || len(o.Signers) != 1 || o.Signers[0].Fault != "" || !o.SignedBy(address(clinic)) || o.SignedBy(address(dana)) {
		tb.Errorf("%s: %q, %d signers, %v", name, o.Container, len(o.Signers), o.Signers)
	}
	if o.Protected == nil || o.Protected.Protection != crypt.Encrypted || !slices.Contains(o.Protected.Fields, crypt.Field{Name: "Subject", Value: subject}) {
		tb.Errorf("%s: the header is %v", name, o.Protected)
	}
	if !bytes.Contains(o.Entity, []byte("Please do not eat after midnight. Bis Freitag, gr\u00fc\u00dfe!\r\n")) {
		tb.Errorf("%s: the entity is another", name)
	}
}

func TestASignedMessageIsReadInClear(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	us := root.Issue(smimetest.P256, clinic)
	s, err := smime.NewSigner(smime.SignerConfig{Keys: identities(us)})
	if err != nil {
		t.Fatal(err)
	}
	j := letter(text)
	signature, err := s.Sign(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	message := slices.Concat(signature.Before, []byte(text)[signature.Skip:], signature.After)
	r := newReader(t, smime.ReaderConfig{Trust: smimetest.Pool(root)})
	opened, err := r.Read(t.Context(), bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	if opened.Container != "" || !opened.SignedBy(address(clinic)) || opened.Protected == nil || opened.Protected.Protection != crypt.SignedOnly {
		t.Errorf("opened %v, %v", opened, opened.Protected)
	}
	if signature.Evidence.Signed != "ecdsa/sha-256:"+fingerprint(us.Certificate) {
		t.Errorf("evidence is %+v", signature.Evidence)
	}
	altered := bytes.Replace(message, []byte("midnight"), []byte("midday  "), 1)
	_, err = r.Read(t.Context(), bytes.NewReader(altered))
	wantReason(t, "altered", err, crypt.ErrSignature)
}

func TestWhoSignedIsKnownOnlyIfTheChainHolds(t *testing.T) {
	t.Parallel()
	root, stranger := smimetest.NewAuthority(), smimetest.NewAuthority()
	us := root.Issue(smimetest.P256, clinic)
	revoked := answer(func(*x509.Certificate) (smime.Status, error) { return smime.Revoked, nil })
	unknown := answer(func(*x509.Certificate) (smime.Status, error) { return smime.Unknown, nil })
	id := root.Issue(smimetest.P256, dana)
	s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Signer: identities(us)})
	out, _ := seal(t, s, job(t, s, text, dana))
	for name, c := range map[string]struct {
		cfg  smime.ReaderConfig
		want crypt.Reason
	}{
		"trusted":      {smime.ReaderConfig{Trust: smimetest.Pool(root)}, ""},
		"no anchor":    {smime.ReaderConfig{}, crypt.ErrUntrusted},
		"other anchor": {smime.ReaderConfig{Trust: smimetest.Pool(stranger)}, crypt.ErrUntrusted},
		"revoked":      {smime.ReaderConfig{Trust: smimetest.Pool(root), Revocation: []smime.Revocation{revoked}}, crypt.ErrRevoked},
		"unknown":      {smime.ReaderConfig{Trust: smimetest.Pool(root), Revocation: []smime.Revocation{unknown}}, crypt.ErrRevocation},
		"later":        {smime.ReaderConfig{Trust: smimetest.Pool(root), Clock: at(time.Now().AddDate(2, 0, 0))}, crypt.ErrExpired},
	} {
		c.cfg.Keys = identities(id)
		opened, err := newReader(t, c.cfg).Read(t.Context(), bytes.NewReader(out))
		if err != nil || len(opened.Signers) != 1 || opened.Signers[0].Fault != c.want || opened.SignedBy(address(clinic)) != (c.want == "") {
			t.Errorf("%s: %v, %v", name, opened, err)
		}
	}
}

// An authority that is constrained to addresses of some domains stands for no
// international ones of others either; crypto/x509 looks at rfc822Names alone.
func TestSignersWithInternationalAddressesAreHeldAgainstConstraints(t *testing.T) {
	t.Parallel()
	const who = "gr\u00e9ta@b\u00fccher.example"
	root := smimetest.NewAuthority()
	permits := func(domain string) *smimetest.Authority {
		return root.Intermediate(func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{domain} })
	}
	critical := func(c *x509.Certificate) {
		c.Subject = pkix.Name{}
		c.ExtraExtensions[len(c.ExtraExtensions)-1].Critical = true
	}
	name := smimetest.Mailboxes(nil, who)
	id := root.Issue(smimetest.P256, dana)
	for what, c := range map[string]struct {
		us   *smimetest.Identity
		want bool
	}{
		"unconstrained": {root.Issue(smimetest.P256, "", name), true},
		"critical":      {root.Issue(smimetest.P256, "", name, critical), true},
		"permitted":     {permits("xn--bcher-kva.example").Issue(smimetest.P256, "", name), true},
		"not permitted": {permits("other.example").Issue(smimetest.P256, "", name), false},
	} {
		s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Signer: identities(c.us)})
		key, err := s.Find(t.Context(), address(who), address(dana))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		j := letter(text)
		j.From, j.To = address(who), []crypt.Target{{Address: address(dana), Key: key}}
		out, _ := seal(t, s, j)
		opened, err := newReader(t, smime.ReaderConfig{Keys: identities(id), Trust: smimetest.Pool(root)}).Read(t.Context(), bytes.NewReader(out))
		if err != nil || len(opened.Signers) != 1 {
			t.Fatalf("%s: %v, %v", what, opened, err)
		}
		if opened.SignedBy(address(who)) != c.want {
			t.Errorf("%s: signed by them: %t, %q", what, !c.want, string(opened.Signers[0].Fault))
		}
	}
}

func TestWhatIsNotProvenIsNotReleased(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.RSA2048, dana)
	unsigned := func(form smime.Form) []byte {
		s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Forms: []smime.FormRule{{dana, form}}})
		out, _ := seal(t, s, job(t, s, text, dana))
		return out
	}
	signed := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Signer: identities(root.Issue(smimetest.P256, clinic))})
	cbc, _ := seal(t, signed, job(t, signed, text, dana))
	var bomb bytes.Buffer
	bomb.WriteString("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	bomb.WriteString(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0x30, 0x80}, 10_000)))
	keys := identities(id)
	for name, c := range map[string]struct {
		message []byte
		keys    smime.IdentitySource
		want    crypt.Reason
	}{
		"unsigned with AES-CBC":     {unsigned(smime.Default), keys, crypt.ErrUnsigned},
		"for another":               {cbc, identities(root.Issue(smimetest.RSA2048, dana)), crypt.ErrRecipient},
		"without keys":              {cbc, nil, crypt.ErrRecipient},
		"keys fail":                 {cbc, failing{}, crypt.ErrSource},
		"keys panic":                {cbc, panicking{}, crypt.ErrSource},
		"plain":                     {[]byte("From: a@x.example\r\n\r\nhello"), keys, crypt.ErrUnsigned},
		"empty":                     {nil, keys, crypt.ErrUnsigned},
		"no header":                 {[]byte("no header"), keys, crypt.ErrMalformed},
		"two types":                 {[]byte("Content-Type: text/plain\r\nContent-Type: application/pkcs7-mime\r\n\r\n"), keys, crypt.ErrMalformed},
		"not base64":                {[]byte("Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n!"), keys, crypt.ErrMalformed},
		"quoted-printable":          {[]byte("Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"), keys, crypt.ErrMalformed},
		"says encrypted and is not": {bomb.Bytes(), keys, crypt.ErrUnsigned},
		"too long":                  {make([]byte, 1<<20+1), keys, crypt.ErrTooLarge},
		"cut short":                 {cbc[:len(cbc)-500], keys, crypt.ErrMalformed},
		"of an unknown type of CMS": {bytes.Replace(cbc, []byte("enveloped-data"), []byte("compressed-data"), 1), keys, crypt.ErrUnsigned},
	} {
		r := newReader(t, smime.ReaderConfig{Keys: c.keys, Trust: smimetest.Pool(root), MaxBytes: 1 << 20})
		opened, err := r.Read(t.Context(), bytes.NewReader(c.message))
		wantReason(t, name, err, c.want)
		if opened != nil {
			t.Errorf("%s: something is released", name)
		}
	}
	r := newReader(t, smime.ReaderConfig{Keys: keys, Trust: smimetest.Pool(root)})
	opened, err := r.Read(t.Context(), bytes.NewReader(unsigned(smime.GCM)))
	if err != nil || len(opened.Signers) != 0 || opened.SignedBy(address(clinic)) {
		t.Errorf("unsigned with AES-GCM: %v, %v", opened, err)
	}
	_, err = r.Read(t.Context(), iotest.ErrReader(errors.New("marker4711")))
	wantReason(t, "a reader that fails", err, crypt.ErrEntity)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Read(ctx, bytes.NewReader(cbc))
	wantReason(t, "canceled", err, crypt.ErrCanceled)
}

type failing struct{}

func (failing) Identities(context.Context) ([]smime.Identity, error) {
	return nil, errors.New("marker4711")
}

type panicking struct{}

func (panicking) Identities(context.Context) ([]smime.Identity, error) { panic("marker4711") }

// One bit altered anywhere in the content or the tag.
func TestAnAlteredMessageIsRejected(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	for _, form := range []smime.Form{smime.Default, smime.GCM} {
		s := newSealer(t, smime.Config{
			Certificates: having(id), Trust: smimetest.Pool(root), Signer: identities(root.Issue(smimetest.P256, clinic)), Forms: []smime.FormRule{{dana, form}},
		})
		out, _ := seal(t, s, job(t, s, text, dana))
		head, body, _ := strings.Cut(string(out), "\r\n\r\n")
		der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\r\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(t, smime.ReaderConfig{Keys: identities(id), Trust: smimetest.Pool(root)})
		for i := 0; i < len(der); i += 7 {
			changed := slices.Clone(der)
			changed[i] ^= 1 << (i % 8)
			message := head + "\r\n\r\n" + base64.StdEncoding.EncodeToString(changed)
			opened, err := r.Read(t.Context(), strings.NewReader(message))
			if err == nil && bytes.Contains(opened.Entity, []byte("midnight")) && opened.SignedBy(address(clinic)) {
				continue // a byte that says nothing: a version, a name of a length
			}
			if _, ok := errors.AsType[*crypt.Error](err); !ok || opened != nil {
				t.Errorf("%q, byte %d: %v", form, i, err)
			}
		}
		for i := range 16 { // the tag, or the last block
			changed := slices.Clone(der)
			changed[len(der)-1-i] ^= 0x80
			if _, err := r.Read(t.Context(), strings.NewReader(head+"\r\n\r\n"+base64.StdEncoding.EncodeToString(changed))); err == nil {
				t.Errorf("%q, byte %d from the end: opened", form, i)
			}
		}
	}
}

// FuzzRead: whatever comes, the answer is a message or an error of ours.
func FuzzRead(f *testing.F) {
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	for _, form := range []smime.Form{smime.Default, smime.GCM} {
		s := newSealer(f, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Forms: []smime.FormRule{{dana, form}}})
		out, _ := seal(f, s, job(f, s, text, dana))
		f.Add(out)
	}
	f.Add([]byte("Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\r\n\r\n--b\r\n\r\n--b--"))
	r := newReader(f, smime.ReaderConfig{Keys: identities(id), Trust: smimetest.Pool(root), MaxBytes: 1 << 20})
	f.Fuzz(func(t *testing.T, message []byte) {
		opened, err := r.Read(t.Context(), bytes.NewReader(message))
		if _, ok := errors.AsType[*crypt.Error](err); (opened == nil) != (err != nil) || err != nil && !ok {
			t.Fatalf("%v, %v", opened, err)
		}
	})
}

// FuzzAltered: of a message that was altered, by a change that fits the process's
// own keys, nothing but the original comes out as the sender's.
func FuzzAltered(f *testing.F) {
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	var messages [][]byte
	for _, form := range []smime.Form{smime.Default, smime.GCM} {
		s := newSealer(f, smime.Config{
			Certificates: having(id), Trust: smimetest.Pool(root), Signer: identities(root.Issue(smimetest.P256, clinic)), Forms: []smime.FormRule{{dana, form}},
		})
		out, _ := seal(f, s, job(f, s, text, dana))
		_, body, _ := strings.Cut(string(out), "\r\n\r\n")
		der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\r\n", ""))
		if err != nil {
			f.Fatal(err)
		}
		messages = append(messages, der)
	}
	f.Add(false, uint16(0), uint16(1), []byte("\x30"))
	f.Add(true, uint16(20), uint16(0), []byte("\x05\x00"))
	r := newReader(f, smime.ReaderConfig{Keys: identities(id), Trust: smimetest.Pool(root), MaxBytes: 1 << 20})
	f.Fuzz(func(t *testing.T, gcm bool, at, cut uint16, with []byte) {
		der := messages[0]
		if gcm {
			der = messages[1]
		}
		start := int(at) % len(der)
		end := min(start+int(cut), len(der))
		altered := base64.StdEncoding.EncodeToString(slices.Concat(der[:start], with, der[end:]))
		opened, err := r.Read(t.Context(), strings.NewReader(
			"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"+altered))
		if _, ok := errors.AsType[*crypt.Error](err); (opened == nil) != (err != nil) || err != nil && !ok {
			t.Fatalf("%v, %v", opened, err)
		}
		if err == nil && (!opened.SignedBy(address(clinic)) || !bytes.Contains(opened.Entity, []byte("midnight"))) {
			t.Fatal("something else came out")
		}
	})
}
