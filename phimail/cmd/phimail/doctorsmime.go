package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
)

// has reports whether a mode is acceptable. All are where none is named.
func (c *config) has(mode string) bool {
	return len(c.modes) == 0 || slices.ContainsFunc(c.modes, func(m value[string]) bool { return m.v == mode })
}

// keyFile is the file with our private key.
func (m *smimeConfig) keyFile() value[string] {
	if m.signKey.v != "" {
		return m.signKey
	}
	return m.signCert
}

// smime looks at the block as a message would.
func (e *examination) smime(ctx context.Context, c *config) {
	const name = "smime"
	switch {
	case c.smime.line == 0 && len(c.modes) > 0 && c.has(name) && !c.discover.smimea.v:
		e.note(name, checkWarn, "smime is among modes, and there is no smime block: nothing can be sent by it", "set it up, or take it out of modes")
		return
	case c.smime.line == 0:
		return
	case c.signsOnly():
		e.signsClear(ctx, c)
		return
	case !c.has(name):
		e.note(name, checkWarn, "smime is set up and not among modes: nothing is sent by it", "add it to modes, or remove the block")
	}
	parts, err := e.app.smimeParts(c) //nolint:contextcheck // small files are read at once, without a context
	if err != nil {
		walk(err, func(err error) {
			e.note(faultName(name, err), checkFail, err.Error(), "correct the file, or the path to it")
		})
		return
	}
	// Without our own key: that is a check of its own.
	found, err := e.app.discovery(c) // addresses of the files are found there, so that nobody is asked
	if err != nil {
		return // discover says so
	}
	sealer, err := parts.sealer(e.app, c, false, found)
	if err != nil {
		walk(err, func(err error) { e.note(faultName(name, err), checkFail, err.Error(), "correct the configuration") })
		return
	}
	if parts.anchors != nil {
		e.anchors(ctx, parts.anchors)
	}
	if parts.revocation != nil {
		e.revocation(ctx, parts.revocation)
	}
	if parts.certificates != nil {
		e.recipients(ctx, c, parts.certificates, sealer)
	}
	e.identity(ctx, c, parts.identities)
}

// signsClear looks at a block that is there for sign_clear alone.
func (e *examination) signsClear(ctx context.Context, c *config) {
	files, err := e.app.identityFiles(c) //nolint:contextcheck // small files are read at once, without a context
	if err != nil {
		walk(err, func(err error) {
			e.note(faultName("smime", err), checkFail, err.Error(), "correct the file, or the path to it")
		})
		return
	}
	e.identity(ctx, c, files)
}

// faultName keeps the names of several faults apart.
func faultName(name string, err error) string {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.key
	}
	return name
}

