package mx

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/mtasts"
)

// policyStore remembers policies, in files too if it has a directory: one a
// domain, so that processes that share the directory never undo each other's
// work. It keeps nothing that has ended.
type policyStore struct {
	dir string
	max int

	mu     sync.Mutex
	known  map[string]*held
	failed map[string]*failedFetch
}

func newPolicyStore(dir string, limit int) (*policyStore, error) {
	s := &policyStore{dir: dir, max: limit, known: map[string]*held{}, failed: map[string]*failedFetch{}}
	if dir == "" {
		return s, nil
	}
	const own = 0o700
	if err := os.MkdirAll(dir, own); err != nil {
		return nil, err
	}
	probe, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return nil, err
	}
	return s, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// get returns what holds at now, from memory or else from the file.
func (s *policyStore) get(domain string, now time.Time) *held {
	s.mu.Lock()
	h := s.known[domain]
	s.mu.Unlock()
	if h != nil && !h.ended(now) {
		return h
	}
	// Another process may have fetched it since.
	stored := s.read(domain)
	if stored == nil || stored.ended(now) {
		s.forget(domain, h)
		return nil
	}
	s.remember(domain, stored, now)
	return stored
}

// put keeps h, in place of what was there. One that ends at once is not kept
// (max_age 0).
func (s *policyStore) put(domain string, h *held, now time.Time) {
	s.mu.Lock()
	delete(s.failed, domain)
	old := s.known[domain]
	s.mu.Unlock()
	if h.ended(now) {
		s.forget(domain, old)
		return
	}
	s.remember(domain, h, now)
	s.write(domain, h)
}

func (s *policyStore) remember(domain string, h *held, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shrink(s.known, s.max, func(h *held) bool { return h.ended(now) })
	s.known[domain] = h
}

// forget drops h, unless another has taken its place.
func (s *policyStore) forget(domain string, h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[domain] != h {
		return
	}
	delete(s.known, domain)
	if s.dir != "" {
		_ = os.Remove(s.path(domain)) // what is left is refused when it is read
	}
}

// old returns domains whose policies were fetched before t, at most n.
func (s *policyStore) old(t time.Time, n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var domains []string
	for d, h := range s.known {
		if len(domains) < n && h.fetched.Before(t) {
			domains = append(domains, d)
		}
	}
	return domains
}

func (s *policyStore) pause(domain string, f *failedFetch, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shrink(s.failed, s.max, func(f *failedFetch) bool { return !now.Before(f.until) })
	s.failed[domain] = f
}

func (s *policyStore) paused(domain, id string, now time.Time) *transport.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.failed[domain]; f != nil && f.id == id && now.Before(f.until) {
		return f.err
	}
	return nil
}

// shrink makes room for one more: first those go that have ended, then any.
func shrink[T any](m map[string]T, limit int, ended func(T) bool) {
	if len(m) < limit {
		return
	}
	for k, v := range m {
		if ended(v) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) < limit {
			return
		}
		delete(m, k)
	}
}

// stored is the file of one policy.
type stored struct {
	Version int       `json:"version"`
	Domain  string    `json:"domain"`
	ID      string    `json:"id"`
	Fetched time.Time `json:"fetched"`
	Policy  string    `json:"policy"` // its text
}

const (
	storedVersion = 1
	// maxStored leaves room for the escapes of JSON.
	maxStored = 2*mtasts.MaxPolicy + 4<<10
)

// path names a file by a digest: names of files are seen by more people than
// their content.
func (s *policyStore) path(domain string) string {
	sum := sha256.Sum256([]byte(domain))
	return filepath.Join(s.dir, "sts-"+hex.EncodeToString(sum[:16])+".json")
}

func (s *policyStore) read(domain string) *held {
	if s.dir == "" {
		return nil
	}
	f, err := os.Open(s.path(domain))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxStored))
	if err != nil {
		return nil
	}
	return decode(data, domain)
}

// decode reads a file, which somebody may have altered: nil unless it is a
// policy for domain.
func decode(data []byte, domain string) *held {
	var st stored
	if json.Unmarshal(data, &st) != nil || st.Version != storedVersion || st.Domain != domain || !mtasts.ID(st.ID) {
		return nil
	}
	p, err := mtasts.Parse([]byte(st.Policy))
	if err != nil {
		return nil
	}
	return &held{id: st.ID, policy: p, fetched: st.Fetched}
}

// write replaces the file in one step. A failure costs a fetch after the next
// start, no more.
func (s *policyStore) write(domain string, h *held) {
	if s.dir == "" {
		return
	}
	data, err := json.Marshal(stored{storedVersion, domain, h.id, h.fetched.UTC(), string(h.policy.Text())})
	if err != nil {
		return
	}
	f, err := os.CreateTemp(s.dir, ".new-*") // 0600
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), s.path(domain))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}

// sweep removes files that nobody has asked for until long after their end.
func (s *policyStore) sweep(now time.Time) {
	if s.dir == "" {
		return
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > mtasts.MaxAge+refetchAfter {
			_ = os.Remove(filepath.Join(s.dir, e.Name()))
		}
	}
}
