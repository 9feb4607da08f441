package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt/escrow"
)

const escrowBlock = `modes: [escrow]
escrow: {store: "escrow/", base_url: "http://127.0.0.1:8080/m", listen: "127.0.0.1:0", factor: passcode, link_key_file: link.key}
`

// pages is phimail portal as a process of its own.
type pages struct {
	cmd    *exec.Cmd
	url    string
	stderr bytes.Buffer
}

func (f *office) servePages(t *testing.T, env ...string) *pages {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &pages{cmd: exec.CommandContext(t.Context(), exe, "portal", "-config", f.config)}
	p.cmd.Env = append(append(os.Environ(), mainEnv+"=1"), env...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	var said struct {
		Listening string `json:"listening"`
	}
	if err := json.Unmarshal(lines.Bytes(), &said); err != nil || said.Listening == "" {
		_ = p.cmd.Wait()
		t.Fatalf("it said %q and %s", lines.Text(), p.stderr.String())
	}
	p.url = "http://" + said.Listening + "/m/"
	return p
}

// stop ends the process as an operator does.
func (p *pages) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the portal ended with %v: %s", err, p.stderr.String())
	}
}

func (p *pages) post(t *testing.T, link escrow.Link, action string, body map[string]string) (int, []byte) {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	body["access"] = b64(link.Access())
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+link.ID+"/"+action, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, out
}

