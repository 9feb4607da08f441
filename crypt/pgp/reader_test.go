package pgp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

// carried is an OpenPGP message as PGP/MIME.
func carried(message string) string {
	return "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n" + message + "\r\n--b--\r\n"
}

func armoredMessage(tb testing.TB, packets []byte) string {
	tb.Helper()
	var out strings.Builder
	w, err := armor.Encode(&out, "PGP MESSAGE", nil)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = w.Write(packets)
	_ = w.Close()
	return out.String() + "\n"
}

// entityOf reads a test's key by the library itself.
func entityOf(tb testing.TB, k *pgptest.Key) *openpgp.Entity {
	tb.Helper()
	list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(k.Secret("")))
	if err != nil {
		tb.Fatal(err)
	}
	return list[0]
}

// other is a message that the bare library makes.
func other(tb testing.TB, entity string, to *pgptest.Key, signer *pgptest.Key, cfg *packet.Config) []byte {
	tb.Helper()
	var out bytes.Buffer
	p := &openpgp.EncryptParams{Config: cfg}
	if signer != nil {
		p.Signers = []*openpgp.Entity{entityOf(tb, signer)}
	}
	w, err := openpgp.EncryptWithParams(&out, []*openpgp.Entity{entityOf(tb, to)}, nil, p)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = io.WriteString(w, entity)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestOtherKindsOfMessagesAreRead(t *testing.T) {
	t.Parallel()
	k, us := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	r := readerOf(t, k, us)
	packets := other(t, text, k, us, nil)
	message := armoredMessage(t, packets)
	qp := strings.ReplaceAll(message, "=", "=3D")
	for name, in := range map[string]string{
		"LF alone":               strings.ReplaceAll(carried(message), "\r\n", "\n"),
		"quoted-printable":       strings.Replace(carried(qp), "octet-stream\r\n", "octet-stream\r\nContent-Transfer-Encoding: quoted-printable\r\n", 1),
		"base64":                 strings.Replace(carried(base64.StdEncoding.EncodeToString([]byte(message))), "octet-stream\r\n", "octet-stream\r\nContent-Transfer-Encoding: base64\r\n", 1),
		"compressed":             carried(armoredMessage(t, other(t, text, k, us, &packet.Config{DefaultCompressionAlgo: packet.CompressionZLIB}))),
		"a whole message":        "From: x@y.example\r\nSubject: ...\r\nMIME-Version: 1.0\r\n" + carried(message),
		"with words around it":   strings.Replace(carried(message), "\r\n--b", "\r\nThis is encrypted.\r\n--b", 1) + "bye",
		"a comment in the armor": strings.Replace(carried(message), "MESSAGE-----\n", "MESSAGE-----\nComment: x\n", 1),
	} {
		opened, err := r.Read(t.Context(), strings.NewReader(in))
		if err != nil || string(opened.Entity) != text || !opened.SignedBy(address(clinic)) {
			t.Errorf("%s: %v, %v", name, opened, err)
		}
	}
	if opened, err := readerOf(t, k).Read(t.Context(), strings.NewReader(carried(message))); err != nil || opened.SignedBy(address(clinic)) || opened.Signers[0].Fault != crypt.ErrUntrusted {
		t.Errorf("an unknown signer: %v, %v", opened, err)
	}
	if opened, err := r.Read(t.Context(), strings.NewReader(carried(armoredMessage(t, other(t, text, k, nil, nil))))); err != nil || len(opened.Signers) != 0 {
		t.Errorf("without a signature: %v, %v", opened, err)
	}
}

func TestHostileMessagesYieldNothing(t *testing.T) {
	t.Parallel()
	k, us := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{}), pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	r := newReader(t, pgp.ReaderConfig{Keys: pgp.PrivateKeys{k.Private()}, Senders: knowing(us), MaxBytes: 1 << 20})
	packets := other(t, text, k, us, nil)
	message := armoredMessage(t, packets)
	flipped := func(i int) string {
		b := bytes.Clone(packets)
		b[(len(b)+i)%len(b)] ^= 1
		return carried(armoredMessage(t, b))
	}
	aead := func(b []byte) string { // as LibrePGP's packet 20
		i := 2 + int(b[1]) // after the encrypted session key
		b = bytes.Clone(b)
		b[i] = 0xc0 | 20
		copy(b[i+2:], []byte{1, 9, 2, 16}) // version, AES-256, OCB, size of a chunk
		return carried(armoredMessage(t, b))
	}
	old := func(b []byte) string { // SED, without integrity
		i := 2 + int(b[1]) // after the encrypted session key
		b = bytes.Clone(b)
		b[i] = 0xc0 | 9
		return carried(armoredMessage(t, b))
	}
	late := time.Now().Add(-24 * time.Hour)
	bomb := other(t, strings.Repeat("x", 8<<20), k, us, &packet.Config{DefaultCompressionAlgo: packet.CompressionZLIB})
	for name, c := range map[string]struct {
		in   string
		want crypt.Reason
	}{
		"no message":           {"", crypt.ErrUnsigned},
		"text":                 {text, crypt.ErrUnsigned},
		"too large":            {strings.Repeat("x", 1<<20+1), crypt.ErrTooLarge},
		"a bomb":               {carried(armoredMessage(t, bomb)), ""},
		"the last byte":        {flipped(-1), crypt.ErrIntegrity},
		"a byte inside":        {flipped(-100), crypt.ErrIntegrity},
		"cut off":              {carried(armoredMessage(t, packets[:len(packets)-30])), crypt.ErrIntegrity},
		"packet 20":            {aead(packets), ""},
		"no integrity":         {old(packets), crypt.ErrAlgorithm},
		"for another":          {carried(armoredMessage(t, other(t, text, us, us, nil))), crypt.ErrRecipient},
		"a part beside it":     {strings.Replace(carried(message), "--b--", "--b\r\nContent-Type: text/html\r\n\r\n<img src=x\r\n--b--", 1), crypt.ErrMalformed},
		"the wrong order":      {strings.Replace(carried(message), "Version: 1", message, 1), ""},
		"another protocol":     {strings.Replace(carried(message), "application/pgp-encrypted\"", "application/x\"", 1), crypt.ErrMalformed},
		"another version":      {strings.Replace(carried(message), "Version: 1", "Version: 2", 1), crypt.ErrMalformed},
		"no armor":             {carried("x"), crypt.ErrMalformed},
		"a key in its place":   {carried(string(pgptest.Armored(k))), crypt.ErrMalformed},
		"only a signature":     {carried(armoredMessage(t, signedMessage(t, text, us))), crypt.ErrMalformed},
		"encrypted once more":  {carried(armoredMessage(t, other(t, carried(message), k, us, nil))), ""},
		"a signature too old":  {carried(armoredMessage(t, other(t, text, k, us, &packet.Config{Time: func() time.Time { return late.Add(23*time.Hour + 30*time.Minute) }}))), ""},
		"signed by a 1024 key": {carried(armoredMessage(t, other(t, text, k, pgptest.New(pgptest.RSA1024, dana, pgptest.Options{}), &packet.Config{MinRSABits: 1024}))), ""},
	} {
		opened, err := r.Read(t.Context(), strings.NewReader(c.in))
		switch {
		case c.want != "":
			if !errors.Is(err, c.want) || opened != nil {
				t.Errorf("%s: got %v, %v; want %s", name, opened, err, string(c.want))
			}
		case name == "encrypted once more" || name == "a signature too old" || name == "signed by a 1024 key":
			// It is read once, and what is inside stays as it is.
			if err != nil || name == "encrypted once more" && !strings.Contains(string(opened.Entity), "BEGIN PGP MESSAGE") {
				t.Errorf("%s: %v", name, err)
			}
		default:
			if err == nil || opened != nil {
				t.Errorf("%s is read", name)
			}
		}
	}
	if _, err := newReader(t, pgp.ReaderConfig{}).Read(t.Context(), strings.NewReader(carried(message))); !errors.Is(err, crypt.ErrRecipient) {
		t.Errorf("no keys: %v", err)
	}
	if _, err := r.Read(t.Context(), iotest.ErrReader(errors.New("dana"))); !errors.Is(err, crypt.ErrEntity) || strings.Contains(err.Error(), "dana") {
		t.Errorf("a reader that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx, strings.NewReader(text)); !errors.Is(err, crypt.ErrCanceled) {
		t.Errorf("canceled: %v", err)
	}
}

func signedMessage(t *testing.T, content string, by *pgptest.Key) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := openpgp.Sign(&out, []*openpgp.Entity{entityOf(t, by)}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// whole is the entity that a signature makes of the one it signs.
func whole(tb testing.TB, s *pgp.Signer, entity string) string {
	tb.Helper()
	sig, err := s.Sign(tb.Context(), letter(entity))
	if err != nil {
		tb.Fatal(err)
	}
	return string(sig.Before) + entity[sig.Skip:] + string(sig.After)
}

func TestWhatTravelsInClearIsSigned(t *testing.T) {
	t.Parallel()
	for kind, micalg := range map[pgptest.Kind]string{
		pgptest.RSA2048: "pgp-sha256", pgptest.Curve25519: "pgp-sha256", pgptest.P256: "pgp-sha256", pgptest.P384: "pgp-sha384",
	} {
		us := pgptest.New(kind, clinic, pgptest.Options{})
		s, err := pgp.NewSigner(pgp.SignerConfig{Keys: pgp.PrivateKeys{us.Private()}})
		if err != nil {
			t.Fatal(err)
		}
		message := whole(t, s, text)
		r := newReader(t, pgp.ReaderConfig{Senders: knowing(us)})
		opened, err := r.Read(t.Context(), strings.NewReader(message))
		if err != nil || !opened.SignedBy(address(clinic)) || opened.Container != "" || opened.Protected.Protection != crypt.SignedOnly ||
			opened.Protected.Fields[2].Value != subject || !strings.HasSuffix(string(opened.Entity), textBody) {
			t.Errorf("%s: %v, %v", kind, opened, err)
		}
		if !strings.Contains(message, "micalg="+micalg+";") || strings.Count(message, "\n") != strings.Count(message, "\r\n") {
			t.Errorf("%s: %s", kind, message[:200])
		}
		for name, in := range map[string]string{
			"a changed body":    strings.Replace(message, "midnight", "midday..", 1),
			"a changed subject": strings.Replace(message, "colonoscopy", "appointment", 1),
			"a changed end":     strings.Replace(message, "gr\u00fc\u00dfe!\r\n", "gr\u00fc\u00dfe!\r\n\r\n", 1),
		} {
			if _, err := r.Read(t.Context(), strings.NewReader(in)); !errors.Is(err, crypt.ErrSignature) {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
		if _, err := r.Read(t.Context(), strings.NewReader(strings.ReplaceAll(message, "\r\n", "\n"))); err != nil {
			t.Errorf("%s with LF: %v", kind, err)
		}
	}
}

func TestWhatCanNotBeSignedIsRefused(t *testing.T) {
	t.Parallel()
	us := pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	s, err := pgp.NewSigner(pgp.SignerConfig{Keys: pgp.PrivateKeys{us.Private()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context(), letter(textHead+"a\nb")); !errors.Is(err, crypt.ErrEntity) {
		t.Errorf("LF: %v", err)
	}
	j := letter(text)
	j.From = address(dana)
	if _, err := s.Sign(t.Context(), j); !errors.Is(err, crypt.ErrSigner) {
		t.Errorf("another sender: %v", err)
	}
	j = letter(text)
	j.Entity = nil
	if _, err := s.Sign(t.Context(), j); !errors.Is(err, crypt.ErrEntity) {
		t.Errorf("no entity: %v", err)
	}
}
