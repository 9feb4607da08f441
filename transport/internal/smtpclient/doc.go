// Package smtpclient is the strict SMTP client under the transports: one TCP
// connection that becomes one verified TLS session, and the transactions on it.
//
// It is strict where a lenient client can be led astray. A reply is complete
// CRLF-terminated lines, bounded in size, number and time. Nothing read before
// the TLS handshake is believed after it. A reply that nobody asked for ends
// the connection. MAIL FROM and AUTH exist only inside verified TLS, and there
// is no setting that changes this. Content leaves as CRLF lines with no bare
// CR, LF or NUL. What a peer says never reaches an error's text.
//
// It implements RFC 5321 (SMTP), RFC 1870 (SIZE), RFC 2920 (PIPELINING),
// RFC 3030 (CHUNKING), RFC 3207 (STARTTLS), RFC 3461 (DSN), RFC 3463 and
// RFC 2034 (enhanced status codes), RFC 4954 (AUTH), RFC 6152 (8BITMIME),
// RFC 6531 (SMTPUTF8), RFC 8314 (implicit TLS), RFC 8689 (REQUIRETLS) and
// RFC 9422 (LIMITS); for TLS RFC 9525, RFC 6960, RFC 7633 and NIST SP 800-52r2.
package smtpclient
