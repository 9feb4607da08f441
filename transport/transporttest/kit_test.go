package transporttest_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mem"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

func newSMTP(g transporttest.Target) (transport.Transport, error) {
	cfg := smtp.Config{Addr: g.Addr, ServerName: g.ServerName, RootCAs: g.RootCAs, Timeout: g.Timeout, Provider: g.Provider}
	if g.ImplicitTLS {
		cfg.TLS = smtp.ImplicitTLS
	}
	if g.Username != "" {
		cfg.Credentials = smtp.Password(g.Username, g.Password)
	}
	if g.Attested {
		cfg.EnforcesTLS = &transport.Agreement{Party: "kit", Document: "kit", Signed: time.Now().Add(-time.Hour)}
	}
	return smtp.New(cfg)
}

func smtpFeatures() transporttest.Features {
	return transporttest.Features{
		SMTP: true, TLS: true, Implicit: true, Auth: true, RequireTLS: true,
		Pipelining: true, SMTPUTF8: true, EightBit: true, Providers: true,
	}
}

func correct() transporttest.Harness {
	return transporttest.Harness{New: newSMTP, Features: smtpFeatures()}
}

// wrapped is the correct SMTP transport, broken.
func wrapped(wrap func(transport.Transport, transporttest.Target) transport.Transport) transporttest.Harness {
	h := correct()
	h.New = func(g transporttest.Target) (transport.Transport, error) {
		tr, err := newSMTP(g)
		if err != nil {
			return nil, err
		}
		return wrap(tr, g), nil
	}
	return h
}

func altered(b broken) transporttest.Harness {
	return wrapped(func(tr transport.Transport, _ transporttest.Target) transport.Transport {
		c := b
		c.Transport = tr
		return &c
	})
}

func naively(n naive) transporttest.Harness {
	return transporttest.Harness{
		New: func(g transporttest.Target) (transport.Transport, error) {
			c := n
			c.target = g
			return &c, nil
		},
		Features: transporttest.Features{SMTP: true, TLS: true},
	}
}

// direct claims that it delivers to the recipients' own servers, and is a
// transport for relays.
func direct() transporttest.Harness {
	h := correct()
	h.Features.Direct = true
	return h
}

// claiming is naive and says that it can do everything.
func claiming() transporttest.Harness {
	h := naively(naive{})
	h.Features = smtpFeatures()
	return h
}

// inMemory is the transport mem, broken.
func inMemory(wrap func(transport.Transport) transport.Transport) transporttest.Harness {
	var stores []*mem.Transport // New and Delivered are called in turn, by one case
	return transporttest.Harness{
		New: func(transporttest.Target) (transport.Transport, error) {
			stores = append(stores, mem.New(mem.Config{}))
			return wrap(stores[len(stores)-1]), nil
		},
		Delivered: func(transport.Transport) ([]transporttest.Message, error) {
			var out []transporttest.Message
			for _, m := range stores[len(stores)-1].Messages() {
				d := transporttest.Message{From: m.From.Address, Data: m.Data}
				for _, to := range m.To {
					d.To = append(d.To, to.Address)
				}
				out = append(out, d)
			}
			return out, nil
		},
	}
}

