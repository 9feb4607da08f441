package smime

import (
	"context"
	"net/mail"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// FuzzCertificates: whatever a file holds, it is indexed under addresses that
// can be compared, and a sealer answers.
func FuzzCertificates(f *testing.F) {
	root := smimetest.NewAuthority()
	id := root.Intermediate().Issue(smimetest.P256, "", smimetest.Mailboxes([]string{"dana@x.example"}, "gr\u00e9ta@x.example"))
	f.Add(smimetest.PEM(id.All()...))
	f.Add(smimetest.PKCS7(id.All()...))
	f.Add(smimetest.PKCS7PEM(id.All()...))
	f.Add(id.Certificate.Raw)
	v := verifier{trust: smimetest.Pool(root)}
	f.Fuzz(func(t *testing.T, data []byte) {
		index, ok := indexFile("dana@x.example.pem", data)
		if !ok && len(index.people) > 0 {
			t.Fatal("nothing found, and somebody")
		}
		for m, list := range index.people {
			if again, ok := parseMailbox(`"` + m.local + `"@` + m.domain); m.local == "" || m.domain == "" || ok && again.domain != m.domain {
				t.Fatalf("%q is not in its normal form", m)
			}
			source := KeySourceFunc(func(context.Context, mail.Address) ([]Candidate, error) {
				var all []Candidate
				for _, c := range list {
					all = append(all, Candidate{Certificate: c, Intermediates: index.above(c)})
				}
				return all, nil
			})
			_, err := v.choose(t.Context(), source, mail.Address{Address: m.local + "@" + m.domain}, time.Now())
			if err != nil && reasonOf(err) == "" {
				t.Fatal(err)
			}
		}
	})
}

// FuzzRevocationList: nothing but what the issuer signed says Good.
func FuzzRevocationList(f *testing.F) {
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, "dana@x.example")
	now := time.Now()
	signed := root.RevocationList(now.Add(-time.Hour), id.Certificate)
	f.Add(signed)
	f.Add(smimetest.RevocationListPEM(signed))
	f.Fuzz(func(t *testing.T, data []byte) {
		lists, ok := parseRevocationFile("", data)
		if !ok {
			return
		}
		for _, l := range lists {
			if l.covers(id.Certificate, root.Certificate) && l.says(id.Certificate, now) == Good {
				t.Fatal("a list that nobody signed says good")
			}
		}
	})
}

// FuzzScope: no panic, and what is read is whole.
func FuzzScope(f *testing.F) {
	f.Add([]byte("\x30\x03\x81\x01\xff"))
	f.Add([]byte("\x30\x09\xa0\x07\xa0\x05\x86\x03a:b"))
	f.Fuzz(func(t *testing.T, value []byte) {
		s, ok := parseScope(value)
		for _, p := range s.points {
			if ok && len(p) > len(value) {
				t.Fatal("longer than its source")
			}
		}
	})
}

// FuzzIdentity: no panic, and a key that is read has a certificate or none.
func FuzzIdentity(f *testing.F) {
	id := smimetest.NewAuthority().Issue(smimetest.P256, "us@x.example")
	f.Add(smimetest.KeyPEM(id.Key))
	f.Add(smimetest.PEM(id.Certificate))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 && data[0] == 0x30 {
			return // an archive may ask for a billion rounds of hashing; it is the host's own file
		}
		parts, ok := parseIdentity(data, nil)
		if ok != (len(parts.certificates)+len(parts.keys) > 0) {
			t.Fatal("says it has what it has not")
		}
	})
}
