// Package mx knows where mail for a domain goes and what the servers there have
// to prove: by DANE (RFC 7672, RFC 7671), else by MTA-STS (RFC 8461).
//
// A [Prober] finds that out, whoever does the sending. It is a
// [transport.Prober]: phimail asks it while planning, and believes a relay only
// together with it. What it finds is remembered as long as the DNS and the
// policies let it; policies survive a restart in small files.
//
// Nothing found lowers anything. Verified TLS is the least, whatever a policy of
// mode testing or none says; a look-up that failed never means that there is
// nothing; a policy that was seen holds until its max_age has passed, also where
// its record is gone (RFC 8461 section 5.1); a server that an enforced policy
// does not name is not used.
package mx
