package pgp_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

var update = flag.Bool("update", false, "write CLIENTS.md instead of comparing with it")

const (
	tableFile = "CLIENTS.md"
	// minCells keeps rows and clients from getting lost.
	minCells = 120
)

// mailClient is another program that receives mail.
type mailClient interface {
	// name is that of its table column, with the version's first two numbers.
	name() string
	// known says whether it is of the version that cannot speaks of.
	known() bool
	// receive decrypts a whole message with a key, verifies the signature inside
	// and returns what was signed.
	receive(t *testing.T, m *sealedForm) ([]byte, error)
	// cannot says why it does not read a form, and is empty if it does.
	cannot(f clientForm) string
}

func mailClients() map[string]func(*testing.T, *clientWorld) mailClient {
	return map[string]func(*testing.T, *clientWorld) mailClient{
		"1 GnuPG": newGnuPG, "2 RNP": newRNP, "3 sq": newSq, "4 sqop": newSqop, "5 notmuch": newNotmuch, "6 OpenPGP.js": newOpenPGPJS,
	}
}

// TestClientsReadWhatWeSeal sends a message of every form to every client. What
// one can't read it must not read: then CLIENTS.md has to say that it can.
func TestClientsReadWhatWeSeal(t *testing.T) { //nolint:tparallel // the group is waited for
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	w := newClientWorld()
	forms := clientForms()
	messages := make([]*sealedForm, len(forms))
	for i, f := range forms {
		messages[i] = w.seal(t, f)
	}
	forgeries := w.forgeries(t)
	clients := mailClients()
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range clients {
			if !yield(n) {
				return
			}
		}
	})
	columns := make([]tableColumn, len(names))
	t.Run("clients", func(t *testing.T) {
		for i, n := range names {
			t.Run(n[2:], func(t *testing.T) {
				t.Parallel()
				c := clients[n](t, w)
				columns[i] = receiveAll(t, c, forms, messages)
				refusesForgeries(t, c, forgeries)
			})
		}
	})
	if !t.Failed() {
		compareTable(t, forms, columns)
	}
}

// tableColumn is what a client did with each form.
type tableColumn struct {
	client string
	known  bool
	cells  []string
}

func receiveAll(t *testing.T, c mailClient, forms []clientForm, messages []*sealedForm) tableColumn {
	t.Helper()
	column := tableColumn{client: c.name(), known: c.known()}
	for i, f := range forms {
		reason := c.cannot(f)
		column.cells = append(column.cells, reason)
		if reason != "" && !c.known() && !mustHavePeers() {
			continue // another version may have learned it
		}
		got, err := c.receive(t, messages[i])
		switch {
		case reason == "" && err != nil:
			t.Errorf("%s does not read %s: %v", c.name(), f, err)
		case reason == "" && !messages[i].is(got):
			t.Errorf("%s reads something else in %s: %d bytes", c.name(), f, len(got))
		case reason != "" && (err == nil || messages[i].is(got)):
			t.Errorf("%s has learned to read %s: take that out of its method cannot and run with -update", c.name(), f)
		}
	}
	return column
}

// refusesForgeries shows that receive verifies, of what is encrypted well.
func refusesForgeries(t *testing.T, c mailClient, forgeries map[string]*sealedForm) {
	t.Helper()
	for name, m := range forgeries {
		_, err := c.receive(t, m)
		if genuine := name == "genuine"; genuine != (err == nil) {
			t.Errorf("%s, %s: %v", c.name(), name, err)
		}
	}
}

