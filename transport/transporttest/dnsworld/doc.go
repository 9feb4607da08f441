// Package dnsworld runs a small world of DNS for tests: a private root zone and
// the zones below it, signed by Knot DNS as it signs in the field, and Unbound as
// the validating resolver that trusts this root and nothing else. Everything is
// on loopback addresses of the world's own and on high ports, so that worlds of
// tests that run side by side don't meet. The machine's own resolver is neither
// asked nor touched.
//
// It needs Debian's knot and unbound. Where they are missing,
// [Start] skips the test, or fails it if the environment says
// PHIMAIL_REAL_PEERS=1.
//
//	w := dnsworld.New(t)
//	w.Run(t, dnsworld.Options{Zones: []dnsworld.Zone{
//		{Name: "good.example", Records: []string{"@ MX 10 mx", "mx A " + w.IP(1)}},
//	}})
//	// ... ask w.Resolver ...
//
// What can be told of a zone: signed with a chain to the root, unsigned (a proof
// that there is no chain), bogus (the parent vouches for another key) and down
// (its server answers SERVFAIL). A zone may lie within another, so that a single
// name fails: a bogus "_tcp.mx1.good.example" makes only the TLSA look-ups of that
// host fail.
//
// Standards: RFC 1035 for zone files, RFC 4033 to 4035 for DNSSEC.
package dnsworld
