package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// overview is what phimail prints when it is called without a command.
func overview() string {
	var b strings.Builder
	b.WriteString(`phimail sends e-mail that may hold protected health information (PHI), refuses to
send it unprotected, and keeps a tamper-evident record of what it did.

    phimail send -config phimail.yaml -t < message.eml

Commands:

`)
	for _, c := range commands() {
		if c.run != nil {
			_, _ = fmt.Fprintf(&b, "    %-10s %s\n", c.name, c.summary)
		}
	}
	b.WriteString(`
First steps: "phimail keygen dkim" makes a signing key, "phimail help config" shows
the configuration file, "phimail doctor" checks it, and "phimail plan" says what
would be sent.

"phimail help COMMAND" or "phimail COMMAND -h" explains a command,
"phimail help config" the configuration file, "phimail help exit" the exit codes.
Flags come before other words. JSON goes to standard output, diagnostics to
standard error.
`)
	return b.String()
}

func (a *app) help(_ context.Context, args []string) error {
	if len(args) == 0 {
		_, err := io.WriteString(a.stdout, overview())
		return err
	}
	return a.helpOn(strings.Join(args, " "))
}

func (a *app) helpOn(topic string) error {
	switch topic {
	case "keygen":
		topic = "keygen dkim"
	case "help":
		_, err := io.WriteString(a.stdout, overview())
		return err
	}
	text, ok := helpTexts()[topic]
	if !ok {
		return fail(exitUsage, "there is no help on this; phimail help lists the commands")
	}
	_, err := io.WriteString(a.stdout, text)
	return err
}

func helpTexts() map[string]string {
	return map[string]string{
		"send":             "usage: phimail send" + helpSend,
		"plan":             "usage: phimail plan" + helpSend + helpPlan,
		"classify":         helpClassify,
		"audit":            helpAudit,
		"audit verify":     helpAuditVerify,
		"audit checkpoint": helpAuditCheckpoint,
		"keygen dkim":      helpKeygen,
		"doctor":           helpDoctor,
		"portal":           helpPortal,
		"escrow":           helpEscrow,
		"hold":             helpHold,
		"policy":           helpPolicy,
		"config":           helpConfig,
		"exit":             helpExit,
		"tls-report":       helpTLSReport,
	}
}

const helpSend = ` -config FILE [-t] [flags] [RECIPIENT...] < message.eml

Reads one RFC 5322 message from standard input and writes a receipt, one line of
JSON, to standard output.

    -config FILE   the configuration file; see phimail help config
    -t             send to the message's To, Cc and Bcc; otherwise name RECIPIENTs
    -f ADDRESS     the sender, for a message without a From field
    -purpose P     why: treatment, payment, operations, marketing, individual
    -stream S      transactional (the default) or marketing
    -actor ID      who sends, for the record: an identifier, not a name
    -role ROLE     in which role
    -patient ID    whom the message is about; may stand several times
    -label NAME    your own name for this kind of message
    -key KEY       the same key gives the same Message-ID, so that a recipient can
                   tell a repeated message; needs host_secret_file

Without -t the message goes to the RECIPIENTs and to nobody else. Those that its
To or Cc field names stay there; the others become Bcc, and each gets a copy of
their own. A single RECIPIENT of a message without To and Cc becomes its To. A To
or Cc field that names anybody else is an error.
The Message-ID, trace fields and Bcc of the message are not sent.

The exit code says what became of the message: see phimail help exit.
`

const helpPlan = `
plan sends and records nothing: it says what send would do now. The status of a
recipient who would be sent to is "planned", and "reason" says why. "explanation"
lists the rules that decided, the facts that they rest on, and what would change it.
`

const helpClassify = `usage: phimail classify [-config FILE] [-values] < message.eml
       phimail classify -jsonl [-config FILE] [-values] < messages.jsonl
       phimail classify [-config FILE] [-values] [-summary] PATH...

Says whether messages hold PHI: an identifier of a person together with their
health, care or payment for it. It sends nothing and records nothing. A message is
one line of JSON: {"id","phi","score","special":[],"reasons":[],"spans":[{"field",
"type","start","end"}]}, with offsets in bytes of the field's UTF-8 text.

    -jsonl         one JSON object a line: id, subject, text, html,
                   attachments: [{filename, text}], fields: {}
    -values        add to each span the text that was found: this is PHI
    -config FILE   threshold, terms and allow of its block policy
    -summary       of PATHs the sums only

PATHs are .eml files, mailboxes (mbox), and folders of those, Maildirs too: a dry
run over old mail. Progress goes to standard error. A message that can't be read
counts as PHI, and so does one with an attachment that can't.
`