// compareTable holds the table against the file, if all clients are here in
// the versions that it speaks of.
func compareTable(t *testing.T, forms []clientForm, columns []tableColumn) {
	t.Helper()
	for _, c := range columns {
		if !mustHavePeers() && !c.known {
			t.Skipf("the table is not compared: a client is missing or of another version: %q", c.client)
		}
	}
	if cells := len(forms) * len(columns); cells < minCells {
		t.Errorf("%d cells, fewer than %d", cells, minCells)
	}
	table := renderTable(forms, columns)
	if *update {
		if err := os.WriteFile(tableFile, table, 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(table, want) {
		t.Errorf("%s is not what the clients do; run with -update. It would be\n%s", tableFile, table)
	}
}

const tableHead = `# Which client reads what

A test writes this file: it seals a message of each form, and each client
decrypts it with its own key and verifies the signature inside; notmuch gets the
whole message, and must show the protected subject. RNP is Thunderbird's library,
OpenPGP.js Proton's. Content is always encrypted with AES-256: with a modification
detection code (SEIPD version 1), or in OCB mode (SEIPD version 2). Every message
has a protected subject that is not ASCII.

`

func renderTable(forms []clientForm, columns []tableColumn) []byte {
	var out bytes.Buffer
	out.WriteString(tableHead + "| recipient's key | sealed with | to | signed with | content |")
	for _, c := range columns {
		fmt.Fprintf(&out, " %s |", c.client)
	}
	out.WriteString("\n|" + strings.Repeat("---|", 5+len(columns)) + "\n")
	var notes []string
	for i, f := range forms {
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |", f.key, f.words(), f.audience(), f.signer, f.content)
		for _, c := range columns {
			why := c.cells[i]
			if why == "" {
				out.WriteString(" reads |")
				continue
			}
			note := c.client + " " + why
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
			fmt.Fprintf(&out, " no (%d) |", 1+slices.Index(notes, note))
		}
		out.WriteString("\n")
	}
	out.WriteString("\n")
	for i, note := range notes {
		fmt.Fprintf(&out, "%d. %s.\n", i+1, note)
	}
	return out.Bytes()
}

func mustHavePeers() bool { return os.Getenv("PHIMAIL_REAL_PEERS") == "1" }

// havePeer finds a program of a client. Without it the test is skipped, unless
// PHIMAIL_REAL_PEERS is 1.
func havePeer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case mustHavePeers():
		t.Fatalf("%s is not installed", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return path
}

// clientForm is one line of the table.
type clientForm struct {
	key     pgptest.Kind
	aead    bool
	others  []pgptest.Kind
	signer  pgptest.Kind
	content string
}

func (f clientForm) form() pgp.Form {
	if f.aead {
		return pgp.AEAD
	}
	return pgp.Standard
}

func (f clientForm) words() string {
	if f.aead {
		return "SEIPD 2"
	}
	return "SEIPD 1"
}

func (f clientForm) audience() string {
	if len(f.others) == 0 {
		return "one"
	}
	return "three"
}

func (f clientForm) String() string {
	return fmt.Sprintf("%s, %s, to %s, signed with %s, %s", f.key, f.words(), f.audience(), f.signer, f.content)
}

func (f clientForm) quantum() bool { return f.key == pgptest.V4MLKEM || f.key == pgptest.V6MLKEM }

// clientForms are the lines: every common key for one and for three, then kinds of
// content and of signatures, then what few read.
func clientForms() []clientForm {
	var forms []clientForm
	add := func(f clientForm) {
		if f.signer == "" {
			f.signer = pgptest.Curve25519
		}
		if f.content == "" {
			f.content = contentText
		}
		forms = append(forms, f)
	}
	common := []pgptest.Kind{pgptest.RSA3072, pgptest.Curve25519, pgptest.P256}
	for i, key := range common {
		add(clientForm{key: key})
		add(clientForm{key: key, others: []pgptest.Kind{common[(i+1)%3], common[(i+2)%3]}})
	}
	for _, key := range common {
		for _, content := range []string{contentHTML, contentLarge} {
			add(clientForm{key: key, content: content})
		}
	}
	add(clientForm{key: pgptest.RSA3072, others: []pgptest.Kind{pgptest.P256, pgptest.Curve25519}, content: contentLarge})
	for _, signer := range []pgptest.Kind{pgptest.RSA3072, pgptest.P256, pgptest.P384} {
		add(clientForm{key: pgptest.Curve25519, signer: signer})
	}
	add(clientForm{key: pgptest.V4MLKEM})
	add(clientForm{key: pgptest.P256, aead: true})
	add(clientForm{key: pgptest.V6, aead: true, signer: pgptest.V6})
	add(clientForm{key: pgptest.V6MLKEM, aead: true, signer: pgptest.V6})
	return forms
}