// proofs are the broken transports, with cases that each must fail.
func proofs(stop chan struct{}) map[string]struct {
	harness transporttest.Harness
	fails   []string
} {
	type proof = struct {
		harness transporttest.Harness
		fails   []string
	}
	return map[string]proof{
		"goes on in clear without STARTTLS": {naively(naive{opportunistic: true}), []string{
			"starttls/not offered", "starttls/masked", "starttls/no keywords", "starttls/EHLO refused, HELO left",
			"starttls/not offered, sealed content", "starttls/stripped on reconnect",
		}},
		"leaves everything to the standard library": {naively(naive{}), []string{
			"injection/EHLO reply behind 220", "injection/EHLO reply with the greeting",
			"certificate/RSA-1024", "certificate/staple says revoked", "certificate/must-staple without a staple",
			"certificate/staple of another signer", "tls/CBC suite", "tls/ChaCha20",
			"syntax/no CRLF, then closed in reply to final dot", "syntax/a bare LF in reply to final dot",
			"syntax/a bare code in reply to MAIL", "syntax/a 10 MB line in reply to MAIL",
			"extension/SIZE too small", "extension/eight-bit content without 8BITMIME", "requiretls/not offered",
			"content/bare CR", "content/bare LF", "content/NUL", "content/smuggled LF dot LF",
			"assurance/attested, where nothing is known", "providers/another one is refused", "proof/says what the connection was",
			"recipients/one of three accepted", "reply/550 to MAIL", "context/cancelled before", "cancel/at MAIL",
		}},
		"has its clock wrong":               {naively(naive{clock: func() time.Time { return time.Now().Add(-2 * time.Hour) }}), []string{"certificate/expired"}},
		"believes the name that is shown":   {naively(naive{believing: true}), []string{"certificate/for another host", "reuse/certificate swapped on reconnect"}},
		"begins its time limit anew":        {naively(naive{patient: true}), []string{"slow/one byte at a time at MAIL"}},
		"doesn't look at RCPT's answers":    {naively(naive{careless: true}), []string{"recipients/one of three accepted", "recipients/all rejected, yet 354"}},
		"skips BeforeCommit":                {altered(broken{before: edited(func(e *transport.Envelope) { e.BeforeCommit = nil })}), []string{"commit/is asked exactly once, before", "commit/no means nothing is delivered"}},
		"asks BeforeCommit twice":           {altered(broken{before: edited(asksTwice)}), []string{"commit/is asked exactly once, before"}},
		"answers in the wrong order":        {altered(broken{after: reversed}), []string{"recipients/one of three accepted", "recipients/first rejected, second accepted"}},
		"answers too few":                   {altered(broken{after: shortened}), []string{"result/answers each recipient in order", "starttls/not offered"}},
		"swallows a recipient":              {altered(broken{before: edited(swallowed), after: restored}), []string{"result/answers each recipient in order", "recipients/all accepted"}},
		"returns no result on failure":      {altered(broken{after: nilOnFailure}), []string{"starttls/not offered", "reply/550 to MAIL"}},
		"takes a lost reply for a good one": {altered(broken{after: mapped(optimistic)}), []string{"drop/cut at the final dot of one recipient", "drop/cut after the final dot, taken", "syntax/no CRLF, then closed in reply to final dot", "tls/truncated after the dot"}},
		"takes a lost reply for a failure":  {altered(broken{after: mapped(forgetful)}), []string{"drop/cut after the final dot, taken", "drop/reset at final dot", "cancel/at final dot"}},
		"sends again after a lost reply":    {altered(broken{again: anyUnknown, before: edited(func(e *transport.Envelope) { e.BeforeCommit = once(e.BeforeCommit) })}), []string{"drop/cut after the final dot, taken"}},
		"sends everything twice":            {altered(broken{again: func(*transport.Result) bool { return true }, before: edited(func(e *transport.Envelope) { e.BeforeCommit = once(e.BeforeCommit) })}), []string{"result/answers each recipient in order", "concurrency/none lost, none doubled"}},
		"loses and doubles messages":        {wrapped(func(tr transport.Transport, _ transporttest.Target) transport.Transport { return &lossy{Transport: tr} }), []string{"concurrency/none lost, none doubled"}},
		"repeats the peer's words":          {altered(broken{after: mapped(talkative)}), []string{"reply/550 to MAIL", "reply/554 as greeting", "auth/535", "echo/HTML in a reply to final dot"}},
		"names recipients in errors":        {altered(broken{after: quoting}), []string{"reply/550 to RCPT", "starttls/not offered"}},
		"has errors of no type":             {altered(broken{after: mapped(untyped)}), []string{"starttls/not offered", "commit/no means nothing is delivered"}},
		"ignores the context":               {altered(broken{before: detached}), []string{"context/cancelled before", "cancel/at MAIL"}},
		"ignores the providers":             {altered(broken{before: edited(func(e *transport.Envelope) { e.Providers = nil })}), []string{"providers/another one is refused"}},
		"ignores the assurance":             {altered(broken{before: edited(func(e *transport.Envelope) { e.Need = transport.Relay })}), []string{"assurance/recipient, where the relay is attested", "assurance/attested, where nothing is known"}},
		"ignores REQUIRETLS":                {altered(broken{before: edited(func(e *transport.Envelope) { e.RequireTLS, e.Need = false, transport.Relay })}), []string{"requiretls/not offered", "requiretls/offered before TLS only", "requiretls/offered"}},
		"ignores the size":                  {altered(broken{before: edited(slurping(func(b []byte) []byte { return b }))}), []string{"content/larger than its size", "content/smaller than its size"}},
		"mends foul content":                {altered(broken{before: edited(slurping(mending))}), []string{"content/bare CR", "content/smuggled LF dot CRLF", "content/NUL"}},
		"leaves readers open":               {altered(broken{before: edited(leaking)}), []string{"result/answers each recipient in order"}},
		"claims what it can't do":           {claiming(), []string{"requiretls/offered", "auth/accepted", "extension/PIPELINING is used"}},
		"delivers to what nothing proves":   {direct(), []string{"assurance/relay, where nothing is known", "assurance/recipient, where the relay is attested", "proof/says what the connection was"}},
		"leaves goroutines behind":          {wrapped(func(tr transport.Transport, _ transporttest.Target) transport.Transport { return littering{tr, stop} }), []string{"result/a sealed message is delivered"}},
		"prints its password":               {wrapped(func(tr transport.Transport, g transporttest.Target) transport.Transport { return openHearted{tr, g} }), []string{"printing/the transport shows no secret"}},
		"never closes its connections": {wrapped(func(tr transport.Transport, _ transporttest.Target) transport.Transport {
			return struct{ transport.Transport }{tr}
		}), []string{"result/a sealed message is delivered"}},
		"takes clear content without TLS": {inMemory(func(tr transport.Transport) transport.Transport {
			return &broken{Transport: tr, before: edited(func(e *transport.Envelope) { e.Sealed = true })}
		}), []string{"sealed only/clear content is refused unread"}},
		"offers TLS that it has not got":     {inMemory(func(tr transport.Transport) transport.Transport { return boasting{tr} }), []string{"offer/is sane"}},
		"stores before it asks":              {inMemory(func(tr transport.Transport) transport.Transport { return hasty{tr} }), []string{"commit/is asked exactly once, before", "commit/no means nothing is delivered"}},
		"delivers what the caller cancelled": {inMemory(func(tr transport.Transport) transport.Transport { return &broken{Transport: tr, before: detached} }), []string{"context/cancelled before", "context/over before"}},
	}
}

