package pgp_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

const (
	contentText  = "1 KiB of text"
	contentHTML  = "HTML with images"
	contentLarge = "10 MiB"

	// secretSubject is what only the protected header says.
	secretSubject = "Gr\u00fc\u00dfe: \u7d50\u679c \u2014 Friday"
)

// clientWorld has the keys of all. It is read-only.
type clientWorld struct {
	recipients map[string]*pgptest.Key // by kind and form
	// company are others who get a message too, with keys that no client has.
	company map[pgptest.Kind][]*pgptest.Key
	signers map[pgptest.Kind]*pgptest.Key
	// stranger has the sender's address too.
	stranger *pgptest.Key
}

func newClientWorld() *clientWorld {
	w := &clientWorld{recipients: map[string]*pgptest.Key{}, company: map[pgptest.Kind][]*pgptest.Key{}, signers: map[pgptest.Kind]*pgptest.Key{}}
	for _, f := range clientForms() {
		if w.recipients[f.owner()] == nil {
			w.recipients[f.owner()] = pgptest.New(f.key, dana, pgptest.Options{AEAD: f.aead})
		}
		if w.signers[f.signer] == nil {
			w.signers[f.signer] = pgptest.New(f.signer, clinic, pgptest.Options{})
		}
		for _, kind := range f.others {
			if w.company[kind] == nil {
				w.company[kind] = []*pgptest.Key{pgptest.New(kind, lee, pgptest.Options{}), pgptest.New(kind, kim, pgptest.Options{})}
			}
		}
	}
	w.stranger = pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	return w
}

func (f clientForm) owner() string { return string(f.key) + f.words() }

// sealedForm is a whole message, and what a client must find in it.
type sealedForm struct {
	message     []byte
	subject     string
	body        []byte
	key, signer *pgptest.Key
}

// is says whether a client got the protected subject and the body, to the byte.
func (s *sealedForm) is(got []byte) bool {
	head, body, _ := bytes.Cut(got, []byte("\r\n\r\n"))
	return bytes.Contains(head, []byte("\r\nSubject: "+s.subject)) && bytes.Equal(body, s.body)
}

// armor is the OpenPGP message, for programs that know no MIME.
func (s *sealedForm) armor() []byte {
	start := bytes.Index(s.message, []byte("-----BEGIN PGP MESSAGE"))
	end := bytes.Index(s.message, []byte("-----END PGP MESSAGE-----"))
	return append(bytes.Clone(s.message[start:end]), "-----END PGP MESSAGE-----\r\n"...)
}

func (w *clientWorld) seal(t *testing.T, f clientForm) *sealedForm {
	t.Helper()
	keys := []*pgptest.Key{w.recipients[f.owner()]}
	to := []string{dana}
	for i, kind := range f.others {
		keys = append(keys, w.company[kind][i])
		to = append(to, []string{lee, kim}[i])
	}
	s := newSealer(t, pgp.Config{
		Keys: having(keys...), Signer: pgp.PrivateKeys{w.signers[f.signer].Private()},
		Forms: []pgp.FormRule{{For: "patient.example", Form: f.form()}},
	})
	entity := letterOf(f.content)
	encoded := mime.QEncoding.Encode("utf-8", secretSubject)
	j := job(t, s, entity, to...)
	for i := range j.Header {
		if j.Header[i].Name == "Subject" {
			j.Header[i].Value = encoded
		}
	}
	var message bytes.Buffer
	for _, field := range append(slices.Clone(j.Outer), crypt.Field{Name: "To", Value: strings.Join(to, ", ")}, crypt.Field{Name: "Message-ID", Value: "<1@clinic.example>"}) {
		message.WriteString(field.Name + ": " + field.Value + "\r\n")
	}
	out, _ := seal(t, s, j)
	message.Write(out)
	_, body, _ := strings.Cut(entity, "\r\n\r\n")
	return &sealedForm{message.Bytes(), encoded, []byte(body), keys[0], w.signers[f.signer]}
}

// forgeries are encrypted well, and not signed, signed by a stranger or altered.
// One is as it should be.
func (w *clientWorld) forgeries(t *testing.T) map[string]*sealedForm {
	t.Helper()
	f := clientForms()[0]
	genuine := w.seal(t, f)
	key := w.recipients[f.owner()]
	by := func(signer pgp.SignerSource) *sealedForm {
		s := newSealer(t, pgp.Config{Keys: having(key), Signer: signer})
		out, _ := seal(t, s, job(t, s, text, dana))
		head, _, _ := bytes.Cut(genuine.message, []byte("MIME-Version"))
		return &sealedForm{append(bytes.Clone(head), out...), genuine.subject, nil, key, genuine.signer}
	}
	altered := *genuine
	lines := bytes.Split(bytes.Clone(genuine.message), []byte("\r\n"))
	middle := lines[len(lines)/2]
	copy(middle, map[bool]string{true: "BBBB", false: "AAAA"}[bytes.HasPrefix(middle, []byte("AAAA"))])
	altered.message = bytes.Join(lines, []byte("\r\n"))
	return map[string]*sealedForm{
		"genuine": genuine, "altered": &altered, "not signed": by(nil), "stranger": by(pgp.PrivateKeys{w.stranger.Private()}),
	}
}

func letterOf(content string) string {
	const plain = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	const line = "Bitte n\u00fcchtern kommen, \u00e0 bient\u00f4t \u2014 \u91d1\u66dc\u65e5\u306b\u4f1a\u3044\u307e\u3057\u3087\u3046. Don't eat after midnight.\r\n"
	image := base64Lines([]byte("\x89PNG\r\n\x1a\n" + strings.Repeat("image of a scan \x00\xff", 100)))
	switch content {
	case contentHTML:
		return "MIME-Version: 1.0\r\nContent-Type: multipart/related; type=\"text/html\"; boundary=\"re=lated\"\r\n\r\n" +
			"--re=lated\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>" + line + "<img src=\"cid:a@x\"><img src=\"cid:b@x\">\r\n" +
			"--re=lated\r\nContent-Type: image/png\r\nContent-ID: <a@x>\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n" + image +
			"--re=lated\r\nContent-Type: image/png\r\nContent-ID: <b@x>\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n" + image +
			"--re=lated--\r\n"
	case contentLarge:
		file := base64Lines(bytes.Repeat([]byte("a scan of 10 MiB"), 10<<20/16*3/4))
		return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"mi=xed\"\r\n\r\n--mi=xed\r\n" + plain + line +
			"--mi=xed\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + file + "--mi=xed--\r\n"
	}
	body := strings.Repeat(line, 1024/len(line))
	return "MIME-Version: 1.0\r\n" + plain + body + strings.Repeat(".", 1022-len(body)) + "\r\n"
}

func base64Lines(data []byte) string {
	encoded := base64.StdEncoding.EncodeToString(data)
	var out strings.Builder
	for line := range slices.Chunk([]byte(encoded), 76) {
		out.Write(line)
		_, _ = io.WriteString(&out, "\r\n")
	}
	return out.String()
}
