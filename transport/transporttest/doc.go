// Package transporttest proves that a [transport.Transport] keeps its promises.
//
// [Run] is the conformance kit: every transport of this project passes it, and
// so should one of your own. A [Harness] says how to make the transport and
// what it claims; the kit then checks what every transport must do (an answer
// for each recipient, no clear content without TLS, the commit point honoured,
// no foreign text in errors, no goroutine left behind), and for transports that
// speak SMTP sets a hostile peer on them.
//
// The peer is a [Server]: an SMTP server on loopback that follows a [Script],
// and records what it was told, byte by byte before TLS. It serves as a benign
// relay too. [CA] makes the certificates, valid and otherwise. Neither needs a
// testing.T, so that examples and commands can use them.
//
// [DNSServer] is a resolver that can be just as hostile, and [PolicyServer] a
// host of MTA-STS policies. [RunResolver] sets the first on a
// [transport.Resolver] of one's own.
//
// Standards: RFC 5321, RFC 3207, RFC 4954, RFC 2920, RFC 3030, RFC 8689 for
// what the peer gets right or wrong; RFC 5280, RFC 9525, RFC 6960 and RFC 7633
// for its certificates.
package transporttest
