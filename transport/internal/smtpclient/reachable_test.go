package smtpclient

import (
	"net/netip"
	"testing"
)

func TestReachable(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string][2]bool{ // in public, with private ones
		"8.8.8.8": {true, true}, "2606:4700::1": {true, true}, "::ffff:8.8.8.8": {true, true},
		"127.0.0.1": {false, true}, "::1": {false, true}, "::ffff:127.0.0.1": {false, true}, "127.9.9.9": {false, true},
		"10.1.2.3": {false, true}, "172.16.0.1": {false, true}, "192.168.0.1": {false, true}, "fd00::1": {false, true},
		"169.254.169.254": {false, true}, "fe80::1": {false, true}, "fe80::1%eth0": {false, true}, "100.64.0.1": {false, true},
		"0.1.2.3": {false, true}, "192.0.2.1": {false, true}, "198.18.0.1": {false, true}, "240.0.0.1": {false, true}, "255.255.255.255": {false, true},
		"64:ff9b::7f00:1": {false, true}, "2002:7f00:1::": {false, true}, "::7f00:1": {false, true}, "fec0::1": {false, true},
		"0.0.0.0": {false, false}, "::": {false, false}, "224.0.0.1": {false, false}, "ff02::1": {false, false},
	} {
		a := netip.MustParseAddr(addr)
		if got := [2]bool{Reachable(a, false), Reachable(a, true)}; got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	if Reachable(netip.Addr{}, true) {
		t.Error("no address is reachable")
	}
}
