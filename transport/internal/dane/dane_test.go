package dane_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dane"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const host = "mx.example.org"

type issued struct {
	*x509.Certificate

	key crypto.Signer
}

// issue makes a certificate below by, or an authority of its own.
func issue(t testing.TB, by *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: strconv.FormatInt(time.Now().UnixNano(), 10)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	if change != nil {
		change(tmpl)
	}
	parent := &issued{tmpl, key}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent.Certificate, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key}
}

func authority(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

func named(c *x509.Certificate) { c.DNSNames = []string{host} }

func record(usage, selector, matching uint8, cert *issued) transport.TLSARecord {
	data := cert.Raw
	if selector == 1 {
		data = cert.RawSubjectPublicKeyInfo
	}
	switch matching {
	case 1:
		sum := sha256.Sum256(data)
		data = sum[:]
	case 2:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return transport.TLSARecord{Usage: usage, Selector: selector, MatchingType: matching, Data: data}
}

func verify(usable []transport.TLSARecord, certs ...*issued) error {
	var shown []*x509.Certificate
	for _, c := range certs {
		shown = append(shown, c.Certificate)
	}
	_, err := dane.Verify(usable, shown, []string{host, "example.org"}, time.Now())
	return err
}

func TestEverySelectorAndDigestMatchesItsOwnAndNoOther(t *testing.T) {
	t.Parallel()
	root := issue(t, nil, authority)
	between := issue(t, root, authority)
	leaf := issue(t, between, named)
	other := issue(t, nil, func(c *x509.Certificate) { authority(c); named(c) })
	for selector := range uint8(2) {
		for matching := range uint8(3) {
			for name, c := range map[string]struct {
				usage  uint8
				of     *issued
				passes bool
			}{
				"EE":                    {3, leaf, true},
				"EE of another":         {3, other, false},
				"EE of the issuer":      {3, between, false},
				"TA above":              {2, between, true},
				"TA at the top":         {2, root, true},
				"TA of another":         {2, other, false},
				"TA of the leaf itself": {2, leaf, false},
			} {
				r := record(c.usage, selector, matching, c.of)
				if got := dane.Usable([]transport.TLSARecord{r}); len(got) != 1 {
					t.Errorf("%s %d %d: not usable", name, selector, matching)
				}
				if err := verify([]transport.TLSARecord{r}, leaf, between, root); (err == nil) != c.passes {
					t.Errorf("%s %d %d: %v", name, selector, matching, err)
				}
			}
		}
	}
}

func TestATrustAnchorNeedNotBeShownIfTheRecordHoldsAllOfIt(t *testing.T) {
	t.Parallel()
	root := issue(t, nil, authority)
	leaf := issue(t, root, named)
	for selector := range uint8(2) {
		for matching := range uint8(3) {
			err := verify([]transport.TLSARecord{record(2, selector, matching, root)}, leaf)
			if (err == nil) != (matching == 0) {
				t.Errorf("2 %d %d: %v", selector, matching, err)
			}
		}
	}
}

func TestDANEEEIgnoresNameAndDates(t *testing.T) {
	t.Parallel()
	old := issue(t, nil, func(c *x509.Certificate) {
		c.NotAfter = time.Now().Add(-time.Minute)
		c.DNSNames = []string{"elsewhere.example"}
	})
	if err := verify([]transport.TLSARecord{record(3, 1, 1, old)}, old); err != nil {
		t.Error(err)
	}
}

func TestDANETAKeepsNameDatesAndUsage(t *testing.T) {
	t.Parallel()
	root := issue(t, nil, authority)
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		passes bool
	}{
		"good":                  {named, true},
		"for the domain itself": {func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} }, true},
		"a wildcard":            {func(c *x509.Certificate) { c.DNSNames = []string{"*.example.org"} }, true},
		"another name":          {func(c *x509.Certificate) { c.DNSNames = []string{"mx2.example.org"} }, false},
		"a common name only":    {func(c *x509.Certificate) { c.Subject.CommonName = host }, false},
		"expired":               {func(c *x509.Certificate) { named(c); c.NotAfter = time.Now().Add(-time.Minute) }, false},
		"for clients":           {func(c *x509.Certificate) { named(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, false},
	} {
		leaf := issue(t, root, c.change)
		if err := verify([]transport.TLSARecord{record(2, 0, 1, root)}, leaf, root); (err == nil) != c.passes {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A certificate that is no authority's own can't vouch for another.
	fake := issue(t, root, named)
	below := issue(t, fake, named)
	if err := verify([]transport.TLSARecord{record(2, 0, 1, root)}, below, fake, root); err == nil {
		t.Error("a leaf vouched for another")
	}
	// Nor is a chain good whose links don't hold.
	stranger := issue(t, issue(t, nil, authority), named)
	if err := verify([]transport.TLSARecord{record(2, 0, 1, root)}, stranger, root); err == nil {
		t.Error("the anchor was shown, and did not sign")
	}
	if err := verify([]transport.TLSARecord{record(2, 1, 0, root)}, stranger, root); err == nil {
		t.Error("the anchor's key did not sign the leaf")
	}
	if _, err := dane.Verify([]transport.TLSARecord{record(2, 0, 1, root)},
		[]*x509.Certificate{issue(t, root, named).Certificate, root.Certificate}, []string{"", "."}, time.Now()); err == nil {
		t.Error("without a name anything goes")
	}
}

func TestUnusableRecordsAreAsIfTheyWereNotThere(t *testing.T) {
	t.Parallel()
	root := issue(t, nil, authority)
	leaf := issue(t, root, named)
	good := record(3, 1, 1, leaf)
	bad := map[string]transport.TLSARecord{
		"PKIX-TA":              record(0, 0, 1, root),
		"PKIX-EE":              record(1, 1, 1, leaf),
		"usage 4":              {Usage: 4, Selector: 1, MatchingType: 1, Data: good.Data},
		"PrivCert":             {Usage: 255, Selector: 1, MatchingType: 1, Data: good.Data},
		"selector 2":           {Usage: 3, Selector: 2, MatchingType: 1, Data: good.Data},
		"matching type 3":      {Usage: 3, Selector: 1, MatchingType: 3, Data: good.Data},
		"a short digest":       {Usage: 3, Selector: 1, MatchingType: 1, Data: good.Data[:31]},
		"a long digest":        {Usage: 3, Selector: 1, MatchingType: 1, Data: append(good.Data[:32:32], 0)},
		"the other digest":     {Usage: 3, Selector: 1, MatchingType: 2, Data: good.Data},
		"no certificate":       {Usage: 3, Selector: 0, MatchingType: 0, Data: []byte("x")},
		"no key":               {Usage: 2, Selector: 1, MatchingType: 0, Data: []byte("x")},
		"a key as certificate": {Usage: 3, Selector: 0, MatchingType: 0, Data: leaf.RawSubjectPublicKeyInfo},
		"empty":                {Usage: 3, Selector: 1, MatchingType: 1},
	}
	for name, r := range bad {
		if got := dane.Usable([]transport.TLSARecord{r}); len(got) != 0 {
			t.Errorf("%s is usable", name)
		}
		if got := dane.Usable([]transport.TLSARecord{r, good}); len(got) != 1 || dane.Text(&got[0]) != dane.Text(&good) {
			t.Errorf("%s beside a good one: %d usable", name, len(got))
		}
		if r.Usage != 3 || r.Selector > 1 || r.MatchingType > 2 || len(r.Data) != 32 || name == "the other digest" {
			if err := verify([]transport.TLSARecord{r}, leaf, root); err == nil {
				t.Errorf("%s verifies", name)
			}
		}
	}
	if err := verify(nil, leaf, root); err == nil {
		t.Error("no record verifies")
	}
	if err := verify([]transport.TLSARecord{good}); err == nil {
		t.Error("no certificate verifies")
	}
}

func TestTheStrongestDigestCounts(t *testing.T) {
	t.Parallel()
	leaf, other := issue(t, nil, named), issue(t, nil, named)
	weak, strong := record(3, 1, 1, leaf), record(3, 1, 2, other)
	usable := dane.Usable([]transport.TLSARecord{weak, strong, record(3, 1, 0, other), record(3, 0, 1, other)})
	if len(usable) != 3 {
		t.Errorf("%d usable", len(usable))
	}
	if err := verify(usable, leaf); err == nil {
		t.Error("the weaker digest was used beside a stronger one (RFC 7671 section 9)")
	}
}

func FuzzTLSA(f *testing.F) {
	root := issue(f, nil, authority)
	leaf := issue(f, root, named)
	f.Add(uint8(3), uint8(1), uint8(1), record(3, 1, 1, leaf).Data)
	f.Add(uint8(2), uint8(0), uint8(0), root.Raw)
	f.Add(uint8(2), uint8(1), uint8(0), root.RawSubjectPublicKeyInfo)
	f.Fuzz(func(t *testing.T, usage, selector, matching uint8, data []byte) {
		stranger := &transport.Answer{Records: []transport.DNSRecord{append([]byte{usage, selector, matching}, data...)}}
		usable := dane.Usable(stranger.TLSA())
		for _, r := range usable {
			_ = dane.Text(&r)
		}
		match, err := dane.Verify(usable, []*x509.Certificate{leaf.Certificate, root.Certificate}, []string{host}, time.Now())
		if (match == nil) == (err == nil) {
			t.Fatalf("%v, %v", match, err)
		}
		if match == nil {
			return
		}
		for m := range uint8(3) {
			for s := range uint8(2) {
				for _, c := range []struct {
					usage uint8
					of    *issued
				}{{3, leaf}, {2, root}} {
					if r := record(c.usage, s, m, c.of); dane.Text(&r) == dane.Text(&match.Record) {
						return
					}
				}
			}
		}
		t.Error("a foreign record matched")
	})
}
