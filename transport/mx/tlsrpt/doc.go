// Package tlsrpt counts how TLS sessions with the servers of recipients' domains
// ended, and makes the daily reports of SMTP TLS Reporting (RFC 8460) of it, for
// those domains that ask for them in DNS.
//
// A [Recorder] is the observer of a transport/mx.Transport. It keeps counts a day
// and domain within fixed limits, in memory or, with [Config.Dir], in files that
// survive restarts and that several processes may share. [Recorder.Reports] makes
// the reports of a day, [Find] says where a domain wants its own, and
// [Report.Message] is the mail that carries it. Whether, when and how that is sent
// is the caller's choice: the message goes through a client as any other.
//
// A report holds host names, addresses of servers and counts. Nothing in it is
// about a message or a person.
package tlsrpt
