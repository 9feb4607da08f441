package smimetest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Expired makes a certificate that ended an hour ago.
func Expired(c *x509.Certificate) {
	c.NotBefore = time.Now().AddDate(0, 0, -1).Truncate(time.Second)
	c.NotAfter = c.NotBefore.Add(23 * time.Hour)
}

// NotYetValid makes a certificate that begins in an hour.
func NotYetValid(c *x509.Certificate) {
	c.NotBefore = time.Now().Add(time.Hour).Truncate(time.Second)
}

// NotForEmail makes a certificate for servers.
func NotForEmail(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }

// AnyPurpose makes a certificate that says nothing of its purpose.
func AnyPurpose(c *x509.Certificate) { c.ExtKeyUsage = nil }

// SignOnly makes a certificate whose key may not encrypt.
func SignOnly(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }

// EncryptOnly makes a certificate whose key may not sign.
func EncryptOnly(c *x509.Certificate) { c.KeyUsage &^= x509.KeyUsageDigitalSignature }

// SHA1 makes a certificate that its issuer, who needs an RSA key, signs with
// SHA-1.
func SHA1(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }

// Between sets both dates.
func Between(notBefore, notAfter time.Time) Edit {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = notBefore, notAfter }
}

// Mailboxes sets the subject's alternative names: addresses as rfc822Name, and
// international ones as SmtpUTF8Mailbox (RFC 9598 section 3).
func Mailboxes(rfc822 []string, international ...string) Edit {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range rfc822 {
			b.AddASN1(cbasn1.Tag(1).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(a)) })
		}
		for _, a := range international {
			b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9})
				b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a)) })
				})
			})
		}
	})
	value := b.BytesOrPanic()
	return func(c *x509.Certificate) {
		c.EmailAddresses = nil
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
	}
}
