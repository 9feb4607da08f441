package smime_test

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // GnuPG names certificates so
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestWeReadWhatGnuPGSealed(t *testing.T) {
	t.Parallel()
	w := clientPeople()
	us := w.middle.Issue(smimetest.RSA2048, clinic)
	c, ok := newGnuPGClient(t, w).(gnupgClient)
	if !ok {
		t.Fatal("another client")
	}
	c.write(t, "us.pem", smimetest.PEM(us.Certificate))
	c.write(t, "us.key", smimetest.KeyPEM(us.Key))
	c.write(t, "middle.pem", smimetest.PEM(w.middle.Certificate))
	c.must(t, "gpgsm", "--import", "middle.pem")
	if err := c.load(t, "us"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cipher, content string
		opaque          bool
		to              []smimetest.Kind
	}{
		{"AES256", contentText, false, []smimetest.Kind{smimetest.RSA2048}},
		{"AES256", contentHTML, true, []smimetest.Kind{smimetest.RSA3072}},
		{"AES128", contentText, true, []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.RSA4096}},
		{"AES256", contentLarge, false, []smimetest.Kind{smimetest.RSA4096, smimetest.RSA2048}},
	} {
		entity := letterOf(tt.content)
		c.write(t, "inner.eml", c.gnupgSigned(t, us, entity, tt.opaque))
		args := []string{"--cipher-algo", tt.cipher}
		for _, kind := range tt.to {
			args = append(args, "--recipient", gnupgName(w.recipients[kind]))
		}
		message := "From: " + clinic + "\r\nSubject: hello\r\n" + carried("enveloped-data", c.must(t, "gpgsm", append(args, "--encrypt", "inner.eml")...))
		w.opensByAll(t, fmt.Sprintf("%+v", tt), message, entity, tt.to...)
	}
}

func gnupgName(id *smimetest.Identity) string { return fmt.Sprintf("%X", sha1.Sum(id.Certificate.Raw)) } //nolint:gosec // as above

// gnupgSigned is an entity that gpgsm signed, in the MIME of RFC 8551.
func (c gnupgClient) gnupgSigned(t *testing.T, us *smimetest.Identity, entity string, opaque bool) []byte {
	t.Helper()
	c.write(t, "entity", []byte(entity))
	args := []string{"--local-user", gnupgName(us)}
	if opaque {
		return signedBy(entity, c.must(t, "gpgsm", append(args, "--sign", "entity")...), true, "")
	}
	signature := c.must(t, "gpgsm", append(args, "--digest-algo", "SHA256", "--detach-sign", "entity")...)
	return signedBy(entity, signature, false, "sha-256")
}

// carried is a CMS object as an entity.
func carried(kind string, der []byte) string {
	return "MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=" + kind + "; name=smime.p7m\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + base64Lines(der)
}

// secretWords are in every message of the matrix.
func secretWords() []string {
	return []string{"Gr\u00fc\u00dfe", "\u7d50\u679c", "Friday", "n\u00fcchtern", "bient\u00f4t", "\u91d1\u66dc\u65e5", "midnight"}
}

func TestNoWordIsInAWholeSealedMessage(t *testing.T) {
	t.Parallel()
	w := clientPeople()
	for _, f := range clientForms() {
		if f.content == contentLarge || strings.HasPrefix(string(f.key), "rsa-4") {
			continue // the same at more cost
		}
		message := w.seal(t, f).message
		der, err := unwrap(message)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]byte{message, bytes.ReplaceAll(message, []byte("\r\n"), nil), der} {
			if found := wordsIn(in); len(found) > 0 {
				t.Errorf("%s: it shows %q", f, found)
			}
		}
	}
}

// wordsIn looks for secret words: raw, in quoted-printable, in UTF-16 and in
// base64 at each offset.
func wordsIn(in []byte) []string {
	var found []string
	for _, word := range secretWords() {
		var quoted bytes.Buffer
		q := quotedprintable.NewWriter(&quoted)
		_, _ = q.Write([]byte(word))
		_ = q.Close()
		all := append(shapes(word), quoted.Bytes())
		if slices.ContainsFunc(all, func(s []byte) bool { return bytes.Contains(in, s) }) {
			found = append(found, word)
		}
	}
	return found
}

func TestAWordIsFoundInEachEncoding(t *testing.T) {
	t.Parallel()
	for _, word := range secretWords() {
		text := "see " + word + " there"
		var quoted bytes.Buffer
		q := quotedprintable.NewWriter(&quoted)
		_, _ = q.Write([]byte(text))
		_ = q.Close()
		var big, little []byte
		for _, u := range utf16.Encode([]rune(text)) {
			big, little = append(big, byte(u>>8), byte(u)), append(little, byte(u), byte(u>>8))
		}
		planted := map[string][]byte{"raw": []byte(text), "quoted-printable": quoted.Bytes(), "UTF-16BE": big, "UTF-16LE": little}
		for shift := range 3 {
			planted[fmt.Sprintf("base64 at %d", shift)] = []byte(base64.StdEncoding.EncodeToString([]byte(text[shift:])))
		}
		for name, in := range planted {
			if !slices.Contains(wordsIn(in), word) {
				t.Errorf("%q is not found in %s", word, name)
			}
		}
	}
}
