package smime_test

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
)

const (
	alice = "alice@smime.example"
	bob   = "bob@smime.example"
)

// then is within the validity of the certificates of RFC 9216.
var then = time.Date(2026, 1, 12, 10, 0, 0, 0, time.UTC)

// sample are the keys of somebody of RFC 9216, one to sign and one to read, that
// everybody knows. The files in testdata are those of its sections 3.1, 4.1 to 4.4
// and 5.1 to 5.4, and the message of RFC 9788: Copyright (c) 2022 and 2025 IETF
// Trust and the persons identified as the authors of the code, under the Revised
// BSD License (section 4.e of the Trust Legal Provisions, trustee.ietf.org).
func sample(tb testing.TB, name string) *smime.IdentityFiles {
	tb.Helper()
	files, err := smime.NewIdentityFiles(smime.IdentityFile{Certificate: "testdata/rfc9216-" + name + ".pem", Key: "testdata/rfc9216-" + name + ".key"})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func sampleAnchor(tb testing.TB) *smime.AnchorFiles {
	tb.Helper()
	files, err := smime.NewAnchorFiles("testdata/rfc9216-ca.pem")
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// The message of RFC 9788 appendix C.3.4: signed by Alice, in a SignedData with its
// content, and encrypted to Bob and herself, with the header protected.
func TestTheMessageOfRFC9788IsRead(t *testing.T) {
	t.Parallel()
	message, err := os.ReadFile("testdata/rfc9788.eml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bob", "alice"} {
		r := newReader(t, smime.ReaderConfig{Keys: sample(t, name), Anchors: sampleAnchor(t), Clock: at(then)})
		opened, err := r.Read(t.Context(), bytes.NewReader(message))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if opened.Container != "cms-enveloped-data" || !slices.Equal(opened.Algorithms, []string{"aes-128-cbc", "rsa-pkcs1-v1.5", "rsa-2048"}) {
			t.Errorf("%s: %s, %v", name, opened.Container, opened.Algorithms)
		}
		signed := time.Date(2021, 2, 20, 15, 13, 2, 0, time.UTC)
		if len(opened.Signers) != 1 || !opened.SignedBy(address(alice)) || opened.SignedBy(address(bob)) || !opened.Signers[0].Time.Equal(signed) {
			t.Errorf("%s: signed by %v", name, opened.Signers)
		}
		p := opened.Protected
		if p == nil || p.Protection != crypt.Encrypted || !slices.Contains(p.Fields, crypt.Field{Name: "Subject", Value: "smime-signed-enc-hp-shy-legacy"}) ||
			!slices.Contains(p.Outer, crypt.Field{Name: "Subject", Value: "[...]"}) || !slices.Contains(p.Outer, crypt.Field{Name: "From", Value: alice}) {
			t.Errorf("%s: the header is %v", name, p)
		}
		if !bytes.HasSuffix(opened.Entity, []byte("\r\n\r\n-- \r\nAlice\r\nalice@smime.example\r\n")) {
			t.Errorf("%s: the entity is another", name)
		}
	}
}

// The certificates of RFC 9216 serve, each for its own use: of the two that Bob
// has, the one to encrypt to is found, and Alice signs with the one to sign with.
func TestTheCertificatesOfRFC9216Serve(t *testing.T) {
	t.Parallel()
	anchors := sampleAnchor(t)
	s := newSealer(t, smime.Config{
		Certificates: certificateFiles(t, "testdata/rfc9216-bob.pem"), Anchors: anchors, Signer: sample(t, "alice"),
		Forms: []smime.FormRule{{For: bob, Form: smime.OAEP}}, Clock: at(then),
	})
	key, err := s.Find(t.Context(), address(alice), address(bob))
	if err != nil {
		t.Fatal(err)
	}
	j := letter(text)
	j.From, j.To = address(alice), []crypt.Target{{Address: address(bob), Key: key}}
	message, _ := seal(t, s, j)
	opened, err := newReader(t, smime.ReaderConfig{Keys: sample(t, "bob"), Anchors: anchors, Clock: at(then)}).Read(t.Context(), bytes.NewReader(message))
	if err != nil || !opened.SignedBy(address(alice)) {
		t.Errorf("%v, %v", opened, err)
	}
	_, err = s.Find(t.Context(), address(alice), address(alice))
	wantReason(t, "nobody's", err, crypt.ErrNotFound)
}
