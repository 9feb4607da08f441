package smime_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

var update = flag.Bool("update", false, "write CLIENTS.md instead of comparing with it")

const (
	tableFile = "CLIENTS.md"
	// minCells keeps rows and clients from getting lost.
	minCells = 176
)

// mailClient is another program that receives mail.
type mailClient interface {
	// name is that of its table column, with the version's first two numbers.
	name() string
	// known says whether it is of the version that cannot speaks of.
	known() bool
	// receive decrypts a whole message with the key of a kind, verifies the
	// signature inside and returns what was signed.
	receive(t *testing.T, message []byte, whom smimetest.Kind) ([]byte, error)
	// cannot says why it does not read a form, and is zero if it does.
	cannot(f clientForm) inability
}

// inability is why a client does not read a form, and the words it says so by:
// any other error may be the test's own.
type inability struct {
	why, says string
}

func mailClients() []func(*testing.T, *clientWorld) mailClient {
	return []func(*testing.T, *clientWorld) mailClient{newOpenSSLClient, newGnuPGClient, newNSSClient, newBouncyCastleClient}
}

// TestClientsReadWhatWeSeal sends a message of every form to every client. What
// one can't read it must not read: then CLIENTS.md has to say that it can.
func TestClientsReadWhatWeSeal(t *testing.T) { //nolint:tparallel // the group is waited for
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	w := clientPeople()
	forms := clientForms()
	messages := make([]sealedForm, len(forms))
	for i, f := range forms {
		messages[i] = w.seal(t, f)
	}
	forgeries := w.forgeries(t)
	columns := make([]tableColumn, len(mailClients()))
	t.Run("clients", func(t *testing.T) {
		for i, start := range mailClients() {
			t.Run([]string{"OpenSSL", "GnuPG", "NSS", "BouncyCastle"}[i], func(t *testing.T) {
				t.Parallel()
				c := start(t, w)
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
	cells  []inability
}

func receiveAll(t *testing.T, c mailClient, forms []clientForm, messages []sealedForm) tableColumn {
	t.Helper()
	column := tableColumn{client: c.name(), known: c.known()}
	for i, f := range forms {
		reason := c.cannot(f)
		column.cells = append(column.cells, reason)
		if reason.why != "" && !c.known() && !mustHavePeers() {
			continue // another version may have learned it
		}
		got, err := c.receive(t, messages[i].message, f.key)
		switch {
		case reason.why == "" && err != nil:
			t.Errorf("%s does not read %s: %v", c.name(), f, err)
		case reason.why == "" && !messages[i].is(got):
			t.Errorf("%s reads something else in %s: %d bytes", c.name(), f, len(got))
		case reason.why != "" && (err == nil || len(got) > 0):
			t.Errorf("%s has learned to read %s: take that out of its method cannot and run with -update", c.name(), f)
		case reason.why != "" && !strings.Contains(err.Error(), reason.says):
			t.Errorf("%s does not read %s for another reason: %v", c.name(), f, err)
		}
	}
	return column
}

// refusesForgeries shows that receive verifies, of what is encrypted well.
func refusesForgeries(t *testing.T, c mailClient, forgeries map[string][]byte) {
	t.Helper()
	for name, message := range forgeries {
		_, err := c.receive(t, message, smimetest.RSA2048)
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
decrypts it with its own key and verifies the signature inside. Content is
always encrypted with AES-256, in CBC (EnvelopedData) or GCM
(AuthEnvelopedData). PKCS #1 v1.5 and OAEP (SHA-256) bring the key to RSA keys,
ECDH (RFC 5753) to elliptic ones. Every message has a protected subject that is
not ASCII.

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
			cell := c.cells[i]
			if cell.why == "" {
				out.WriteString(" reads |")
				continue
			}
			note := c.client + " " + cell.why
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
	key     smimetest.Kind
	form    smime.Form
	others  []smimetest.Kind
	signer  string
	content string
}

func (f clientForm) elliptic() bool { return strings.HasPrefix(string(f.key), "p-") }

// agrees says that ECDH is used for anybody.
func (f clientForm) agrees() bool {
	return f.elliptic() || slices.Contains(f.others, smimetest.P256) || slices.Contains(f.others, smimetest.P384)
}

// words are for people; a form says nothing of how elliptic keys agree.
func (f clientForm) words() string {
	content := "AES-256-CBC"
	if f.form == smime.GCM {
		content = "AES-256-GCM"
	}
	switch {
	case f.elliptic():
		return content + ", ECDH"
	case f.form == smime.Standard:
		return content + ", PKCS #1 v1.5"
	}
	return content + ", OAEP"
}

func (f clientForm) audience() string {
	switch {
	case len(f.others) == 0:
		return "one"
	case f.agrees() && !f.elliptic():
		return "three, some elliptic"
	}
	return "three"
}

func (f clientForm) String() string {
	return fmt.Sprintf("%s, %s, to %s, signed with %s, %s", f.key, f.words(), f.audience(), f.signer, f.content)
}

// clientForms are the lines: every key with every form for one and for three,
// then kinds of content, of signatures and of company for the main forms.
func clientForms() []clientForm {
	var forms []clientForm
	add := func(f clientForm) {
		if f.signer == "" {
			f.signer = signerRSA
		}
		if f.content == "" {
			f.content = contentText
		}
		forms = append(forms, f)
	}
	rsa := []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072}
	mixed := []smimetest.Kind{smimetest.P256, smimetest.RSA3072}
	for _, key := range []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.RSA4096, smimetest.P256, smimetest.P384} {
		for _, form := range []smime.Form{smime.Standard, smime.OAEP, smime.GCM} {
			if f := (clientForm{key: key, form: form}); f.elliptic() && form == smime.OAEP {
				continue // it would be Standard
			}
			add(clientForm{key: key, form: form})
			add(clientForm{key: key, form: form, others: rsa})
		}
	}
	for _, form := range []smime.Form{smime.Standard, smime.GCM} {
		add(clientForm{key: smimetest.RSA2048, form: form, others: mixed})
	}
	main := []clientForm{
		{key: smimetest.RSA2048, form: smime.Standard}, {key: smimetest.RSA2048, form: smime.GCM}, {key: smimetest.P256, form: smime.Standard},
		{key: smimetest.RSA2048, form: smime.OAEP}, {key: smimetest.RSA4096, form: smime.Standard, others: rsa}, {key: smimetest.P384, form: smime.GCM},
	}
	for _, f := range main {
		for _, f.content = range []string{contentHTML, contentLarge} {
			add(f)
		}
	}
	f := main[0]
	for _, f.signer = range []string{signerPSS, signerP256, signerP384} {
		add(f)
	}
	add(clientForm{key: smimetest.P384, form: smime.GCM, signer: signerP384})
	return forms
}
