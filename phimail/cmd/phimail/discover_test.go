package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crypto/sha256"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
	"github.com/phimail/sdk/crypt/smime/smimetest"
	"github.com/phimail/sdk/transport/transporttest"
)

func (s senders) PublicKeys(context.Context) ([]*pgp.PublicKey, error) { return s, nil }

// town is a desk whose recipients' domain has a web server and a zone.
type town struct {
	*desk

	dns *transporttest.DNSServer
	web *transporttest.PolicyServer
}

func newTown(t *testing.T, sources string) *town {
	t.Helper()
	w := &town{desk: newDesk(t)}
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	if w.dns, err = transporttest.NewDNSServer("patient.example. 60 IN A 127.0.0.1", "openpgpkey.patient.example. 60 IN A 127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if w.web, err = transporttest.NewPolicyServer(ca, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = w.dns.Close(), w.web.Close() })
	_, port, err := net.SplitHostPort(w.web.Addr())
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, "ca.pem", ca.PEM())
	w.edit(t, "keys: [recipients.asc], ", "")
	w.edit(t, "audit:", fmt.Sprintf("discover: {%s, pins: pins.jsonl, resolver: %q, ca_file: ca.pem, allow_private: true, port: %s}\naudit:", sources, w.dns.Addr(), port))
	return w
}

// offers puts a key into the directory.
func (w *town) offers(key []byte) {
	w.web.Set("openpgpkey.patient.example", transporttest.Document{Body: string(key), Type: "application/octet-stream"})
}

// publishes puts a key into the zone.
func (w *town) publishes(t *testing.T, key []byte) {
	t.Helper()
	sum := sha256.Sum256([]byte("dana"))
	name := hex.EncodeToString(sum[:28]) + "._openpgpkey.patient.example."
	w.dns.Remove(name)
	if err := w.dns.Add(fmt.Sprintf("%s 60 IN TYPE61 \\# %d %x", name, len(key), key)); err != nil {
		t.Fatal(err)
	}
}

func (w *town) pins(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, "pins.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

func TestAKeyOfTheDirectoryIsUsedAndPinned(t *testing.T) {
	t.Parallel()
	w := newTown(t, "wkd: true")
	first, second := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.P256, dana, pgptest.Options{})
	w.offers(first.Binary())
	plan := world{stdin: ask, env: w.env}.run(t, "plan", "-config", w.config, dana)
	plan.want(t, exitOK, "")
	if w.pins(t) != "" {
		t.Error("a plan pins")
	}
	r := w.send(t, dana)
	r.want(t, exitOK, "")
	if o := r.outcomes(t)[0]; o.Evidence.KeySource != "wkd" || o.Evidence.Fingerprints[0] != first.Fingerprint() || !strings.Contains(w.pins(t), first.Fingerprint()) {
		t.Errorf("%s, pins %s", r.stdout, w.pins(t))
	}
	if opened, err := w.open(t, w.delivered(t)[0], first); err != nil || !bytes.Contains(opened.Entity, []byte("midnight")) {
		t.Error(err)
	}
	w.offers(second.Binary())
	r = w.send(t, dana)
	r.want(t, exitRefused, "key-changed")
	if o := r.outcomes(t)[0]; o.Code != "key-changed" || o.Status != "refused" || len(w.delivered(t)) != 1 {
		t.Errorf("a changed key: %s", r.stdout)
	}
	log, err := os.ReadFile(filepath.Join(w.dir, "audit.jsonl"))
	want := fmt.Sprintf(`"fingerprints":[%q,%q]`, first.Fingerprint(), second.Fingerprint())
	if err != nil || !bytes.Contains(log, []byte(`"kind":"key"`)) || !bytes.Contains(log, []byte(want)) || !bytes.Contains(log, []byte(`"reason":"refused"`)) {
		t.Errorf("the log: %s", log)
	}
	world{}.run(t, "audit", "verify", filepath.Join(w.dir, "audit.jsonl")).want(t, exitOK, "")
	// Somebody has looked, and takes the pin away.
	w.put(t, "pins.jsonl", nil)
	w.send(t, dana).want(t, exitOK, "")
	if !strings.Contains(w.pins(t), second.Fingerprint()) || strings.Contains(w.pins(t), first.Fingerprint()) {
		t.Errorf("pins %s", w.pins(t))
	}
	w.offers(first.Binary())
	w.send(t, dana).want(t, exitRefused, "key-changed")
}

