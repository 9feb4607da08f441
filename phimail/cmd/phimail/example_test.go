package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/phimail/sdk/transport/transporttest"
)

// A message goes to a relay, and the receipt says what became of it.
func Example() {
	dir, err := os.MkdirTemp("", "phimail")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ca, err := transporttest.NewCA()
	if err != nil {
		fmt.Println(err)
		return
	}
	relay, err := transporttest.NewServer(ca)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = relay.Close() }()
	config := filepath.Join(dir, "phimail.yaml")
	for name, content := range map[string]string{
		"ca.pem": string(ca.PEM()),
		"phimail.yaml": `
from: "Riverside Clinic <no-reply@clinic.example>"
transport:
  smtp:
    addr: ` + relay.Addr() + `
    server_name: ` + transporttest.Host + `
    ca_file: ca.pem
    enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}
tls_assurance: attested
audit: {file: audit.jsonl}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			fmt.Println(err)
			return
		}
	}

	var stdout bytes.Buffer
	phimail := &app{
		stdin:  strings.NewReader("To: ana@example.org\nSubject: Your appointment\n\nSee you on Monday.\n"),
		stdout: &stdout, stderr: os.Stdout, getenv: os.Getenv, now: time.Now, signals: untilSignal,
	}
	code := phimail.run(context.Background(), []string{"send", "-config", config, "-t", "-purpose", "treatment"})

	var receipt receiptJSON
	if err := json.Unmarshal(stdout.Bytes(), &receipt); err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range receipt.Recipients {
		fmt.Println(r.Address, r.Status, r.Mode, r.Assurance, r.Evidence.TLSPeer)
	}
	fmt.Println("exit code", code)
	// Output:
	// ana@example.org accepted tls attested mx.relay.example
	// exit code 0
}
