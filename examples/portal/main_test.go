package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt/escrow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is what was printed, a piece at a time.
type screen struct {
	pieces chan string
}

func (s *screen) Write(p []byte) (int, error) {
	s.pieces <- string(p)
	return len(p), nil
}

// until reads what is printed up to a mark.
func (s *screen) until(t *testing.T, mark string) string {
	t.Helper()
	var all strings.Builder
	for piece := range s.pieces {
		all.WriteString(piece)
		if strings.Contains(all.String(), mark) {
			return all.String()
		}
	}
	t.Fatalf("ended without %q: %s", mark, all.String())
	return ""
}

func TestWhatIsPrintedOpensTheMessages(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &screen{make(chan string, 100)}
	var faults strings.Builder
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0"}, out, &faults)
		close(out.pieces)
	}()
	said := out.until(t, "Ctrl-C")
	found := regexp.MustCompile(`link +(\S+)\n +passcode +(\S+)\n`).FindAllStringSubmatch(said, -1)
	if len(found) != 3 {
		t.Fatalf("%d links in %s", len(found), said)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i, want := range []string{"everything is in the normal range", "bring your insurance card", "report.csv"} {
		plain := read(t, client, found[i][1], found[i][2])
		if !strings.Contains(plain, want) {
			t.Errorf("message %d lacks %q", i, want)
		}
	}
	stop()
	end := out.until(t, "unbroken")
	if code := <-done; code != 0 || faults.Len() > 0 {
		t.Errorf("ended with %d: %s", code, faults.String())
	}
	if strings.Count(end, "read 1 times") != 3 {
		t.Errorf("the report is %s", end)
	}
}

// read does what the page does.
func read(t *testing.T, client *http.Client, url, passcode string) string {
	t.Helper()
	link, err := escrow.ParseLink(url)
	if err != nil {
		t.Fatal(err)
	}
	page, _, _ := strings.Cut(url, "#")
	access := base64.RawURLEncoding.EncodeToString(link.Access())
	var c struct {
		Salt       string `json:"salt"`
		Iterations int    `json:"iterations"`
		Token      string `json:"token"`
	}
	if err := json.Unmarshal(post(t, client, page+"/ask", map[string]string{"access": access}), &c); err != nil {
		t.Fatal(err)
	}
	salt, err := base64.RawURLEncoding.DecodeString(c.Salt)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := link.Proof(&escrow.Challenge{Factor: escrow.Passcode, Salt: salt, Iterations: c.Iterations}, passcode)
	if err != nil {
		t.Fatal(err)
	}
	got := post(t, client, page+"/open", map[string]string{
		"access": access, "token": c.Token, "proof": base64.RawURLEncoding.EncodeToString(proof),
	})
	var share escrow.Share
	sealed := strings.NewReader(string(got[copy(share[:], got):]))
	plain, err := escrow.Open(sealed, link.Secret, share, passcode)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func post(t *testing.T, client *http.Client, url string, body map[string]string) []byte {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode, err)
	}
	return got
}

func TestWrongFlagsAndTakenPortsAreTold(t *testing.T) {
	t.Parallel()
	var faults strings.Builder
	if code := run(t.Context(), []string{"extra"}, io.Discard, &faults); code != 2 || !strings.Contains(faults.String(), "no arguments") {
		t.Errorf("%d: %s", code, faults.String())
	}
	faults.Reset()
	if code := run(t.Context(), []string{"-listen", "127.0.0.1:99999"}, io.Discard, &faults); code != 1 || !strings.Contains(faults.String(), "-listen") {
		t.Errorf("%d: %s", code, faults.String())
	}
}
