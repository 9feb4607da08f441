package dkim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/phimail/sdk/dkim"
)

func record(tb testing.TB, key crypto.Signer) string {
	tb.Helper()
	txt, err := dkim.Record(key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	return txt
}

func TestARecordMatchesItsKeyOnly(t *testing.T) {
	t.Parallel()
	bare := "v=DKIM1; p=" + base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(rsaPublic(t)))
	good := record(t, rsaKey())
	ed := record(t, edKey())
	for name, c := range map[string]struct {
		txt  string
		key  crypto.Signer
		want error
	}{
		"as made, RSA":        {good, rsaKey(), nil},
		"as made, Ed25519":    {ed, edKey(), nil},
		"no version, no k=":   {good[strings.Index(good, "p="):], rsaKey(), nil},
		"bare RSA key":        {bare, rsaKey(), nil},
		"spaces in p=":        {strings.Replace(good, "AQ", "A Q\t", 1) + " ; ", rsaKey(), nil},
		"all tags":            {good + "; h=sha1:sha256; s=email; t=s; n=note", rsaKey(), nil},
		"any service":         {good + "; s = * : other", rsaKey(), nil},
		"unknown tag":         {good + "; zz=1", rsaKey(), nil},
		"empty":               {" \r\n", rsaKey(), dkim.ErrRecordMissing},
		"another key":         {record(t, otherRSA()), rsaKey(), dkim.ErrRecordMismatch},
		"another Ed25519 key": {record(t, otherEdKey()), edKey(), dkim.ErrRecordMismatch},
		"another algorithm":   {ed, rsaKey(), dkim.ErrRecordMismatch},
		"revoked":             {"v=DKIM1; k=rsa; p=", rsaKey(), dkim.ErrRecordRevoked},
		"no p=":               {"v=DKIM1; k=rsa", rsaKey(), dkim.ErrRecordMalformed},
		"p= is not base64":    {"v=DKIM1; p=!", rsaKey(), dkim.ErrRecordMalformed},
		"p= is no key":        {"v=DKIM1; p=AAAA", rsaKey(), dkim.ErrRecordMalformed},
		"cut off":             {good[:len(good)-40], rsaKey(), dkim.ErrRecordMalformed},
		"version not first":   {"k=rsa; v=DKIM1; p=AAAA", rsaKey(), dkim.ErrRecordMalformed},
		"another version":     {strings.Replace(good, "DKIM1", "DKIM2", 1), rsaKey(), dkim.ErrRecordMalformed},
		"an SPF record":       {"v=spf1 -all", rsaKey(), dkim.ErrRecordMalformed},
		"a doubled tag":       {good + "; k=rsa", rsaKey(), dkim.ErrRecordMalformed},
		"a name that is none": {good + "; 1a=b", rsaKey(), dkim.ErrRecordMalformed},
		"too many tags":       {good + strings.Repeat("; a=b", 40), rsaKey(), dkim.ErrRecordMalformed},
		"too long":            {good + "; n=" + strings.Repeat("x", 9000), rsaKey(), dkim.ErrRecordMalformed},
		"SHA-1 only":          {good + "; h=sha1", rsaKey(), dkim.ErrRecordUnusable},
		"not for e-mail":      {good + "; s=tlsrpt", rsaKey(), dkim.ErrRecordUnusable},
		"testing":             {good + "; t=s:y", rsaKey(), dkim.ErrRecordTesting},
		"no key to compare":   {good, nil, dkim.ErrKey},
	} {
		err := dkim.CheckRecord(c.txt, dkim.Key{Domain: "clinic.example", Selector: "s", Signer: c.key})
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func rsaPublic(tb testing.TB) *rsa.PublicKey {
	tb.Helper()
	pub, ok := rsaKey().Public().(*rsa.PublicKey)
	if !ok {
		tb.Fatal("not an RSA key")
	}
	return pub
}

func TestARecordIsSplitForDNS(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		txt := record(t, key)
		parts := dkim.RecordStrings(txt)
		for _, p := range parts {
			if len(p) > 255 || p == "" {
				t.Errorf("a string of %d octets", len(p))
			}
		}
		if strings.Join(parts, "") != txt {
			t.Error("the strings don't make up the record")
		}
		line, err := dkim.ZoneLine("Clinic.Example", "s1", key.Public())
		if want := `s1._domainkey.clinic.example. IN TXT ( "` + strings.Join(parts, `" "`) + `" )`; err != nil || line != want {
			t.Errorf("line is\n%s, %v, want\n%s", line, err, want)
		}
	}
	if got := dkim.RecordStrings(strings.Repeat("x", 255)); len(got) != 1 {
		t.Errorf("255 octets make %d strings", len(got))
	}
	for _, c := range [][2]string{{"clinic.example", `s" "`}, {"clinic.example\n", "s"}, {"", "s"}} {
		if _, err := dkim.ZoneLine(c[0], c[1], edKey().Public()); !errors.Is(err, dkim.ErrKey) {
			t.Errorf("%q is published: %v", c, err)
		}
	}
}

func TestAPrivateKeySurvivesItsFile(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		data, err := dkim.MarshalPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		back, err := dkim.ParsePrivateKey(append([]byte("# a comment\n"), data...))
		if err != nil {
			t.Fatal(err)
		}
		if same, ok := key.(interface {
			Equal(other crypto.PrivateKey) bool
		}); !ok || !same.Equal(back) {
			t.Error("another key came back")
		}
	}
	pkcs1, ok := rsaKey().(*rsa.PrivateKey)
	if !ok {
		t.Fatal("not an RSA key")
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(pkcs1)})
	if back, err := dkim.ParsePrivateKey(data); err != nil || !pkcs1.Equal(back) {
		t.Errorf("PKCS#1: %v", err)
	}
}

func TestAPrivateKeyThatMustNotSignIsRefused(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":     {nil, dkim.ErrPrivateKey},
		"not PEM":   {[]byte("key"), dkim.ErrPrivateKey},
		"not a key": {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), dkim.ErrPrivateKey},
		"encrypted": {pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), dkim.ErrPrivateKey},
		"too long":  {append(make([]byte, 64<<10), pkcs8(rsaKey())...), dkim.ErrPrivateKey},
		"weak":      {pkcs8(weak), dkim.ErrWeakKey},
		"ECDSA":     {pkcs8(curve), dkim.ErrKey},
	} {
		if _, err := dkim.ParsePrivateKey(c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := dkim.Record(weak.Public()); !errors.Is(err, dkim.ErrWeakKey) {
		t.Errorf("a weak key is published: %v", err)
	}
	if _, err := dkim.Record(curve.Public()); !errors.Is(err, dkim.ErrKey) {
		t.Errorf("an ECDSA key is published: %v", err)
	}
	if _, err := dkim.GenerateKey("dsa"); !errors.Is(err, dkim.ErrKey) {
		t.Errorf("a DSA key is made: %v", err)
	}
	if _, err := dkim.MarshalPrivateKey(&countingSigner{Signer: edKey()}); !errors.Is(err, dkim.ErrKey) {
		t.Errorf("a key that lives elsewhere is written: %v", err)
	}
}