func TestKitFailsBrokenTransports(t *testing.T) {
	t.Parallel()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	for name, p := range proofs(stop) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range p.fails {
				if !possible(ca, c) {
					continue
				}
				failures := transporttest.Failures(p.harness, ca, c)
				if len(failures) == 0 || strings.HasPrefix(failures[0], "no such case") {
					t.Errorf("the kit's case %q passed a transport that %s: %q", c, name, failures)
				}
			}
		})
	}
}

// possible is false for a case that needs a certificate which this program may
// not make: RSA-1024 under FIPS 140-3.
func possible(ca *transporttest.CA, name string) bool {
	kind, ok := strings.CutPrefix(name, "certificate/")
	if !ok {
		return true
	}
	_, err := ca.Issue(transporttest.Kind(kind), transporttest.Host)
	return err == nil
}

// The same cases pass where nothing is broken, or their failing proves nothing.
func TestKitPassesCorrectTransports(t *testing.T) {
	t.Parallel()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, p := range proofs(nil) {
		for _, c := range p.fails {
			names[c] = true
		}
	}
	for _, c := range slices.Sorted(maps.Keys(names)) {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			h := correct()
			if strings.HasPrefix(c, "sealed only/") {
				h = inMemory(func(tr transport.Transport) transport.Transport { return tr })
			}
			for _, f := range transporttest.Failures(h, ca, c) {
				t.Error(f)
			}
		})
	}
}

// No case passes both a transport that accepts everything and one that refuses
// everything: each asks for something.
func TestEveryCaseAsksForSomething(t *testing.T) {
	t.Parallel()
	ca, err := transporttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	idle := map[string]bool{
		// There is nothing to close in either.
		"close/twice, and Send after it": true,
		"close/while a send hangs":       true,
	}
	does := func(tr transport.Transport) transporttest.Harness {
		return transporttest.Harness{
			New:      func(transporttest.Target) (transport.Transport, error) { return tr, nil },
			Features: smtpFeatures(),
		}
	}
	for _, c := range transporttest.CaseNames(smtpFeatures()) {
		yes, no := transporttest.Failures(does(liar{}), ca, c), transporttest.Failures(does(coward{}), ca, c)
		if possible(ca, c) && (len(yes) == 0 && len(no) == 0) != idle[c] {
			t.Errorf("case %q: failures of a liar %q, of a coward %q", c, yes, no)
		}
	}
}
