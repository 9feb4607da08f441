package dkim_test

import (
	"strings"
	"testing"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/dkim/dkimtest"
)

// FuzzSign: whatever is signed verifies, and a copy with a second From doesn't.
func FuzzSign(f *testing.F) {
	for _, text := range messages() {
		if len(text) < 10<<10 {
			f.Add(text)
		}
	}
	f.Add("From: a@clinic.example\r\nX: \x00\r\n\r\n")
	f.Add("From: a@clinic.example\r\n\t\r\nTo: \r\n \r\n\r\n\r\r\n.")
	key := dkim.Key{Domain: "clinic.example", Selector: "e1", Signer: edKey()}
	s := newSigner(f, dkim.Config{Keys: dkim.StaticKeys(key)})
	records := recordsOf(f, key)
	f.Fuzz(func(t *testing.T, text string) {
		fields, ids, err := s.Sign(t.Context(), "clinic.example", open(text))
		if err != nil {
			if fields != nil || ids != nil {
				t.Fatal("an error came with a signature")
			}
			return
		}
		for line := range strings.SplitSeq(string(fields), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("a bad line: %q", line)
			}
		}
		if strings.Contains(strings.ToLower(text), "dkim-signature") {
			return // its own signatures would be verified too
		}
		signed := string(fields) + text
		if got := dkimtest.Passed(dkimtest.Msgauth(t, []byte(signed), records)); len(got) != 1 || got[0] != ids[0] {
			t.Fatalf("passed %v", got)
		}
		if got := dkimtest.Passed(dkimtest.Msgauth(t, []byte("From: x@evil.example\r\n"+signed), records)); len(got) != 0 {
			t.Fatalf("passed with a second From: %v", got)
		}
	})
}

// FuzzCheckRecord: no panic, and only a record with the key's own p= passes.
func FuzzCheckRecord(f *testing.F) {
	rsaTxt, edTxt := record(f, rsaKey()), record(f, edKey())
	_, edP, _ := strings.Cut(edTxt, "p=")
	f.Add(rsaTxt)
	f.Add(edTxt)
	f.Add(edTxt + "; t=y; s=*:email; h=sha1")
	f.Add("v=DKIM1;p=;;=")
	key := dkim.Key{Domain: "clinic.example", Selector: "s", Signer: edKey()}
	f.Fuzz(func(t *testing.T, txt string) {
		err := dkim.CheckRecord(txt, key)
		if squeezed := strings.Join(strings.Fields(txt), ""); err == nil && !strings.Contains(squeezed, edP) {
			t.Fatalf("%q is taken for the key", txt)
		}
	})
}

// FuzzParsePrivateKey: no panic, and what is read is fit to be published.
func FuzzParsePrivateKey(f *testing.F) {
	data, err := dkim.MarshalPrivateKey(edKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := dkim.ParsePrivateKey(data)
		if err != nil {
			return
		}
		if _, err := dkim.Record(key.Public()); err != nil {
			t.Fatal(err)
		}
	})
}
