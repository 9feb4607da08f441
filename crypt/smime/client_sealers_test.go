package smime_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// opensByAll reads what another program sealed, with the key of each recipient.
func (w *clientWorld) opensByAll(t *testing.T, name, message, entity string, to ...smimetest.Kind) {
	t.Helper()
	for _, kind := range to {
		r := newReader(t, smime.ReaderConfig{Keys: identities(w.recipients[kind]), Trust: smimetest.Pool(w.root)})
		opened, err := r.Read(t.Context(), strings.NewReader(message))
		if err != nil || !opened.SignedBy(address(clinic)) || string(opened.Entity) != entity {
			t.Errorf("%s, read by %s: %v, %v", name, kind, opened, err)
		}
	}
	stranger := newReader(t, smime.ReaderConfig{Keys: identities(w.company[smimetest.RSA3072]...), Trust: smimetest.Pool(w.root)})
	if _, err := stranger.Read(t.Context(), strings.NewReader(message)); err == nil {
		t.Errorf("%s: read by somebody else", name)
	}
}

// signedBy is an entity with the signature of another program, in the MIME of
// RFC 8551.
func signedBy(entity string, signature []byte, opaque bool, micalg string) []byte {
	if opaque {
		return []byte(carried("signed-data", signature))
	}
	return fmt.Appendf(nil, "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=%s; boundary=\"si=gned\"\r\n\r\n"+
		"--si=gned\r\n%s\r\n--si=gned\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"+
		"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--si=gned--\r\n", micalg, entity, base64Lines(signature))
}

func TestWeReadWhatBouncyCastleSealed(t *testing.T) {
	t.Parallel()
	w := clientPeople()
	c, ok := newBouncyCastleClient(t, w).(bouncyCastleClient)
	if !ok {
		t.Fatal("another client")
	}
	for kind, name := range map[smimetest.Kind]string{smimetest.RSA2048: "us-rsa.p12", smimetest.P256: "us-p256.p12", smimetest.P384: "us-p384.p12"} {
		c.write(t, name, smimetest.PKCS12(w.middle.Issue(kind, clinic), "p"))
	}
	three := []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.RSA4096}
	elliptic := []smimetest.Kind{smimetest.P256}
	for _, tt := range []struct {
		us, algorithm, micalg, content string
		opaque                         bool
		mode, transport                string
		to                             []smimetest.Kind
	}{
		{"us-rsa.p12", "SHA256withRSA", "sha-256", contentText, false, "CBC", "pkcs1", three[:1]},
		{"us-rsa.p12", "SHA512withRSA", "sha-512", contentHTML, true, "CBC", "oaep", three},
		{"us-rsa.p12", "SHA256withRSAandMGF1", "sha-256", contentText, true, "GCM", "oaep", three},
		{"us-rsa.p12", "SHA256withRSAandMGF1", "sha-256", contentHTML, false, "GCM", "pkcs1", three[:2]},
		{"us-p256.p12", "SHA256withECDSA", "sha-256", contentText, false, "CBC", "ecdh", elliptic},
		{"us-p384.p12", "SHA384withECDSA", "sha-384", contentHTML, true, "GCM", "ecdh", elliptic},
		{"us-p384.p12", "SHA512withECDSA", "sha-512", contentLarge, false, "GCM", "ecdh", []smimetest.Kind{smimetest.P384}},
		{"us-rsa.p12", "SHA384withRSA", "sha-384", contentLarge, true, "CBC", "pkcs1", three[1:]},
	} {
		name := fmt.Sprintf("%s, %s, %s, opaque %t, %s", tt.algorithm, tt.mode, tt.transport, tt.opaque, tt.content)
		entity := letterOf(tt.content)
		c.write(t, "entity", []byte(entity))
		form := "detached"
		if tt.opaque {
			form = "opaque"
		}
		if err := c.do("sign", "entity", tt.us, tt.algorithm, form, "signature"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		signature, err := c.fresh("signature")
		if err != nil {
			t.Fatal(err)
		}
		c.write(t, "inner", signedBy(entity, signature, tt.opaque, tt.micalg))
		words := []string{"encrypt", "inner", tt.mode, tt.transport, "message"}
		for _, kind := range tt.to {
			words = append(words, string(kind)+".pem")
		}
		if err := c.do(words...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		der, err := c.fresh("message")
		if err != nil {
			t.Fatal(err)
		}
		kind := "enveloped-data"
		if tt.mode == "GCM" {
			kind = "authEnveloped-data"
		}
		w.opensByAll(t, name, "Subject: hello\r\n"+carried(kind, der), entity, tt.to...)
	}
}

func TestWeReadWhatNSSSealed(t *testing.T) {
	t.Parallel()
	havePeer(t, "cmsutil")
	w := clientPeople()
	c := nssClient{newClientDesk(t, w)}
	db := "sql:" + c.dir
	c.must(t, "certutil", "-N", "-d", db, "--empty-password")
	c.must(t, "certutil", "-A", "-d", db, "-n", "root", "-t", "C,C,C", "-i", "root.pem")
	c.write(t, "us.p12", smimetest.PKCS12(w.middle.Issue(smimetest.RSA2048, clinic), "p"))
	c.must(t, "pk12util", "-i", "us.p12", "-d", db, "-W", "p", "-K", "")
	for _, tt := range []struct {
		hash, micalg, content string
		opaque                bool
		to                    []smimetest.Kind
	}{
		{"SHA256", "sha-256", contentText, false, []smimetest.Kind{smimetest.RSA2048}},
		{"SHA512", "sha-512", contentHTML, true, []smimetest.Kind{smimetest.RSA3072}},
		{"SHA384", "sha-384", contentLarge, false, []smimetest.Kind{smimetest.RSA4096}},
		{"SHA256", "sha-256", contentText, true, []smimetest.Kind{smimetest.RSA2048, smimetest.RSA4096}},
	} {
		name := fmt.Sprintf("%s, opaque %t, %s, to %v", tt.hash, tt.opaque, tt.content, tt.to)
		entity := letterOf(tt.content)
		c.write(t, "entity", []byte(entity))
		args := []string{"-S", "-d", db, "-N", clinic, "-H", tt.hash, "-G", "-P", "-i", "entity", "-o", "signature"}
		if !tt.opaque {
			args = append(args, "-T")
		}
		c.must(t, "cmsutil", args...)
		signature, err := c.fresh("signature")
		if err != nil {
			t.Fatal(err)
		}
		c.write(t, "inner", signedBy(entity, signature, tt.opaque, tt.micalg))
		var nicknames []string
		for _, kind := range tt.to {
			// All have one address, and it names recipients by the certificate.
			c.must(t, "certutil", "-A", "-d", db, "-n", string(kind), "-t", ",,", "-i", string(kind)+".pem")
			nicknames = append(nicknames, string(kind))
		}
		c.must(t, "cmsutil", "-E", "-d", db, "-r", strings.Join(nicknames, ","), "-i", "inner", "-o", "message")
		der, err := c.fresh("message")
		if err != nil {
			t.Fatal(err)
		}
		w.opensByAll(t, name, "Subject: hello\r\n"+carried("enveloped-data", der), entity, tt.to...)
	}
}
