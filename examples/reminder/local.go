package main

import (
	"context"
	"net/mail"
	"os"
	"path/filepath"
	"time"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/examples/internal/relay"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
)

// local is a relay in this process and a directory for all that the run leaves.
type local struct {
	dir     string
	mailbox string
	keys    dkim.KeySource
	server  *relay.Server
}

const localDomain = "clinic.example"

func startLocal(ctx context.Context, dir string) (*local, error) {
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "phimail-reminder-")
	} else if err = os.MkdirAll(dir, 0o700); err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	l := &local{dir: dir, mailbox: filepath.Join(dir, "mailbox")}
	if err := os.MkdirAll(l.mailbox, 0o700); err != nil {
		return nil, err
	}
	records, err := l.makeKeys()
	if err != nil {
		return nil, err
	}
	l.server, err = relay.Start(ctx, relay.Config{Dir: l.mailbox, Records: records})
	return l, err
}

// makeKeys makes two DKIM keys for this run, and the records that would be
// published in DNS: RSA for everybody, Ed25519 for those who know it (RFC 8463).
func (l *local) makeKeys() (map[string]string, error) {
	records := make(map[string]string)
	var keys []dkim.Key
	for _, k := range []struct{ selector, algorithm string }{{"s1", dkim.RSA}, {"s2", dkim.Ed25519}} {
		signer, err := dkim.GenerateKey(k.algorithm)
		if err != nil {
			return nil, err
		}
		key := dkim.Key{Domain: localDomain, Selector: k.selector, Signer: signer}
		record, err := dkim.Record(signer.Public())
		if err != nil {
			return nil, err
		}
		records[key.RecordName()] = record
		keys = append(keys, key)
	}
	l.keys = dkim.StaticKeys(keys...)
	return records, nil
}

func (l *local) settings() (*settings, error) {
	s := &settings{
		from:   mail.Address{Name: "Riverside Clinic", Address: "no-reply@" + localDomain},
		tenant: "riverside",
		relay: smtp.Config{
			Addr: l.server.Addr(), ServerName: relay.Name, RootCAs: l.server.Roots(),
			Credentials: smtp.Password(relay.Username, l.server.Password()),
			// The relay in this process is the end of the line: it passes
			// nothing on, so that nothing goes on without TLS. Of a real relay
			// this needs its operator's word, in a document with a date.
			EnforcesTLS: &transport.Agreement{
				Party: "this process", Document: "examples/internal/relay passes nothing on", Signed: time.Now().Add(-time.Hour),
			},
		},
		assurance: policy.Attested,
		keys:      l.keys,
		auditFile: filepath.Join(l.dir, "audit.jsonl"),
		publicKey: filepath.Join(l.dir, "audit.jsonl.key.pub"),
	}
	var err error
	if s.hostSecret, err = readSecret(filepath.Join(l.dir, "host.key")); err != nil {
		return nil, err
	}
	if s.pseudonyms, err = readSecret(filepath.Join(l.dir, "audit.jsonl.hmac")); err != nil {
		return nil, err
	}
	s.checkpoint, err = readCheckpointKey(filepath.Join(l.dir, "audit.jsonl.key"))
	return s, err
}