func TestWhatTheDirectoryMayNotOfferIsRefused(t *testing.T) {
	t.Parallel()
	key := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	const host = "openpgpkey.patient.example"
	for name, c := range map[string]struct {
		set  func(*testing.T, *town)
		code string
	}{
		"nothing": {func(*testing.T, *town) {}, "key-not-found"},
		"a redirect": {func(_ *testing.T, w *town) {
			w.web.Set(host, transporttest.Document{Location: "https://patient.example/key"})
		}, "key-source"},
		"too much": {func(_ *testing.T, w *town) {
			w.web.Set(host, transporttest.Document{Body: string(key.Binary()), Fill: 1 << 20})
		}, "key-source"},
		"armor":      {func(_ *testing.T, w *town) { w.offers(pgptest.Armored(key)) }, "key-malformed"},
		"of another": {func(_ *testing.T, w *town) { w.offers(pgptest.New(pgptest.P256, lee1, pgptest.Options{}).Binary()) }, "key-of-another-address"},
		"revoked": {func(_ *testing.T, w *town) {
			w.offers(pgptest.New(pgptest.P256, dana, pgptest.Options{Revoked: true}).Binary())
		}, "key-revoked"},
		"a failure": {func(_ *testing.T, w *town) { w.web.Set(host, transporttest.Document{Status: 500, Body: "x"}) }, "key-source"},
		"no word of DNS": {func(_ *testing.T, w *town) {
			w.dns.Fault(host+".", 1, transporttest.DNSServFail)
			w.dns.Fault(host+".", 28, transporttest.DNSServFail)
		}, "key-source"},
		"a private server": {func(t *testing.T, w *town) {
			w.offers(key.Binary())
			w.edit(t, "allow_private: true", "allow_private: false")
		}, "key-source"},
		"another authority": {func(t *testing.T, w *town) {
			w.offers(key.Binary())
			ca, err := transporttest.NewCA()
			if err != nil {
				t.Fatal(err)
			}
			w.put(t, "ca.pem", ca.PEM())
		}, "key-source"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, "wkd: true")
			c.set(t, w)
			r := w.send(t, dana)
			r.want(t, exitRefused, c.code)
			if o := r.outcomes(t)[0]; o.Code != c.code || len(w.delivered(t)) > 0 || w.pins(t) != "" {
				t.Errorf("%s, pins %s", r.stdout, w.pins(t))
			}
		})
	}
}

func TestAKeyOfTheZoneNeedsDNSSEC(t *testing.T) {
	t.Parallel()
	key := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	w := newTown(t, "openpgpkey: true")
	w.publishes(t, key.Binary())
	w.send(t, dana).want(t, exitRefused, "key-unproven")
	w.dns.Secure("patient.example")
	r := w.send(t, dana)
	r.want(t, exitOK, "")
	if o := r.outcomes(t)[0]; o.Evidence.KeySource != "openpgpkey" || len(w.delivered(t)) != 1 {
		t.Errorf("%s", r.stdout)
	}
	if w.web.Requests() != nil {
		t.Error("the directory was asked, which is off")
	}
}

func TestFilesComeBeforeWhatIsFound(t *testing.T) {
	t.Parallel()
	filed, offered := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.P256, dana, pgptest.Options{})
	w := newTown(t, "wkd: true")
	w.offers(offered.Binary())
	w.put(t, "recipients.asc", pgptest.Armored(filed))
	w.edit(t, "sign_key:", "keys: [recipients.asc], sign_key:")
	r := w.send(t, dana)
	r.want(t, exitOK, "")
	if o := r.outcomes(t)[0]; o.Evidence.KeySource != "file" || w.pins(t) != "" || len(w.web.Requests()) > 0 {
		t.Errorf("%s", r.stdout)
	}
}

func TestACertificateOfTheZoneIsUsedAndPinned(t *testing.T) {
	t.Parallel()
	w := newTown(t, "smimea: true")
	w.edit(t, "modes: [pgp]", "modes: [smime]")
	w.edit(t, "pgp: {sign_key: us.asc, passphrase_env: PGP_PASSPHRASE}\n", "")
	first, second := smimetest.NewAuthority().Issue(smimetest.P256, dana), smimetest.NewAuthority().Issue(smimetest.P256, dana)
	sum := sha256.Sum256([]byte("dana"))
	name := hex.EncodeToString(sum[:28]) + "._smimecert.patient.example."
	publish := func(id *smimetest.Identity) {
		t.Helper()
		w.dns.Remove(name)
		if err := w.dns.Add(fmt.Sprintf("%s 0 IN TYPE53 \\# %d 030000%x", name, len(id.Certificate.Raw)+3, id.Certificate.Raw)); err != nil {
			t.Fatal(err)
		}
	}
	publish(first)
	w.send(t, dana).want(t, exitRefused, "key-unproven")
	w.dns.Secure("patient.example")
	r := w.send(t, dana)
	r.want(t, exitOK, "")
	if o := r.outcomes(t)[0]; o.Evidence.KeySource != "smimea" || o.Mode != "smime" || !strings.Contains(w.pins(t), o.Evidence.Fingerprints[0]) {
		t.Errorf("%s, pins %s", r.stdout, w.pins(t))
	}
	publish(second)
	w.send(t, dana).want(t, exitRefused, "key-changed")
	// A file comes before, and needs an authority.
	w.put(t, "ours.pem", smimetest.PEM(first.Certificate))
	w.edit(t, "audit:", "smime: {certs: [ours.pem]}\naudit:")
	w.send(t, dana).want(t, exitRefused, "key-untrusted")
}
