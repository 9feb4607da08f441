package portal_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowdir"
	"github.com/phimail/sdk/crypt/escrow/portal"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// withStall is the same portal, less patient.
func (o *office) withStall(t testing.TB, stall time.Duration) *portal.Portal {
	t.Helper()
	gate, err := escrow.NewGate(escrow.GateConfig{Store: o.store, Record: o.record, NetworkAttempts: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	p, err := portal.New(portal.Config{Gate: gate, BaseURL: "https://mail.clinic.example/m", Stall: stall})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serveDirEnv makes a run of this test binary the serving process.
const serveDirEnv = "PHIMAIL_TEST_SERVE_DIR"

// TestServingProcess serves a store, and writes a dump of its heap when its
// standard input says so. It does nothing in a run of its own.
func TestServingProcess(t *testing.T) { //nolint:paralleltest // it is alone in its process
	dir := os.Getenv(serveDirEnv)
	if dir == "" {
		t.Skip("it is started by TestTheServerCanNotReadWhatItServes")
	}
	store, err := escrowdir.Open(escrowdir.Config{Dir: filepath.Join(dir, "escrow")})
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "request.log"))
	if err != nil {
		t.Fatal(err)
	}
	gate, err := escrow.NewGate(escrow.GateConfig{
		Store: store.Store(), Record: func(context.Context, ...escrow.Event) error { return nil }, NetworkAttempts: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := portal.New(portal.Config{Gate: gate, BaseURL: "http://127.0.0.1/m", Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // until it is closed
	}()
	say(t, "listening "+l.Addr().String())
	in := bufio.NewScanner(os.Stdin)
	_ = in.Scan() // whatever it says
	dump, err := os.Create(filepath.Join(dir, "heap"))
	if err != nil {
		t.Fatal(err)
	}
	debug.WriteHeapDump(dump.Fd()) // without a collection: garbage is in it too
	runtime.KeepAlive(server)
	if err := dump.Close(); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	<-served
	_ = store.Close()
	_ = log.Close()
	say(t, "dumped")
}

// say writes a line to whoever started this process.
func say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(os.Stdout, line+"\n"); err != nil {
		t.Error(err)
	}
}

// forms are how a text may lie in memory or in a file.
func forms(text string) map[string][]byte {
	all := map[string][]byte{"raw": []byte(text)}
	for skip := range 3 { // a window of the base64 that does not depend on what surrounds it
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, skip), text...))
		all[fmt.Sprint("base64 at ", skip)] = []byte(enc[4 : len(enc)-4])
	}
	var wide []byte
	for _, u := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	all["UTF-16"] = wide
	return all
}

func (o *office) fetch(t testing.TB, client *http.Client, base string, link escrow.Link, passcode string) string {
	t.Helper()
	post := func(action, body string) []byte {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/m/"+link.ID+"/"+action, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status, err)
		}
		return b
	}
	var c challenge
	unmarshal(t, post("ask", `{"access":"`+b64(link.Access())+`"}`), &c)
	body := `{"access":"` + b64(link.Access()) + `","token":"` + c.Token + `"}`
	return read(t, link, passcode, post("open", body))
}

// The messages have no passcode, so that the link's secret is all that the server
// lacks. With the store, the request log and the memory of the process that has served a
// hundred messages, and without a link, nothing of a message is found.
func TestTheServerCanNotReadWhatItServes(t *testing.T) {
	t.Parallel()
	const plain = "Ada Day, born 1815-12-10: the biopsy of the left lung was benign; results by portal"
	dir := t.TempDir()
	store := dirStore(t, filepath.Join(dir, "escrow"))
	text := "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat(plain+"\r\n", 50)
	o := newOffice(t, options{factor: escrow.LinkOnly, store: &store, entity: strings.NewReader(text), size: int64(len(text))})

	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe, "-test.run=^TestServingProcess$")
	child.Env = append(os.Environ(), serveDirEnv+"="+dir)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	addr, ok := strings.CutPrefix(lines.Text(), "listening ")
	if !ok {
		t.Fatalf("it says %q", lines.Text())
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	links := []escrow.Link{o.link}
	for i := range 100 {
		link, passcode := o.link, o.passcode
		if i > 0 {
			link, passcode = o.send(t, fmt.Sprint(i, "@x.example"), strings.NewReader(text), int64(len(text)))
			links = append(links, link)
		}
		if got := o.fetch(t, client, "http://"+addr, link, passcode); !strings.Contains(got, plain) {
			t.Fatal("the reader does not read it either")
		}
	}
	if _, err := io.WriteString(stdin, "dump\n"); err != nil {
		t.Fatal(err)
	}
	dumped := false
	for lines.Scan() {
		dumped = dumped || lines.Text() == "dumped"
	}
	if !dumped {
		t.Error("there is no dump")
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	searched := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		searched += len(b)
		for form, pattern := range forms(plain) {
			if bytes.Contains(b, pattern) {
				t.Errorf("%s holds the message, %s", filepath.Base(path), form)
			}
		}
		for _, l := range links {
			if bytes.Contains(b, l.Secret[:]) || bytes.Contains(b, []byte(b64(l.Secret[:]))) {
				t.Errorf("%s holds a link's secret", filepath.Base(path))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The search finds what is there: the ids in the dump, the text in its forms.
	heap, err := os.ReadFile(filepath.Join(dir, "heap"))
	if err != nil || !bytes.Contains(heap, []byte(links[99].ID)) || searched < 1<<20 {
		t.Errorf("the dump is none: %d bytes, %v", len(heap), err)
	}
	for form, pattern := range forms(plain) {
		if skip, ok := strings.CutPrefix(form, "base64 at "); ok {
			pad := strings.Repeat("x", int(skip[0]-'0'))
			if !strings.Contains(base64.StdEncoding.EncodeToString([]byte(pad+plain+"yy")), string(pattern)) {
				t.Errorf("%s would not be found", form)
			}
		}
	}
}
