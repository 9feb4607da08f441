package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/transport/transporttest"
)

// office is a directory with a configuration, and the relay that it names.
type office struct {
	dir, config string
	relay       *transporttest.Server
	ca          *transporttest.CA
	dkimRecord  string
}

// officeOptions change what newOffice sets up.
type officeOptions struct {
	scripts []transporttest.Script
	// relay is added to the smtp block, more to the end of the file.
	relay, more string
	// certificate makes the relay show this kind of certificate.
	certificate transporttest.Kind
	// addr replaces the address of the relay.
	addr string
}

func newOffice(t *testing.T, o officeOptions) *office {
	t.Helper()
	f := &office{dir: t.TempDir()}
	var err error
	if f.ca, err = transporttest.NewCA(); err != nil {
		t.Fatal(err)
	}
	if o.certificate != "" {
		cert, err := f.ca.Issue(o.certificate, transporttest.Host)
		if err != nil {
			t.Fatal(err)
		}
		o.scripts = []transporttest.Script{{TLS: transporttest.TLS{Certificate: &cert}}}
	}
	if f.relay, err = transporttest.NewServer(f.ca, o.scripts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.relay.Close(); err != nil {
			t.Error(err)
		}
	})
	if o.addr == "" {
		o.addr = f.relay.Addr()
	}
	writeFile(t, filepath.Join(f.dir, "ca.pem"), string(f.ca.PEM()), 0o644)
	f.makeDKIM(t)
	f.config = filepath.Join(f.dir, "phimail.yaml")
	writeFile(t, f.config, fmt.Sprintf(officeConfig, o.addr, transporttest.Host, o.relay, o.more), 0o600)
	return f
}

const officeConfig = `from: "Riverside Clinic <no-reply@clinic.example>"
senders: [billing@clinic.example]
tenant: riverside
host_secret_file: host.key
transport:
  smtp:
    addr: %q
    server_name: %s
    ca_file: ca.pem
    timeout: 5s
    enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}
%s
tls_assurance: attested
dkim: [{domain: clinic.example, selector: s1, key_file: dkim.pem}]
audit: {file: audit.jsonl, pseudonym_key_file: audit.hmac, checkpoint_key_file: audit.key}
%s
`

func (f *office) makeDKIM(t *testing.T) {
	t.Helper()
	key, err := dkim.GenerateKey(dkim.Ed25519) // quick to make
	if err != nil {
		t.Fatal(err)
	}
	data, err := dkim.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if f.dkimRecord, err = dkim.Record(key.Public()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(f.dir, "dkim.pem"), string(data), 0o600)
}

func (f *office) log() string { return filepath.Join(f.dir, "audit.jsonl") }

// events reads the log, which must be whole.
func (f *office) events(t *testing.T) []audit.Event {
	t.Helper()
	return f.eventsFrom(t, 1)
}

// eventsFrom verifies all of the log, and returns it from record number seq on.
func (f *office) eventsFrom(t *testing.T, seq uint64) []audit.Event {
	t.Helper()
	reader, err := auditfile.OpenReader(f.log())
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(t.Context(), reader, audit.VerifyOptions{})
	if err != nil || report.FindingCount > 0 {
		t.Fatalf("the chain does not verify: %v, findings %v", err, report.Findings)
	}
	var events []audit.Event
	for rec, err := range reader.Scan(t.Context(), seq) {
		if err != nil {
			t.Fatal(err)
		}
		_, _, event, err := audit.DecodeBody(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	return events
}

// of returns the events of a kind.
func of(events []audit.Event, kind audit.Kind) []audit.Event {
	var out []audit.Event
	for _, e := range events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// everything returns the bytes of all files of the log.
func (f *office) everything(t *testing.T) []byte {
	t.Helper()
	var all bytes.Buffer
	paths, err := filepath.Glob(f.log() + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if data, err := os.ReadFile(p); err == nil {
			all.Write(data)
		}
	}
	return all.Bytes()
}

// receipt reads what send and plan print.
func (r result) receipt(t *testing.T) receiptJSON {
	t.Helper()
	var out receiptJSON
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("standard output is no receipt: %v: %q; standard error %q", err, r.stdout, r.stderr)
	}
	return out
}

// statuses are those of the receipt, by address.
func (r receiptJSON) statuses() map[string]string {
	m := map[string]string{}
	for _, x := range r.Recipients {
		m[x.Address] = x.Status
	}
	return m
}

const plainMessage = "From: Riverside Clinic <no-reply@clinic.example>\n" +
	"To: Ana <ana@example.org>\n" +
	"Subject: Your appointment\n" +
	"\n" +
	"See you on Monday.\n"
