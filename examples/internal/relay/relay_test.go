package relay_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/examples/internal/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const message = "From: a@clinic.example\r\nTo: b@example.org\r\nSubject: x\r\n\r\nHello\r\n"

func TestServerKeepsWhatItTakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, relay.Config{Dir: dir})
	client := login(t, server)
	submit(t, client, message)
	kept, err := os.ReadFile(filepath.Join(dir, "00001.eml"))
	if err != nil || string(kept) != message {
		t.Fatalf("got %q, %v", kept, err)
	}
	if got := server.Count(); got != (relay.Count{Messages: 1, Recipients: 1}) {
		t.Errorf("got %+v", got)
	}
}

func TestServerTakesNothingInClearOrFromStrangers(t *testing.T) {
	t.Parallel()
	server := start(t, relay.Config{})
	client, err := smtp.Dial(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Mail("a@clinic.example"); err == nil || !strings.HasPrefix(err.Error(), "530") {
		t.Fatalf("in clear: %v", err)
	}
	if err := client.StartTLS(&tls.Config{ServerName: relay.Name, RootCAs: server.Roots()}); err != nil {
		t.Fatal(err)
	}
	if err := client.Mail("a@clinic.example"); err == nil || !strings.HasPrefix(err.Error(), "530") {
		t.Fatalf("without AUTH: %v", err)
	}
	if err := client.Auth(smtp.PlainAuth("", relay.Username, "guess", "127.0.0.1")); err == nil {
		t.Fatal("a wrong password was taken")
	}
}

func TestServerCountsValidSignaturesOnly(t *testing.T) {
	t.Parallel()
	key, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := dkim.New(dkim.Config{Keys: dkim.StaticKeys(dkim.Key{Domain: "clinic.example", Selector: "s", Signer: key})})
	if err != nil {
		t.Fatal(err)
	}
	fields, _, err := signer.Sign(t.Context(), "clinic.example", opener(message))
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, relay.Config{Records: map[string]string{"s._domainkey.clinic.example": record}})
	client := login(t, server)
	for _, m := range []string{
		message,
		string(fields) + message,
		string(fields) + strings.Replace(message, "Hello", "Hallo", 1),
		strings.Replace(string(fields), "s=s;", "s=t;", 1) + message,
	} {
		submit(t, client, m)
	}
	if got := server.Count(); got != (relay.Count{Messages: 4, Recipients: 4, Signed: 1}) {
		t.Errorf("got %+v", got)
	}
}

func start(t *testing.T, cfg relay.Config) *relay.Server {
	t.Helper()
	server, err := relay.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func login(t *testing.T, server *relay.Server) *smtp.Client {
	t.Helper()
	client, err := smtp.Dial(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.StartTLS(&tls.Config{ServerName: relay.Name, RootCAs: server.Roots()}); err != nil {
		t.Fatal(err)
	}
	if err := client.Auth(smtp.PlainAuth("", relay.Username, server.Password(), "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	return client
}

func submit(t *testing.T, client *smtp.Client, m string) {
	t.Helper()
	if err := client.Mail("a@clinic.example"); err != nil {
		t.Fatal(err)
	}
	if err := client.Rcpt("b@example.org"); err != nil {
		t.Fatal(err)
	}
	w, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(m)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func opener(m string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(m))), nil }
}
