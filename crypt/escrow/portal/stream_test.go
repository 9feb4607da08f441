package portal_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowdir"
)

// endless yields a pattern of n bytes.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range n {
		p[i] = byte(i)
	}
	e.left -= int64(n)
	return n, nil
}

// nowhere is a connection whose reader takes everything.
type nowhere struct {
	header http.Header
	status int
	bytes  int64
}

func (n *nowhere) Header() http.Header { return n.header }
func (n *nowhere) WriteHeader(s int)   { n.status = s }
func (n *nowhere) Write(p []byte) (int, error) {
	n.bytes += int64(len(p))
	return len(p), nil
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func dirStore(t testing.TB, dir string) escrow.Store {
	t.Helper()
	d, err := escrowdir.Open(escrowdir.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d.Store()
}

// 25 MB go through the sealer and the handler in less than 8 MB, not of memory at
// a time but of all that was ever allocated. It runs alone, since it measures.
func TestLargeItemsStream(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	const size, most = 25_000_000, 8 << 20
	store := dirStore(t, filepath.Join(t.TempDir(), "escrow"))
	before := allocated()
	o := newOffice(t, options{store: &store, entity: &endless{size}, size: size})
	if used := allocated() - before; used > most {
		t.Errorf("sealing allocated %d bytes", used)
	}
	c := o.ask(t, o.link)
	body, err := json.Marshal(map[string]string{"access": b64(o.link.Access()), "token": c.Token, "proof": proof(t, o.link, c, o.passcode)})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/m/"+o.link.ID+"/open", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	w := &nowhere{header: http.Header{}}
	before = allocated()
	o.portal.ServeHTTP(w, r)
	if used := allocated() - before; used > most || w.status != http.StatusOK || w.bytes < size {
		t.Errorf("the handler allocated %d bytes for %d, status %d", used, w.bytes, w.status)
	}
}

// A reader who takes nothing is given up, and costs nobody else anything.
func TestASlowReaderIsGivenUp(t *testing.T) {
	t.Parallel()
	const size = 30 << 20 // above what a connection's buffers take
	o := newOffice(t, options{entity: &endless{size}, size: size})
	slow := o.withStall(t, 300*time.Millisecond)
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		slow.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/open") {
			close(done)
		}
	}))
	defer server.Close()
	c := o.ask(t, o.link)
	body, err := json.Marshal(map[string]string{"access": b64(o.link.Access()), "token": c.Token, "proof": proof(t, o.link, c, o.passcode)})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/m/"+o.link.ID+"/open", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(req)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	defer answer.Body.Close() // and takes nothing of it
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("the handler still waits")
	}
}

// BenchmarkThePageForManyReaders shows the page to 200 readers at once, beside a
// bare file server in the same run: x-file-server is the ratio of their p99.
func BenchmarkThePageForManyReaders(b *testing.B) {
	o := newOffice(b, options{})
	page := o.do(http.MethodGet, "/m/"+o.link.ID, "", nil).Body.Bytes()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.html"), page, 0o600); err != nil {
		b.Fatal(err)
	}
	ours, bare := httptest.NewServer(o.portal), httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer ours.Close()
	defer bare.Close()
	var page99, file99 time.Duration
	for b.Loop() {
		page99 += p99(b, ours.URL+"/m/"+o.link.ID)
		file99 += p99(b, bare.URL+"/page.html")
	}
	b.ReportMetric(float64(page99)/float64(file99), "x-file-server")
}

func TestThePageIsThereForManyReadersAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, options{})
	server := httptest.NewServer(o.portal)
	defer server.Close()
	p99(t, server.URL+"/m/"+o.link.ID)
}

// p99 of 200 readers who fetch ten times each.
func p99(t testing.TB, url string) time.Duration {
	t.Helper()
	const readers, times = 200, 10
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: readers}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, readers*times)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			for j := range times {
				start := time.Now()
				req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if err != nil || answer.StatusCode != http.StatusOK {
					t.Error(answer.Status, err)
				}
				took[i*times+j] = time.Since(start)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took[len(took)*99/100]
}

// The assets' names are of what they hold, so that they can be kept for ever.
func TestAssetsAreNamedAfterTheirContent(t *testing.T) {
	t.Parallel()
	o := newOffice(t, options{})
	page := o.do(http.MethodGet, "/m/"+o.link.ID, "", nil).Body.String()
	n := 0
	for part := range strings.SplitSeq(page, `"`) {
		if !strings.HasPrefix(part, "/m/assets/") {
			continue
		}
		n++
		w := o.do(http.MethodGet, part, "", nil)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Body.Len() == 0 {
			t.Errorf("%s: %d %v", part, w.Code, w.Header())
		}
		sum := sha256.Sum256(w.Body.Bytes())
		if want := hexOf(sum[:8]); !strings.Contains(part, want) {
			t.Errorf("%s is not named after its content, %s", part, want)
		}
	}
	if n < 4 {
		t.Errorf("%d assets", n)
	}
}
