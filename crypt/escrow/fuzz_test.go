package escrow_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

// FuzzOpen: what was not sealed so does not open, and nothing panics.
func FuzzOpen(f *testing.F) {
	plain := pattern(200)
	good := sealedForm(f, plain, "")
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(sealedForm(f, nil, ""))
	f.Add([]byte("phimail escrow 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4*len(good) || len(b) > 67 && (b[64]|b[65]|b[66] != 0) {
			return // nothing new, or a passcode's many rounds
		}
		r, err := escrow.Open(bytes.NewReader(b), escrow.Secret{}, escrow.Share{}, "x")
		if err == nil {
			var got []byte
			if got, err = io.ReadAll(r); err == nil && !bytes.Equal(got, plain) && len(got) > 0 {
				t.Errorf("opened %d bytes that nobody sealed", len(got))
			}
		}
		if ce, ok := errors.AsType[*crypt.Error](err); err != nil && (!ok || ce.Retry) {
			t.Errorf("error %v", err)
		}
	})
}

// FuzzDecodeItem: what is read of a store is written back the same.
func FuzzDecodeItem(f *testing.F) {
	w := newWorld(f, nil)
	m := w.published(f, job(entity))
	it, err := w.store.Items.Load(f.Context(), m.link.ID)
	if err != nil {
		f.Fatal(err)
	}
	b, err := escrow.EncodeItem(it)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`"version":2`), []byte(`"version":0`), 1))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		it, err := escrow.DecodeItem(b)
		if err != nil {
			return
		}
		again, err := escrow.EncodeItem(it)
		if err != nil {
			return // too long
		}
		back, err := escrow.DecodeItem(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		third, err := escrow.EncodeItem(back.Clone())
		if err != nil || !bytes.Equal(again, third) {
			t.Errorf("%s\n%s", again, third)
		}
	})
}

// FuzzParseLink: what is read as a link is one, and reads the same again.
func FuzzParseLink(f *testing.F) {
	link := escrow.Link{ID: testID, Secret: escrow.Secret{1, 2, 3}}
	f.Add(link.Text("https://mail.clinic.example/m"))
	f.Add("https://safe.example/?url=https%3A%2F%2Fmail.example%2Fm%2F" + testID + "%23s1.AAAA")
	f.Add("https://a.example/%23?u=https://a.example/#")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := escrow.ParseLink(s)
		if err != nil {
			return
		}
		if again, err := escrow.ParseLink(got.Text("https://mail.clinic.example/m")); err != nil || again != got {
			t.Errorf("%q: %v", s, err)
		}
	})
}
