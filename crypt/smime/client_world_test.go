package smime_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

const (
	signerRSA  = "RSA-2048"
	signerPSS  = "RSA-2048, PSS"
	signerP256 = "P-256"
	signerP384 = "P-384"

	contentText  = "1 KiB of text"
	contentHTML  = "HTML with images"
	contentLarge = "10 MiB"

	kim = "kim@patient.example"
	// secretSubject is what only the protected header says.
	secretSubject = "Gr\u00fc\u00dfe: \u7d50\u679c \u2014 Friday"
)

// clientPeople are made once: RSA keys take their time.
var clientPeople = sync.OnceValue(newClientWorld)

// clientWorld has the authority and the keys of all. It is read-only.
type clientWorld struct {
	root, middle *smimetest.Authority
	recipients   map[smimetest.Kind]*smimetest.Identity
	// company are others who get a message too, with keys that no client has.
	company map[smimetest.Kind][]*smimetest.Identity
	signers map[string]smime.Identities
}

func newClientWorld() *clientWorld {
	w := &clientWorld{root: smimetest.NewAuthorityOf(smimetest.RSA2048), recipients: map[smimetest.Kind]*smimetest.Identity{}}
	w.middle = w.root.Intermediate()
	for _, kind := range []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.RSA4096, smimetest.P256, smimetest.P384} {
		w.recipients[kind] = w.middle.Issue(kind, dana)
	}
	w.company = map[smimetest.Kind][]*smimetest.Identity{}
	for _, kind := range []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.P256} {
		key := smimetest.NewKey(kind)
		w.company[kind] = []*smimetest.Identity{w.middle.IssueTo(key, lee), w.middle.IssueTo(key, kim)}
	}
	pss := identities(w.middle.Issue(smimetest.RSA2048, clinic))
	pss[0].PSS = true
	w.signers = map[string]smime.Identities{
		signerRSA: identities(w.middle.Issue(smimetest.RSA2048, clinic)), signerPSS: pss,
		signerP256: identities(w.middle.Issue(smimetest.P256, clinic)), signerP384: identities(w.middle.Issue(smimetest.P384, clinic)),
	}
	return w
}

// sealedForm is a whole message, and what a client must find in it.
type sealedForm struct {
	message []byte
	subject string
	body    []byte
}

// is says whether a client got the protected subject and the body, to the byte.
func (s sealedForm) is(got []byte) bool {
	head, body, _ := bytes.Cut(got, []byte("\r\n\r\n"))
	return bytes.Contains(head, []byte("\r\nSubject: "+s.subject)) && bytes.Equal(body, s.body)
}

func (w *clientWorld) seal(t *testing.T, f clientForm) sealedForm {
	t.Helper()
	certificates := []*smimetest.Identity{w.recipients[f.key]}
	to := []string{dana}
	for i, kind := range f.others {
		certificates = append(certificates, w.company[kind][i])
		to = append(to, []string{lee, kim}[i])
	}
	s := newSealer(t, smime.Config{
		Certificates: having(certificates...), Trust: smimetest.Pool(w.root), Signer: w.signers[f.signer],
		Forms: []smime.FormRule{{For: "patient.example", Form: f.form}},
	})
	entity := letterOf(f.content)
	j := job(t, s, entity, to...)
	encoded := mime.QEncoding.Encode("utf-8", secretSubject)
	for i := range j.Header {
		if j.Header[i].Name == "Subject" {
			j.Header[i].Value = encoded
		}
	}
	var message bytes.Buffer
	for _, field := range append(j.Outer, crypt.Field{Name: "To", Value: strings.Join(to, ", ")}) {
		message.WriteString(field.Name + ": " + field.Value + "\r\n")
	}
	out, _ := seal(t, s, j)
	message.Write(out)
	_, body, _ := strings.Cut(entity, "\r\n\r\n")
	return sealedForm{message.Bytes(), encoded, []byte(body)}
}

// forgeries are encrypted to the RSA-2048 key, and signed by a stranger or
// altered after signing. One is as it should be.
func (w *clientWorld) forgeries(t *testing.T) map[string][]byte {
	t.Helper()
	to := []cms.Recipient{{Certificate: w.recipients[smimetest.RSA2048].Certificate, Transport: cms.PKCS1v15}}
	sealed := func(signer smime.Identities, old, altered string) []byte {
		signing, err := smime.NewSigner(smime.SignerConfig{Keys: signer})
		if err != nil {
			t.Fatal(err)
		}
		signature, err := signing.Sign(t.Context(), letter(text))
		if err != nil {
			t.Fatal(err)
		}
		signed := strings.Replace(string(signature.Before)+text[signature.Skip:]+string(signature.After), old, altered, 1)
		var out bytes.Buffer
		if err := new(cms.Encrypter).Encrypt(&out, strings.NewReader(signed), int64(len(signed)), to, cms.AES256CBC); err != nil {
			t.Fatal(err)
		}
		return []byte(carried("enveloped-data", out.Bytes()))
	}
	stranger := smimetest.NewAuthority().Issue(smimetest.P256, clinic)
	return map[string][]byte{
		"genuine":  sealed(w.signers[signerRSA], "", ""),
		"altered":  sealed(w.signers[signerRSA], "midnight", "midday.."),
		"stranger": sealed(identities(stranger), "", ""),
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
	text := base64.StdEncoding.EncodeToString(data)
	var out strings.Builder
	for line := range slices.Chunk([]byte(text), 76) {
		out.Write(line)
		out.WriteString("\r\n")
	}
	return out.String()
}

// unwrap returns the CMS object of a message, for programs that know no MIME.
func unwrap(message []byte) ([]byte, error) {
	m, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	if m.Header.Get("Content-Transfer-Encoding") != "base64" {
		return nil, errors.New("it is not base64")
	}
	return io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
}

// signedParts takes a multipart/signed apart, as RFC 8551 section 3.5.3 says.
func signedParts(entity []byte) (content, signature []byte, err error) {
	m, err := mail.ReadMessage(bytes.NewReader(entity))
	if err != nil {
		return nil, nil, err
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/signed" {
		return nil, nil, errors.Join(errors.New("it is not multipart/signed"), err)
	}
	parts := bytes.Split(append([]byte("\r\n"), entity...), []byte("\r\n--"+parameters["boundary"]))
	if len(parts) != 4 {
		return nil, nil, errors.New("it has not two parts")
	}
	signature, err = unwrap(bytes.TrimPrefix(parts[2], []byte("\r\n")))
	return bytes.TrimPrefix(parts[1], []byte("\r\n")), signature, err
}
