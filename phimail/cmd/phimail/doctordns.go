package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/phimail/internal/compose"
)

// dnsTimeout bounds one question.
const dnsTimeout = 10 * time.Second

// txt asks for the TXT records of a name. found is false where there are none;
// an error means that nobody knows.
func (a *app) txt(ctx context.Context, name string) (records []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	records, err = a.lookupTXT(ctx, name)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return nil, nil
	}
	return records, err
}

const notAsked = "the DNS did not answer, so this could not be checked"

// dkimRecords compares the keys with what is published.
func (e *examination) dkimRecords(ctx context.Context, c *config) {
	if len(c.dkim) == 0 {
		e.note("dkim", checkWarn, "no key is configured, so messages are not signed", "phimail keygen dkim makes one")
		return
	}
	covered := false
	for i := range c.dkim {
		d := &c.dkim[i]
		covered = covered || dkim.Aligned(fromDomain(c), compose.ASCIIDomain(d.domain.v))
		e.dkimRecord(ctx, c, d)
	}
	if !covered {
		e.note("dkim", checkFail, "no key is of the domain of from", "add one for it: messages from there can't be signed and are refused")
	}
}

func (e *examination) dkimRecord(ctx context.Context, c *config, d *dkimConfig) {
	key := dkim.Key{Domain: compose.ASCIIDomain(d.domain.v), Selector: d.selector.v}
	name := "dkim " + key.RecordName()
	data, err := readSmall(c.path(d.keyFile))
	if err != nil {
		e.note(name, checkFail, reasonOf("the key file", err), "make a key with phimail keygen dkim, or correct the path")
		return
	}
	if key.Signer, err = dkim.ParsePrivateKey(data); err != nil {
		e.note(name, checkFail, err.Error(), "make a new key with phimail keygen dkim")
		return
	}
	records, err := e.app.txt(ctx, key.RecordName())
	if err != nil {
		e.note(name, checkSkipped, notAsked, "")
		return
	}
	err = dkim.CheckRecord("", key)
	for _, record := range records {
		if err = dkim.CheckRecord(record, key); err == nil {
			break
		}
	}
	if err != nil {
		e.note(name, checkFail, err.Error(), "publish the record of this key; receivers can't verify its signatures until then")
		return
	}
	e.note(name, checkOK, "the published record is this key's", "")
}

// senderRecords looks for SPF (RFC 7208) and DMARC (RFC 7489). It sees that
// they are there and well formed, not that they name the relay.
func (e *examination) senderRecords(ctx context.Context, domain string) {
	domain = compose.ASCIIDomain(strings.TrimSuffix(domain, "."))
	e.spf(ctx, domain)
	e.dmarc(ctx, domain)
}

func (e *examination) spf(ctx context.Context, domain string) {
	name := "spf " + domain
	records, err := e.app.txt(ctx, domain)
	if err != nil {
		e.note(name, checkSkipped, notAsked, "")
		return
	}
	records = starting(records, "v=spf1")
	switch {
	case len(records) == 0:
		e.note(name, checkWarn, "there is no SPF record", `publish one that names the relay, such as "v=spf1 include:relay.example -all"`)
	case len(records) > 1:
		e.note(name, checkFail, "there are several SPF records, which receivers take as an error (RFC 7208 section 4.5)", "join them into one")
	case endsInAll(records[0], "+all", "all"):
		e.note(name, checkFail, "the record lets everybody send in this domain's name", "end it with -all or ~all")
	default:
		e.note(name, checkOK, "there is one SPF record; whether it names the relay is not checked", "")
	}
}

func (e *examination) dmarc(ctx context.Context, domain string) {
	name := "dmarc " + domain
	where := []string{domain}
	// RFC 7489 section 6.6.3: without a record of its own, a domain is under
	// that of its organization.
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil && org != domain {
		where = append(where, org)
	}
	var records []string
	for _, d := range where {
		found, err := e.app.txt(ctx, "_dmarc."+d)
		if err != nil {
			e.note(name, checkSkipped, notAsked, "")
			return
		}
		if records = starting(found, "v=DMARC1"); len(records) > 0 {
			break
		}
	}
	const publish = `publish one at _dmarc, such as "v=DMARC1; p=reject; rua=mailto:…"`
	switch {
	case len(records) == 0:
		e.note(name, checkWarn, "there is no DMARC record, so anybody can write in this domain's name", publish)
	case len(records) > 1:
		e.note(name, checkFail, "there are several DMARC records, which receivers ignore (RFC 7489 section 6.6.3)", "leave one")
	case dmarcPolicy(records[0]) == "none":
		e.note(name, checkWarn, "the policy is none: mail that fails is delivered all the same", "move to quarantine or reject")
	case dmarcPolicy(records[0]) == "":
		e.note(name, checkFail, "the record has no policy (p=)", publish)
	default:
		e.note(name, checkOK, "the policy is quarantine or reject", "")
	}
}

// starting returns the records of a version.
func starting(records []string, version string) []string {
	var out []string
	for _, r := range records {
		rest, ok := strings.CutPrefix(strings.TrimSpace(r), version)
		if ok && (rest == "" || strings.ContainsAny(rest[:1], " ;\t")) {
			out = append(out, r)
		}
	}
	return out
}

func endsInAll(record string, words ...string) bool {
	for field := range strings.FieldsSeq(strings.ToLower(record)) {
		if slices.Contains(words, field) {
			return true
		}
	}
	return false
}

// dmarcPolicy returns none, quarantine or reject, or "".
func dmarcPolicy(record string) string {
	for tag := range strings.SplitSeq(record, ";") {
		name, v, ok := strings.Cut(tag, "=")
		if ok && strings.EqualFold(strings.TrimSpace(name), "p") {
			switch v = strings.ToLower(strings.TrimSpace(v)); v {
			case "none", "quarantine", "reject":
				return v
			}
		}
	}
	return ""
}
