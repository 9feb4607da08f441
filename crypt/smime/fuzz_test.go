package smime_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// FuzzCertificates: whatever a file holds, it is listed under addresses, and a
// sealer answers with a reason.
func FuzzCertificates(f *testing.F) {
	root := smimetest.NewAuthority()
	id := root.Intermediate().Issue(smimetest.P256, "", smimetest.Mailboxes([]string{dana}, "gr\u00e9ta@x.example"))
	f.Add(smimetest.PEM(id.All()...))
	f.Add(smimetest.PKCS7(id.All()...))
	f.Add(smimetest.PKCS7PEM(id.All()...))
	f.Add(id.Certificate.Raw)
	trust := smimetest.Pool(root)
	f.Fuzz(func(t *testing.T, data []byte) {
		answers, ok := smime.Listed(t.Context(), "lee@patient.example.pem", data, trust)
		if !ok && len(answers) > 0 {
			t.Fatal("nothing found, and somebody")
		}
		for a, err := range answers {
			if local, domain, ok := strings.Cut(a, "@"); !ok || local == "" || domain == "" {
				t.Fatalf("%q is no address", a)
			}
			if _, ok := errors.AsType[*crypt.Error](err); err != nil && !ok {
				t.Fatal(err)
			}
		}
	})
}

// FuzzRevocationList: nothing but what the issuer signed says Good.
func FuzzRevocationList(f *testing.F) {
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	now := time.Now()
	signed := root.RevocationList(now.Add(-time.Hour), id.Certificate)
	f.Add(signed)
	f.Add(smimetest.RevocationListPEM(signed))
	f.Add(root.RevocationListV1(now.Add(-time.Hour), id.Certificate))
	f.Add([]byte("0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if smime.SayGood(data, id.Certificate, root.Certificate, now) > 0 {
			t.Fatal("a list that nobody signed says good")
		}
	})
}

// FuzzScope: no panic, and nothing is read that is not there.
func FuzzScope(f *testing.F) {
	f.Add([]byte("\x30\x03\x81\x01\xff"))
	f.Add([]byte("\x30\x09\xa0\x07\xa0\x05\x86\x03a:b"))
	f.Fuzz(func(t *testing.T, value []byte) {
		points, ok := smime.ScopePoints(value)
		for _, p := range points {
			if ok && !strings.Contains(string(value), p) {
				t.Fatalf("%q is not in it", p)
			}
		}
	})
}

// FuzzIdentity: no panic, and what is read is counted right.
func FuzzIdentity(f *testing.F) {
	id := smimetest.NewAuthority().Issue(smimetest.P256, clinic)
	f.Add(smimetest.KeyPEM(id.Key))
	f.Add(smimetest.PEM(id.Certificate))
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.HasPrefix(string(data), "\x30") {
			return // an archive may ask for a billion rounds of hashing; it is the host's own file
		}
		if certificates, keys, ok := smime.CountParts(data); ok != (certificates+keys > 0) {
			t.Fatal("says it has what it has not")
		}
	})
}
