package keyfind_test

import (
	"context"
	"encoding/hex"
	"errors"
	"net/mail"
	"sync"
	"testing"
	"time"

	"crypto/sha256"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt/keyfind"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dana = "dana@patient.example"

func address(a string) mail.Address { return mail.Address{Address: a} }

// record is what a name has.
type record struct {
	data   [][]byte
	secure bool
	until  time.Time
	err    error
}

// world answers for the DNS and the Web.
type world struct {
	mu    sync.Mutex
	names map[string]map[uint16]record
	pages map[string]page
	asked []string
	slow  chan struct{} // closed: answers may be given
}

type page struct {
	status int
	body   []byte
	err    error
}

func newWorld() *world {
	return &world{names: map[string]map[uint16]record{}, pages: map[string]page{}}
}

func (w *world) set(name string, rrtype uint16, r record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names[name] == nil {
		w.names[name] = map[uint16]record{}
	}
	w.names[name][rrtype] = r
}

func (w *world) Raw(ctx context.Context, name string, rrtype uint16) ([][]byte, bool, time.Time, error) {
	if w.slow != nil {
		select {
		case <-w.slow:
		case <-ctx.Done():
			return nil, false, time.Time{}, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, name)
	r := w.names[name][rrtype]
	return r.data, r.secure, r.until, r.err
}

func (w *world) Get(_ context.Context, url string, limit int64) (int, string, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, url)
	p, ok := w.pages[url]
	switch {
	case !ok:
		return 404, "", nil, nil
	case int64(len(p.body)) > limit:
		return 0, "", nil, errors.New("too large at " + url)
	}
	return p.status, "application/octet-stream", p.body, p.err
}

func (w *world) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

func newFinder(tb testing.TB, cfg keyfind.Config) *keyfind.Finder {
	tb.Helper()
	f, err := keyfind.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// nameOf is the name of a record of RFC 7929 or RFC 8162.
func nameOf(local, label, domain string) string {
	sum := sha256.Sum256([]byte(local))
	return hex.EncodeToString(sum[:28]) + "." + label + "." + domain
}

const (
	typeA, typeAAAA, typeSMIMEA, typeOPENPGPKEY = 1, 28, 53, 61
)