// read is what a reader gets, and the status.
func (p *pages) read(t *testing.T, link escrow.Link, passcode string) (int, string) {
	t.Helper()
	status, b := p.post(t, link, "ask", map[string]string{})
	if status != http.StatusOK {
		return status, string(b)
	}
	var c struct {
		Factor     string `json:"factor"`
		Salt       string `json:"salt"`
		Token      string `json:"token"`
		Iterations int    `json:"iterations"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	body := map[string]string{"token": c.Token}
	if c.Factor == "passcode" {
		salt, err := base64.RawURLEncoding.DecodeString(c.Salt)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := link.Proof(&escrow.Challenge{Salt: salt, Iterations: c.Iterations}, passcode)
		if err != nil {
			t.Fatal(err)
		}
		body["proof"] = base64.RawURLEncoding.EncodeToString(proof)
	}
	status, b = p.post(t, link, "open", body)
	if status != http.StatusOK {
		return status, string(b)
	}
	plain, err := escrow.Open(bytes.NewReader(b[32:]), link.Secret, escrow.Share(b[:32]), passcode)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text)
}

// linkOf is the link of a notification that the relay took.
func linkOf(t *testing.T, raw []byte) escrow.Link {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(msg.Body, params["boundary"]).NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsSeq(string(text)) {
		if link, err := escrow.ParseLink(word); err == nil {
			return link
		}
	}
	t.Fatalf("no link in %s", text)
	return escrow.Link{}
}

// The whole of it as processes in FIPS mode: send, serve, read, lock, unlock,
// recall, and the log of it all.
func TestEscrowFromSendToRecall(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: escrowBlock + "require_fips: true\n"})
	fips := "GODEBUG=fips140=only"
	r := startIn(t, []string{fips}, plainMessage, "send", "-config", f.config, "-t", "-key", "k1", "-actor", "svc").wait(t)
	r.want(t, exitOK, "")
	got := r.receipt(t).Recipients[0]
	if got.Mode != "escrow" || got.EscrowID == "" || got.Passcode == "" || got.Evidence.Factor != "passcode" {
		t.Fatalf("receipt %s", r.stdout)
	}
	raw := f.relay.Messages()[0].Data
	if strings.Contains(string(raw), got.Passcode) || strings.Contains(string(raw), "Monday") || strings.Contains(string(raw), "appointment") {
		t.Errorf("the notification says too much:\n%s", raw)
	}
	link := linkOf(t, raw)
	if link.ID != got.EscrowID {
		t.Errorf("the link is of %s, the receipt of %s", link.ID, got.EscrowID)
	}
	f.wantNothingStored(t, "ana@example.org", "Ana", "appointment", "Monday", got.Passcode)
	p := f.servePages(t, fips)
	if status, text := p.read(t, link, got.Passcode); status != http.StatusOK || !strings.HasPrefix(text, "Date: ") || !strings.Contains(text, "Subject: Your appointment") || !strings.Contains(text, "Monday") {
		t.Errorf("read %d %q", status, text)
	}
	for range 5 {
		p.read(t, link, "WRONG-WRONG")
	}
	if status, text := p.read(t, link, got.Passcode); status != http.StatusLocked {
		t.Errorf("locked: %d %s", status, text)
	}
	world{}.run(t, "escrow", "unlock", "-config", f.config, "-actor", "dr-17", link.ID).want(t, exitOK, "")
	if status, text := p.read(t, link, got.Passcode); status != http.StatusOK {
		t.Errorf("unlocked: %d %s", status, text)
	}
	w := world{}.run(t, "escrow", "recall", "-config", f.config, "-actor", "dr-17", r.receipt(t).MessageID)
	w.want(t, exitOK, "")
	if !strings.Contains(w.stdout, `"escrow_ids":["`+link.ID+`"]`) {
		t.Errorf("recall wrote %s", w.stdout)
	}
	if status, text := p.read(t, link, got.Passcode); status != http.StatusGone || !strings.Contains(text, "recalled") {
		t.Errorf("recalled: %d %s", status, text)
	}
	p.stop(t)
	if s := p.stderr.String(); strings.Contains(s, base64.RawURLEncoding.EncodeToString(link.Secret[:])) || strings.Contains(s, got.Passcode) || !strings.Contains(s, `"route":"open"`) {
		t.Errorf("the request log is %s", s)
	}
	var seen []string
	for _, e := range of(f.events(t), audit.KindEscrow) {
		seen = append(seen, e.Status)
		if by := e.Status == "unlocked" || e.Status == "recalled"; by != (e.Actor == "dr-17") || e.EscrowID != link.ID || e.Tenant != "riverside" {
			t.Errorf("on record is %+v", e)
		}
	}
	want := "stored notified opened verified revealed opened denied opened denied opened denied opened denied opened denied locked denied " +
		"unlocked opened verified revealed recalled destroyed denied"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("on record is %s", got)
	}
	world{}.run(t, "audit", "verify", f.log()).want(t, exitOK, "")
	if left, err := os.ReadDir(filepath.Join(f.dir, "escrow", "shares")); err != nil || len(left) > 0 {
		t.Errorf("%d shares are left, %v", len(left), err)
	}
}

// wantNothingStored looks for texts in all that escrow keeps, and in its names.
func (f *office) wantNothingStored(t *testing.T, texts ...string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(f.dir, "escrow"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		n++
		b, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(b, []byte(text)) || strings.Contains(filepath.Base(path), text) {
				t.Errorf("%s holds %q", path, text)
			}
		}
		return err
	})
	if err != nil || n < 3 {
		t.Errorf("%d files, %v", n, err)
	}
}

func TestEscrowMistakes(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: escrowBlock})
	bare := newOffice(t, officeOptions{})
	unknown := strings.Repeat("0", 32)
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing to do":    {[]string{"escrow"}, exitUsage, "recall or unlock"},
		"something else":   {[]string{"escrow", "burn"}, exitUsage, "recall and unlock"},
		"no config":        {[]string{"escrow", "recall", "-actor", "a", unknown}, exitUsage, "-config is missing"},
		"no actor":         {[]string{"escrow", "recall", "-config", f.config, unknown}, exitUsage, "-actor is missing"},
		"a name for actor": {[]string{"escrow", "recall", "-config", f.config, "-actor", "Dr Who", unknown}, exitUsage, "identifiers"},
		"no item":          {[]string{"escrow", "unlock", "-config", f.config, "-actor", "a"}, exitUsage, "name one item"},
		"two items":        {[]string{"escrow", "unlock", "-config", f.config, "-actor", "a", unknown, unknown}, exitUsage, "name one item"},
		"unknown item":     {[]string{"escrow", "unlock", "-config", f.config, "-actor", "a", unknown}, exitData, "there is no such escrow item"},
		"no id":            {[]string{"escrow", "recall", "-config", f.config, "-actor", "a", "../../x"}, exitData, "there is no such escrow item"},
		"unknown message":  {[]string{"escrow", "recall", "-config", f.config, "-actor", "a", "x@clinic.example"}, exitData, "there is no such escrow item"},
		"no escrow block":  {[]string{"escrow", "recall", "-config", bare.config, "-actor", "a", unknown}, exitConfig, "escrow: missing"},
		"portal alone":     {[]string{"portal"}, exitUsage, "portal needs -config FILE"},
		"portal of none":   {[]string{"portal", "-config", bare.config}, exitConfig, "escrow: missing"},
		"portal and words": {[]string{"portal", "-config", f.config, "x"}, exitUsage, "no other words"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world{}.run(t, tt.args...).want(t, tt.code, tt.want)
		})
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: escrowBlock})
	taken := f.servePages(t)
	defer taken.stop(t)
	f.editConfig(t, "127.0.0.1:0", strings.TrimSuffix(strings.TrimPrefix(taken.url, "http://"), "/m/"))
	world{}.run(t, "portal", "-config", f.config).want(t, exitConfig, "escrow.listen: nothing can be served there")
}

// A plan touches neither the store nor the key, and says the factor and why.
func TestPlanningEscrowMakesNothing(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: escrowBlock})
	f.editConfig(t, "factor: passcode", "factor: none")
	r := world{stdin: plainMessage}.run(t, "plan", "-config", f.config, "-t")
	r.want(t, exitOK, "")
	got := r.receipt(t).Recipients[0]
	if got.Mode != "escrow" || got.Status != "planned" || got.Evidence.Factor != "none" || !strings.Contains(got.Reason, "attested") || got.Passcode != "" {
		t.Errorf("planned %s", r.stdout)
	}
	for _, name := range []string{"escrow", "link.key"} {
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			t.Errorf("planning made %s", name)
		}
	}
	f.editConfig(t, "enforces_tls", "rewrites_links: true\n    enforces_tls")
	world{stdin: plainMessage}.run(t, "send", "-config", f.config, "-t").want(t, exitConfig, "rewrites_links: a relay that rewrites links can't carry")
}

func TestDoctorLooksAtEscrow(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: escrowBlock})
	look := func(want string) {
		t.Helper()
		r := world{}.run(t, "doctor", "-config", f.config)
		if !strings.Contains(r.stdout, want) {
			t.Errorf("doctor says %s, want %s", r.stdout, want)
		}
	}
	look("escrow does not exist yet")
	if _, err := os.Stat(filepath.Join(f.dir, "escrow")); err == nil {
		t.Error("doctor made the store")
	}
	start(t, plainMessage, "send", "-config", f.config, "-t").wait(t).want(t, exitOK, "")
	look("holds 1 items, all readable")
	writeFile(t, filepath.Join(f.dir, "escrow", "items", strings.Repeat("a", 32)), "{}", 0o600)
	look("1 of 2 items can't be read")
	f.editConfig(t, "modes: [escrow]", "modes: [tls]")
	look("escrow is set up and not among modes")
}
