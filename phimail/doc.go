// Package phimail sends e-mail that may hold protected health information (PHI)
// and refuses to send it unprotected.
//
// A [Client] classifies a message, decides per recipient how it must be
// protected, checks that this is possible, builds and signs it, makes the
// record of the intent durable, hands it to a transport, and records what became
// of each recipient:
//
//	client, err := phimail.New(phimail.Config{From: …, Transport: relay, Audit: log})
//	receipt, err := client.Send(ctx, &phimail.Message{To: …, Subject: …, Text: …})
//
// There is no way to call it that sends PHI in clear, and no field that turns
// verification off. [Client.Plan] is the pre-flight: it says what Send would do
// and sends nothing.
//
// Errors, logs and every printed form of this package's types carry ids, codes
// and counts. Addresses and content are reached by naming their fields.
//
// The package supports compliance with 45 CFR 164.312 and 164.316; it does not
// promise it.
package phimail
