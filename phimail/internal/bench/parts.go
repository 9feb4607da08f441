package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-message/textproto"
	msgauth "github.com/emersion/go-msgauth/dkim"
	"github.com/wneessen/go-mail"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/phimail/internal/compose"
)

const htmlBody = "<p>See you on Tuesday. Please bring your insurance card.</p>\n"

var textBody = strings.Repeat("See you on Tuesday. Please bring your card.\n", 32)

// composeReminder builds the message that Send builds, and nothing else.
func composeReminder() ([]byte, error) {
	r, err := compose.NewRendering(&compose.Message{
		From: netmail.Address{Name: "Riverside Clinic", Address: sender}, To: []netmail.Address{{Address: recipient}},
		Subject: "Your visit", Date: time.Unix(1793611800, 0), MessageID: "1@clinic.example", Text: textBody, HTML: htmlBody,
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = r.WriteTo(&b)
	return b.Bytes(), err
}

// goMessageShare is what go-message does for the message of composeReminder:
// the header, the parts' headers and the boundaries.
func goMessageShare() error {
	var h textproto.Header
	for _, field := range []string{
		"MIME-Version: 1.0\r\n", "Date: Mon, 02 Nov 2026 09:30:00 +0000\r\n", "Message-ID: <1@clinic.example>\r\n",
		"Subject: Your visit\r\n", "To: <" + recipient + ">\r\n", "From: Riverside Clinic <" + sender + ">\r\n",
		"Content-Type: multipart/alternative; boundary=b\r\n",
	} {
		h.AddRaw([]byte(field))
	}
	if err := textproto.WriteHeader(io.Discard, h); err != nil {
		return err
	}
	w := textproto.NewMultipartWriter(io.Discard)
	if err := w.SetBoundary("=_QZ5OPKUYJTRVUMZ3VVDWRT2QSD"); err != nil {
		return err
	}
	for _, body := range []string{textBody, htmlBody} {
		var part textproto.Header
		part.AddRaw([]byte("Content-Transfer-Encoding: 7bit\r\n"))
		part.AddRaw([]byte("Content-Type: text/plain; charset=utf-8\r\n"))
		pw, err := w.CreatePart(part)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(pw, body); err != nil {
			return err
		}
	}
	return w.Close()
}

func goMailReminder() error {
	m := mail.NewMsg()
	if err := errors.Join(m.FromFormat("Riverside Clinic", sender), m.To(recipient)); err != nil {
		return err
	}
	m.Subject("Your visit")
	m.SetBodyString(mail.TypeTextPlain, textBody)
	m.AddAlternativeString(mail.TypeTextHTML, htmlBody)
	_, err := m.WriteTo(io.Discard)
	return err
}

// repeat is n units one after another.
func repeat(do func() error) func(int) error {
	return func(n int) error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

func benchMIME(w io.Writer, n int) error {
	contenders := []contender{
		{"compose", repeat(func() error { _, err := composeReminder(); return err })},
		{"go-mail", repeat(goMailReminder)},
	}
	costs, err := race(n, contenders...)
	if err != nil {
		return err
	}
	table(w, "Building a message of 2 KiB, text and HTML", "compose", costs, names(contenders))
	return nil
}

// newDKIM returns a signer of ours and the same key bare.
func newDKIM() (*dkim.Signer, *rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	signer, err := dkim.New(dkim.Config{Keys: dkim.StaticKeys(dkim.Key{Domain: "clinic.example", Selector: "s1", Signer: key})})
	return signer, key, err
}

func bareDKIM(key *rsa.PrivateKey, message []byte) error {
	return msgauth.Sign(io.Discard, bytes.NewReader(message), &msgauth.SignOptions{
		Domain: "clinic.example", Selector: "s1", Signer: key,
		HeaderCanonicalization: msgauth.CanonicalizationRelaxed, BodyCanonicalization: msgauth.CanonicalizationRelaxed,
	})
}

func rawSignature(key *rsa.PrivateKey, message []byte) error {
	head, body, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	bh := sha256.Sum256(body)
	hh := sha256.Sum256(append(slices.Clip(head), bh[:]...))
	_, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hh[:])
	return err
}

func benchDKIM(w io.Writer, n int) error {
	signer, key, err := newDKIM()
	if err != nil {
		return err
	}
	message, err := composeReminder()
	if err != nil {
		return err
	}
	n = max(n/4, 1)
	contenders := []contender{
		{"dkim", repeat(func() error { return sign(signer, message) })},
		{"bare go-msgauth", repeat(func() error { return bareDKIM(key, message) })},
		{"raw hash and signature", repeat(func() error { return rawSignature(key, message) })},
	}
	costs, err := race(n, contenders...)
	if err != nil {
		return err
	}
	table(w, "DKIM, one RSA-2048 key, 2 KiB", "raw hash and signature", costs, names(contenders))
	return nil
}
