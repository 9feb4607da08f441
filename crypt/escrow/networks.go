package escrow

import (
	"net/netip"
	"sync"
	"time"
)

// maxNetworks bounds how many networks are remembered. Above it the oldest hour
// is forgotten at once, which lets somebody with very many networks go on; the
// limit of each item holds all the same.
const maxNetworks = 100_000

// perProxy is how many networks a proxy on this machine counts as.
const perProxy = 50

// networks counts attempts by network, in this process, in the hour before.
type networks struct {
	limit int

	mu          sync.Mutex
	since       time.Time
	now, before map[netip.Prefix]int
}

func newNetworks(limit int) *networks {
	return &networks{limit: limit, now: map[netip.Prefix]int{}, before: map[netip.Prefix]int{}}
}

// take counts an attempt from addr and says whether it is within the limit: of
// the running half hour and the one before.
func (n *networks) take(addr netip.Addr, now time.Time) bool {
	p := networkOf(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	if age := now.Sub(n.since); age >= time.Hour || age < 0 {
		n.now, n.before, n.since = map[netip.Prefix]int{}, map[netip.Prefix]int{}, now
	} else if age >= time.Hour/2 || len(n.now) >= maxNetworks {
		n.now, n.before, n.since = map[netip.Prefix]int{}, n.now, now
	}
	limit := n.limit
	if addr.IsLoopback() { // a proxy that does not say for whom: all its readers
		limit *= perProxy
	}
	if n.now[p]+n.before[p] >= limit {
		return false
	}
	n.now[p]++
	return true
}

// networkOf is what stands for a reader in limits and records: the /24 of an IPv4
// address, the /48 of an IPv6 one.
func networkOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 24
	if addr.Is6() {
		bits = 48
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return p
}
