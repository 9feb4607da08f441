// Package postfix runs a private Postfix for tests: a real relay with STARTTLS
// on a loopback port, with a throw-away certificate authority, its own
// configuration and queue, and a mailbox that the test can read. Nothing of the
// machine's own Postfix is touched.
//
// It needs Debian's postfix and root, since Postfix changes users. Where they
// are missing, [Start] skips the test, or fails it if the environment says
// PHIMAIL_REAL_PEERS=1.
//
//	srv := postfix.Start(t, postfix.Options{})
//	// ... send to srv.Addr, trusting srv.RootCAs() for srv.Host ...
//	msgs, err := srv.Messages(ctx, 1)
package postfix