const helpAudit = `usage: phimail audit verify [-checkpoint FILE -key PUB] PATH
       phimail audit checkpoint -config FILE

"phimail audit verify -h" and "phimail audit checkpoint -h" explain them.
`

const helpAuditVerify = `usage: phimail audit verify [-checkpoint FILE -key PUB] PATH

Reads the audit log at PATH, with the files that it was rotated to, and checks
every record and link. It writes a report to standard output and exits with 0, or
with 65 if the chain is broken, or with 74 if the log can't be read.

    -checkpoint FILE   a checkpoint of this log, made earlier and kept elsewhere
    -key PUB           the public key that it was signed for

Without a checkpoint a log that was cut off at its end, or replaced by an older
copy, looks whole.
`

const helpAuditCheckpoint = `usage: phimail audit checkpoint -config FILE

Verifies the audit log of the configuration and writes a signed checkpoint of its
end to standard output. Keep it where nobody who can write to the log can write.
The key is audit.checkpoint_key_file; it is made when missing, and its public part
is put beside it as FILE.pub. Keep a copy of that with the checkpoints.
`

const helpKeygen = `usage: phimail keygen dkim -domain DOMAIN -selector SELECTOR [-algorithm A] [-out FILE]

Makes a key that signs mail from DOMAIN, and the DNS record to publish. The
private key goes to FILE (mode 0600, never replacing anything), by default
SELECTOR.DOMAIN.pem; the record goes to standard output, one line of JSON a key.

    -domain DOMAIN       the domain of the From address
    -selector SELECTOR   a new name for this key, such as s1
    -algorithm A         rsa (the default), ed25519 or both. Few verifiers know
                         ed25519, so use it beside rsa. With both, the second key
                         has the selector SELECTOR-ed25519
    -out FILE            where the private key goes
`

const helpDoctor = `usage: phimail doctor [-config FILE] [-domain DOMAIN]

Checks what can be checked without sending: the configuration, the key files, the
relay's TLS, the dates of agreements, the DNS records (DKIM, SPF, DMARC) of the
configured domains or of DOMAIN, what proves the servers of that domain (MX, DANE,
MTA-STS) to those who send to it, and the audit log. DOMAIN may be a recipient's. It
asks the resolver of probe or transport.mx, else the system's.

It writes a report to standard output, {"checks":[{"name","status","detail",
"remedy"}]}, and exits with 0, or with 78 if a check failed. A status is ok, warn,
fail or skipped; skipped means that it could not be checked, and says nothing good.
`

const helpExit = `Exit codes of phimail send and plan. The first line that fits counts:

    0    accepted for all recipients (plan: would be sent to all)
    76   unknown for a recipient, who may have it: look before sending again (also
         where somebody has it and the receipt could not be written, or the audit log
         not be closed)
    70   accepted for some recipients, not for all
    77   nobody has it: refused (policy, no key, TLS not verified)
    69   nobody has it: rejected by the server
    75   nobody has it: a temporary failure, try again later

Before anything was sent:

    64   the command line is wrong
    65   the message is not valid (audit verify: the chain is broken)
    74   the audit log can't be written, read or closed, or a plan can't be written out
    78   the configuration is wrong (doctor: a check failed)
`