func (e *examination) anchors(ctx context.Context, files *smime.AnchorFiles) {
	const name = "smime.trust"
	anchors, err := files.Certificates(ctx)
	if err != nil || len(anchors) == 0 {
		e.note(name, checkFail, "the files that trust names hold no certificate, so every recipient's is refused", "put the authorities' certificates there")
		return
	}
	first := slices.MinFunc(anchors, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
	detail := fmt.Sprintf("%d trust anchors; the first to end does so on %s", len(anchors), first.UTC().Format(time.DateOnly))
	e.ending(name, detail, first, "put the authority's new certificate beside the old one")
}

// ending notes a date that is past, near or far.
func (e *examination) ending(name, detail string, end time.Time, remedy string) {
	switch left := end.Sub(e.app.now()); {
	case left < 0:
		e.note(name, checkFail, detail+", which is past", remedy)
	case left < soon:
		e.note(name, checkWarn, detail+", in "+strconv.Itoa(int(left/(24*time.Hour)))+" days", remedy)
	default:
		e.note(name, checkOK, detail, "")
	}
}

// revocation wants every list to be current: without that no certificate of its
// issuer may be used.
func (e *examination) revocation(ctx context.Context, files *smime.RevocationFiles) {
	const name, remedy = "smime.crls", "fetch the authority's newest list, and do so regularly"
	ends, err := files.NextUpdates(ctx)
	if err != nil || len(ends) == 0 {
		e.note(name, checkFail, "there is no revocation list in the files that crls names, so every certificate is refused", remedy)
		return
	}
	past := 0
	for _, end := range ends {
		if end.Before(e.app.now()) {
			past++
		}
	}
	if past > 0 {
		e.note(name, checkFail, fmt.Sprintf("of %d issuers' lists %d are no longer current, so their certificates are refused", len(ends), past), remedy)
		return
	}
	e.note(name, checkOK, fmt.Sprintf("the lists of %d issuers are current, the first until %s", len(ends), ends[0].UTC().Format(time.RFC3339)), "")
}

// recipients counts for whom a message could be sealed now, and why not for the
// others. It names nobody.
func (e *examination) recipients(ctx context.Context, c *config, files *smime.CertificateFiles, sealer *smime.Sealer) {
	const name, remedy = "smime.certs", "ask the recipients for new certificates; phimail plan says what is wrong for a message's recipients"
	addresses, err := files.Addresses(ctx)
	if err != nil || len(addresses) == 0 {
		e.note(name, checkWarn, "there is no recipient's certificate, so nothing can be sent by smime", "put recipients' certificates where certs says")
		return
	}
	detail, good := e.keysFor(ctx, c, sealer, addresses, "a certificate")
	if !good {
		e.note(name, checkWarn, detail, remedy)
		return
	}
	e.note(name, checkOK, detail, "")
}

// identity signs something as each sender.
func (e *examination) identity(ctx context.Context, c *config, files *smime.IdentityFiles) {
	const name = "smime.sign_cert"
	if files == nil {
		e.note(name, checkWarn, `nothing is signed inside, and the record says "none": recipients can't tell who wrote it, nor whether AES-CBC was altered`,
			"get a certificate for the From address and set sign_cert and sign_key")
		return
	}
	signer, err := smime.NewSigner(smime.SignerConfig{Keys: files, Clock: e.app.now})
	if err != nil {
		e.note(name, checkFail, err.Error(), "correct the configuration")
		return
	}
	senders := []mail.Address{fromAddress(c)}
	for _, s := range c.senders {
		if a, err := mail.ParseAddress(s.v); err == nil {
			senders = append(senders, *a)
		}
	}
	for i, from := range senders {
		if signs(ctx, signer, from) {
			continue
		}
		const remedy = "get a certificate for the address that is in date and may sign e-mail"
		if i == 0 {
			e.note(name, checkFail, "the certificate and its key can't sign for the From address now, so every message that they should is refused", remedy)
		} else {
			e.note(name, checkWarn, fmt.Sprintf("the certificate can't sign for senders[%d], whose messages that it should sign are refused", i-1), remedy)
		}
		return
	}
	list, err := files.Identities(ctx)
	if err != nil || len(list) == 0 {
		e.note(name, checkFail, "the files could not be read again", "try again")
		return
	}
	// The newest that may sign does; others in the file are there to read, or old.
	id := slices.MaxFunc(list, func(a, b smime.Identity) int {
		return cmp.Or(cmp.Compare(maySign(a.Certificate), maySign(b.Certificate)), a.Certificate.NotBefore.Compare(b.Certificate.NotBefore))
	})
	end := id.Certificate.NotAfter
	e.ending(name, fmt.Sprintf("signs for all senders, sends %d authorities along, and ends on %s", len(id.Chain), end.UTC().Format(time.DateOnly)),
		end, "renew the certificate")
}

// maySign is zero for a certificate that is not to sign with.
func maySign(c *x509.Certificate) int {
	if c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return 0
	}
	return 1
}

func signs(ctx context.Context, signer crypt.Signer, from mail.Address) bool {
	const entity = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\ncheck\r\n"
	_, err := signer.Sign(ctx, &crypt.Job{
		From:   from,
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(entity)), nil },
		Size:   int64(len(entity)),
	})
	return err == nil
}
