// Package mx knows where mail for a domain goes and what the servers there have
// to prove: by DANE (RFC 7672, RFC 7671), else by MTA-STS (RFC 8461).
//
// A [Prober] finds that out, whoever does the sending. It is a
// [transport.Prober]: phimail asks it while planning, and believes a relay only
// together with it. What it finds is remembered as long as the DNS and the
// policies let it; policies survive a restart in small files.
//
// A [Transport] delivers there itself, with what a Prober found as its [Source]:
// to the servers in their order, each session verified by what its server has to
// prove, and each outcome with the proof: the TLSA record or the policy, the
// certificate, the parameters of TLS. REQUIRETLS (RFC 8689) is asked for where an
// envelope wants it. Servers that fail and domains that defer are left alone for a
// while. An [Observer] is told how sessions ended, for the reports of RFC 8460:
// see transport/mx/tlsrpt.
//
// What may go where:
//
//   - Content in clear goes to servers that DANE or an MTA-STS policy of mode
//     enforce proves. That is [transport.Recipient], and no less is ever offered.
//   - Sealed content also goes to servers that nothing proves, inside TLS whose
//     certificate is valid for the name in the MX record. Whoever forges the DNS
//     can name a server of their own there, and gets what only the recipient can
//     open.
//   - Nothing goes without verified TLS, and nothing to a server that an enforced
//     policy leaves out or whose TLSA records could not be looked up.
//
// Nothing found lowers anything. Verified TLS is the least, whatever a policy of
// mode testing or none says; a look-up that failed never means that there is
// nothing; a policy that was seen holds until its max_age has passed, also where
// its record is gone (RFC 8461 section 5.1); a server that an enforced policy
// does not name is not used.
package mx
