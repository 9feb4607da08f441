package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"net/mail"
	"os"
	"path/filepath"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowdir"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport/maildir"
)

//go:embed pages/logo.svg
var logo []byte

// clinic is a host application: a client that sends, and the store that the
// portal reads.
type clinic struct {
	log    string // the audit log's file
	base   string // the portal's URL
	inbox  string // where notifications arrive
	sink   *auditfile.Sink
	audit  *audit.Log
	store  *escrowdir.Directory
	client *phimail.Client
}

func newClinic(ctx context.Context, dir, base string) (c *clinic, err error) {
	c = &clinic{log: filepath.Join(dir, "audit.jsonl"), base: base, inbox: filepath.Join(dir, "inbox")}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(ctx))
		}
	}()
	if c.sink, err = auditfile.Open(auditfile.Config{Path: c.log}); err != nil {
		return c, err
	}
	if c.audit, err = audit.New(ctx, audit.Config{Sink: c.sink, Runs: c.sink, PseudonymKey: secret()}); err != nil {
		return c, err
	}
	if c.store, err = escrowdir.Open(escrowdir.Config{Dir: filepath.Join(dir, "escrow")}); err != nil {
		return c, err
	}
	sealer, err := escrow.New(escrow.Config{
		Store: c.store.Store(), BaseURL: base, LinkKey: secret(), Record: phimail.RecordEscrow(c.audit), Expires: 7 * 24 * time.Hour,
	})
	if err != nil {
		return c, err
	}
	if err := os.Mkdir(c.inbox, 0o700); err != nil {
		return c, err
	}
	mailbox, err := maildir.New(maildir.Config{Dir: c.inbox})
	if err != nil {
		return c, err
	}
	c.client, err = phimail.New(phimail.Config{
		From: mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"}, Tenant: "riverside",
		Sealers: []crypt.Sealer{sealer}, Transport: mailbox, Audit: c.audit, HostSecret: secret(),
	})
	return c, err
}

// secret is a key of this demonstration. A host keeps its keys in files or a
// vault, the link key where the portal can't read it.
func secret() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// close ends what was opened, in the other order.
func (c *clinic) close(ctx context.Context) error {
	var errs []error
	if c.client != nil {
		errs = append(errs, c.client.Close(ctx))
	}
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	if c.audit != nil {
		errs = append(errs, c.audit.Close(ctx))
	}
	if c.sink != nil {
		errs = append(errs, c.sink.Close())
	}
	c.client, c.store, c.audit, c.sink = nil, nil, nil, nil
	return errors.Join(errs...)
}

// parcel is a message that was sent.
type parcel struct {
	what     string
	id       string
	passcode string
}

// send sends the three messages.
func (c *clinic) send(ctx context.Context) ([]parcel, error) {
	var list []parcel
	for _, m := range messages() {
		receipt, err := c.client.Send(ctx, m.message)
		if err != nil {
			return list, err
		}
		o := receipt.Recipients[0]
		list = append(list, parcel{m.what, o.Evidence.Seal.EscrowID, o.Passcode})
	}
	return list, nil
}

type letter struct {
	what    string
	message *phimail.Message
}

func messages() []letter {
	ada := phimail.Recipient{Address: mail.Address{Name: "Ada Day", Address: "ada@example.org"}, Patient: "pat-1001", Ref: "portal-1001"}
	common := phimail.Message{
		To: []phimail.Recipient{ada}, Patients: []string{"pat-1001"}, Purpose: policy.Treatment, Actor: phimail.Actor{ID: "svc-results"},
	}
	text, html, file := common, common, common
	text.Subject = "Your test results"
	text.Text = "Hello Ada,\n\nyour blood test is back: everything is in the normal range.\nCall us with any question.\n\nDr. Lena Ortiz\n"
	html.Subject = "Your visit on March 9"
	html.Text = "Hello Ada, please bring your insurance card."
	html.HTML = `<h2>Your visit on March 9</h2><p>Hello Ada,</p><table cellpadding="6" border="1"><tr><th>When</th><td>9:40 AM</td></tr>` +
		`<tr><th>Where</th><td>Cardiology, 2nd floor</td></tr></table><p><img src="cid:logo@clinic.example" alt="Riverside Clinic" width="64"></p>`
	html.Attachments = []phimail.Attachment{{Name: "logo.png", ContentType: "image/png", ContentID: "logo@clinic.example", Open: opener(picture())}}
	file.Subject = "Your images"
	file.Text = "Hello Ada,\n\nthe report is attached.\n"
	file.Attachments = []phimail.Attachment{{Name: "report.csv", ContentType: "text/csv", Open: opener(report())}}
	return []letter{{"a text", &text}, {"HTML with a picture", &html}, {"a file of 10 MB", &file}}
}
