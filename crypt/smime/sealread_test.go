package smime_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// FuzzSealAndRead: whatever the content, its size, the keys, the form, and how it
// comes in pieces, each recipient reads it as it was, and knows who signed it.
func FuzzSealAndRead(f *testing.F) {
	for i, size := range []int{0, 1, 13, 57, 2048, 32<<10 - 1, 32 << 10, 70_000} {
		f.Add([]byte("hello \x00\xff\r\n."), size, byte(i))
	}
	w := clientPeople()
	kinds := []smimetest.Kind{smimetest.RSA2048, smimetest.P256, smimetest.P384, smimetest.RSA3072}
	forms := []smime.Form{smime.Standard, smime.OAEP, smime.GCM, smime.Announced}
	signers := []string{signerRSA, signerPSS, signerP256, signerP384}
	sealers := sync.Map{} // they remember keys and keep buffers from one message to the next
	f.Fuzz(func(t *testing.T, seed []byte, size int, choice byte) {
		if size < 0 || size > 1<<20 || len(seed) == 0 {
			return
		}
		kind, form, signer := kinds[choice%4], forms[choice/4%4], signers[choice/16%4]
		plain := choice/64%2 == 1
		made, _ := sealers.LoadOrStore(choice%64, newSealer(t, smime.Config{
			Certificates: having(w.recipients[kind]), Trust: smimetest.Pool(w.root), Signer: w.signers[signer], Forms: []smime.FormRule{{For: dana, Form: form}},
		}))
		s, ok := made.(*smime.Sealer)
		if !ok {
			t.Fatal("another sealer")
		}
		content := bytes.Repeat(seed, size/len(seed)+1)[:size]
		body := base64Lines(content)
		entity := "Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
		j := job(t, s, entity, dana)
		j.Entity = func() (io.ReadCloser, error) {
			var r io.Reader = strings.NewReader(entity)
			if plain {
				r = iotest.HalfReader(struct{ io.Reader }{r})
			}
			return io.NopCloser(r), nil
		}
		message, sealed := seal(t, s, j)
		opened, err := newReader(t, smime.ReaderConfig{Keys: identities(w.recipients[kind]), Trust: smimetest.Pool(w.root)}).Read(t.Context(), bytes.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		head, got, _ := strings.Cut(string(opened.Entity), "\r\n\r\n")
		if back, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(got, "\r\n", "")); got != body || err != nil || !bytes.Equal(back, content) {
			t.Fatalf("%d bytes came back as %d, %v", len(content), len(back), err)
		}
		if !strings.Contains(head, "\r\nSubject: "+subject) || opened.Protected == nil || opened.Protected.Protection != crypt.Encrypted ||
			!opened.SignedBy(address(clinic)) || opened.Container != sealed.Evidence.Container || opened.Algorithms[0] != sealed.Evidence.Algorithms[0] {
			t.Fatalf("%v, %s", opened, head)
		}
		if i := choice % 97; int(i) < len(message)-200 { // an altered bit in what is encrypted is noticed
			altered := bytes.Clone(message)
			at := len(altered) - 100 - int(i)
			if altered[at] == 'A' {
				altered[at] = 'B'
			} else if altered[at] > ' ' {
				altered[at] = 'A'
			} else {
				return
			}
			if _, err := newReader(t, smime.ReaderConfig{Keys: identities(w.recipients[kind]), Trust: smimetest.Pool(w.root)}).Read(t.Context(), bytes.NewReader(altered)); err == nil {
				t.Fatal("an altered message is read")
			}
		}
	})
}
