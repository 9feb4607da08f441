package smime

import (
	"crypto/x509"
	"sync"
	"time"
)

// maxRemembered bounds what is remembered. With more recipients in turn than that
// all is forgotten, and those that are in use come back.
const maxRemembered = 1024

// memory remembers what follows from the same bytes, such as the certificates
// that they are. It is safe for concurrent use.
type memory[T any] struct {
	mu sync.Mutex
	m  map[string]T
}

func (m *memory[T]) get(key []byte) (value T, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok = m.m[string(key)]
	return value, ok
}

func (m *memory[T]) put(key []byte, value T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil || len(m.m) >= maxRemembered {
		m.m = map[string]T{}
	}
	m.m[string(key)] = value
}

// chainMemory remembers the ways from certificates to the anchors of a pool. A
// way that was verified stays one while its certificates are in date: what else
// counts, the signatures, constraints and purposes, are in their bytes. Whether
// one of them was revoked is asked each time.
type chainMemory struct {
	mu     sync.Mutex
	pool   *x509.CertPool
	chains *memory[[][]*x509.Certificate]
}

// of is the memory for a pool. Another pool than before makes it empty.
func (m *chainMemory) of(pool *x509.CertPool) *memory[[][]*x509.Certificate] {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chains == nil || m.pool != pool {
		m.pool, m.chains = pool, &memory[[][]*x509.Certificate]{}
	}
	return m.chains
}

func inDate(chain []*x509.Certificate, at time.Time) bool {
	for _, c := range chain {
		if checkDates(c, at) != "" {
			return false
		}
	}
	return true
}