const helpConfig = `The configuration file is YAML. Relative paths start at the file's directory. Secrets
stand in environment variables (*_env) or files (*_file), never here. Key files
that are missing are made with mode 0600, except dkim's: see phimail help keygen.

from: "Riverside Clinic <no-reply@clinic.example>"
senders: []                      # other addresses that From may be
tenant: riverside                # stands on every record
host_secret_file: host.key       # for send -key
sign_clear: ""                   # smime or pgp: sign what travels by tls, with that block's key
require_fips: false              # refuse to run unless GODEBUG=fips140=on
transport:                       # smtp, mx or maildir
  smtp:
    addr: "relay.example:587"
    tls: starttls                # or implicit; the default is implicit on port 465
    server_name: relay.example   # the name in its certificate; default: of addr
    ca_file: ca.pem              # its certificate authority; default: the system's
    pins: []                     # SHA-256 of its or an authority's public key (SPKI), in hex
    client_cert: ""              # a client certificate and its key
    client_key: ""
    username_env: RELAY_USER     # or username_file
    password_env: RELAY_PASSWORD # or password_file
    timeout: 30s                 # of one command
    enforces_tls: {signed: 2026-01-10, document: "relay TLS policy 7"}
                                 # its promise of TLS onward; gives assurance attested
    rewrites_links: false        # whether it alters links (click tracking): then no escrow
` + helpConfigMX + `  # maildir: {dir: out}          # no TLS: takes encrypted messages only
  baa: {party: "Relay Inc", signed: 2026-01-10, expires: 2028-01-10, document: "BAA-2026-004"}
                                 # with whoever sees the messages: the relay, or who collects them
modes: [smime, pgp, tls, escrow] # order of preference
tls_assurance: attested          # the least for tls: recipient (the default) or attested
smime:
  certs: [recipients/]           # files and directories: PEM, DER, PKCS#7
  trust: [smime-ca.pem]          # the authorities that these must lead to
  crls: []                       # revocation lists; if any, then of all authorities
  sign_cert: us.pem              # our certificate with its chain; without one nothing is signed
  sign_key: us.key               # in PEM; leave it out for a PKCS#12 file in sign_cert
  # passphrase_env: P12_PASSWORD # or passphrase_file: of that PKCS#12 file
  forms: [{for: partner.example, form: gcm}]
                                 # for an address or a domain; the default is standard
` + helpConfigPGP + `probe:                           # finds out what recipients' domains offer: DANE, MTA-STS
  resolver: "127.0.0.1:53"       # a validating resolver; DNSSEC counts from loopback only
  trust_ad: []                   # and from these addresses, if the way there is protected
  ca_file: ""                    # authority of policy hosts and servers; default: the system's
  policy_port: 443               # where policy hosts listen; other values are for tests
  port: 25                       # where mail servers listen; likewise
  allow_private: false           # take servers at private and loopback addresses
  cache_dir: probe/              # policies survive a restart there
  confirm: false                 # also open a session with each server to see that it holds
  exclude: []                    # TLS works there and is not good enough:
                                 # [{domain: example.org, since: 2026-01-10, reason: "..."}]
` + helpConfigEscrow + `dkim: [{domain: clinic.example, selector: s1, key_file: dkim.pem}]
policy:
  classifier: all                # every message is PHI; or phi: those in which it is found
  # threshold: 0.5               # phi: the score from which; lower finds more
  # terms: [{exact: "Lotus programme", type: HEALTH}, {pattern: "RVC-[0-9]{6}", type: MRN}]
                                 # exact, prefix or pattern (RE2); the type is HEALTH, PHI or
                                 # an identifier's: NAME, MRN, OTHER_ID (the default), ...
  # allow: ["(555) 010-2000", "@clinic.example"]   # the clinic's own; tells nobody
  rules: []                      # rule files; see phimail help policy
  subject: "Secure message"      # what an encrypted message shows outside
  on_partial: refuse             # or deliverable: send to those who can be served
  consent_file: consent.jsonl    # what patients agreed to, and what they want
  suppress_file: suppress.jsonl  # whom not to write to
hold: {store: hold/, key_file: hold.key, expires: 72h}
                                 # where messages wait that a rule wants reviewed
audit:
  file: audit.jsonl
  pseudonym_key_file: audit.hmac # default: the log's name with .hmac
  checkpoint_key_file: audit.key # default: the log's name with .key

Recipients get mail by tls only if its assurance is enough: "recipient" takes a
relay that accepts REQUIRETLS, "attested" a relay with enforces_tls.

With probe, REQUIRETLS counts only for domains that DANE (RFC 7672) or an MTA-STS
policy of mode enforce (RFC 8461) proves, which the relay then has to keep to; for
such a domain a relay with enforces_tls serves "recipient" too. Where the DNS fails
or its signatures are broken, nothing goes by tls: the message is deferred if no
other of modes will do. A domain in exclude (".example.org" for all below it) never
gets mail by tls on these grounds.

A recipient gets S/MIME if a certificate for exactly this address is in certs, for
e-mail and encryption, in date, not revoked and below trust. Whoever has none gets
the next of modes, and is refused after the last: for S/MIME or nothing write
modes: [smime]. Files that change are read again. The forms: standard (AES-256-CBC
and PKCS #1 v1.5, which every client reads), oaep (RSA-OAEP), gcm (AES-256-GCM and
RSA-OAEP), announced (what the certificate says of its owner's client). In FIPS mode
oaep takes the place of the default, and standard is refused for RSA keys.
` + helpPGPWords + `
With sign_clear: smime also what goes by tls is signed, as multipart/signed with a
protected header; a sender without a certificate is then refused. For that alone
the smime block needs sign_cert and sign_key only.
` + helpRecords
