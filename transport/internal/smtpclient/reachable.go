package smtpclient

import (
	"net/netip"
	"slices"
)

// notPublic are the blocks that no public server has, beside those that
// net/netip knows (the registries of special-purpose addresses, RFC 6890), and
// those that carry an IPv4 address of any kind.
var notPublic = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),   // RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"), // RFC 8215
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // RFC 3056
	netip.MustParsePrefix("fec0::/10"),
}

// Reachable reports whether a server that somebody else names may be connected
// to at a: a public address, or with private one of this machine or an inner
// network (CWE-918).
func Reachable(a netip.Addr, private bool) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return false
	}
	if private {
		return true
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() &&
		!slices.ContainsFunc(notPublic[:], func(p netip.Prefix) bool { return p.Contains(a) })
}

// Alternate puts addresses of IPv6 and IPv4 in turn, each kind in its order and
// IPv6 first: where one of them leads nowhere, the other has its chance before
// patience ends (RFC 8305 section 4).
func Alternate(addrs []netip.Addr) []netip.Addr {
	var six, four []netip.Addr
	for _, a := range addrs {
		if a.Unmap().Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	mixed := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(six), len(four)) {
		if i < len(six) {
			mixed = append(mixed, six[i])
		}
		if i < len(four) {
			mixed = append(mixed, four[i])
		}
	}
	return mixed
}
