package transporttest

import (
	"crypto/tls"
	"net/mail"
	"strings"

	"github.com/phimail/sdk/transport"
)

// recipientRows: each recipient has an answer of its own (RFC 5321 sections
// 3.3 and 4.5.3.1.10).
func recipientRows() []row {
	no := func(nth int, codes string) Step { return Step{Nth: nth, Say: hostile(codes)} }
	three := Script{At: map[Point][]Step{AtRcpt: {no(2, "550 5.1.1"), no(3, "451 4.7.1")}}}
	threeAtDot := Script{At: map[Point][]Step{
		AtRcpt: {no(2, "550 5.1.1"), no(3, "451 4.7.1")},
		AtDot:  {{Say: hostile("554 5.6.0")}},
	}}
	all := Script{At: map[Point][]Step{
		AtRcpt: {{Say: hostile("550 5.1.1")}},
		AtData: {{Say: "354 go ahead\r\n"}},
	}}
	mixed := Script{At: map[Point][]Step{AtRcpt: {no(1, "450 4.2.1"), no(2, "550 5.1.1")}, AtData: {{Say: "354 go ahead\r\n"}}}}
	tooMany := Script{At: map[Point][]Step{AtRcpt: {no(3, "452 4.5.3"), no(4, "452 4.5.3"), no(5, "452 4.5.3")}}}
	later := either(deferred(), accepted()) // what was not tried may be tried again, also at once
	return []row{
		{name: "recipients/all accepted", to: 5, want: accepted()},
		{name: "recipients/a hundred", to: 100, want: accepted()},
		{
			name: "recipients/one of three accepted", to: 3, script: three,
			each: [][]transport.Status{accepted(), rejected(), deferred()},
		},
		{
			name: "recipients/one of three accepted, then the content rejected", to: 3, script: threeAtDot,
			each: [][]transport.Status{rejected(), rejected(), deferred()},
		},
		{
			name: "recipients/first rejected, second accepted", to: 2, script: at(AtRcpt, no(1, "550 5.1.1")),
			each: [][]transport.Status{rejected(), accepted()},
		},
		{name: "recipients/all rejected, yet 354", to: 3, script: all, want: rejected(), noContent: true, code: 550},
		{name: "recipients/the only one rejected, yet 354", script: all, want: rejected(), code: 550},
		{
			name: "recipients/none accepted, yet 354", to: 2, script: mixed,
			each: [][]transport.Status{deferred(), rejected()}, noContent: true,
		},
		{
			name: "recipients/too many", to: 5, script: tooMany,
			each: [][]transport.Status{accepted(), accepted(), later, later, later},
		},
		{
			name: "recipients/more than the peer's limit", to: 5, // RFC 9422
			script: Script{Inside: inside("LIMITS RCPTMAX=2", "PIPELINING"), At: tooMany.At},
			each:   [][]transport.Status{accepted(), accepted(), later, later, later},
		},
		{
			name: "recipients/251 will forward", script: at(AtRcpt, Step{Say: hostile("251 2.1.5")}), want: accepted(),
		},
		{
			name: "recipients/DATA answered 250", to: 2, script: at(AtData, Step{Say: hostile("250 2.0.0")}),
			want: deferred(), noContent: true,
		},
		{name: "recipients/MAIL answered 354", to: 2, script: at(AtMail, Step{Say: hostile("354")}), want: deferred(), noContent: true},
		{name: "recipients/RCPT answered 354", to: 2, script: at(AtRcpt, Step{Say: hostile("354")}), want: deferred(), noContent: true},
		{name: "recipients/final dot answered 354", script: at(AtDot, Step{Say: hostile("354")}), want: unknown()},
	}
}

// extensionRows: what the peer lacks or limits (RFC 1870, RFC 2920, RFC 6152,
// RFC 6531, RFC 8689).
func extensionRows(f Features) []row {
	rows := []row{
		{
			name: "extension/SIZE too small", script: Script{Inside: inside("SIZE 1000", "PIPELINING")},
			want: rejected(), reasons: []transport.Reason{transport.ErrSize}, noMail: true,
		},
		{name: "extension/SIZE 0 is no limit", script: Script{Inside: inside("SIZE 0")}, want: accepted()},
		{name: "extension/SIZE without a number", script: Script{Inside: inside("SIZE")}, want: accepted()},
		{name: "extension/none at all but AUTH", script: Script{Inside: inside()}, want: accepted(), to: 3, after: notPipelined},
		{name: "extension/no PIPELINING", script: Script{Inside: inside("SIZE 1000000", "8BITMIME")}, want: accepted(), to: 3, after: notPipelined},
		{name: "extension/unknown ones", script: Script{Inside: inside("X-"+PeerMark, "LIMITS MAILMAX=1", "=", "PIPELINING")}, want: accepted()},
		{
			name: "extension/eight-bit content without 8BITMIME", script: Script{Inside: inside("PIPELINING")}, envelope: eightBit,
			want: rejected(), reasons: []transport.Reason{transport.ErrEightBit},
		},
		{
			name: "extension/international address without SMTPUTF8", script: Script{Inside: inside("8BITMIME", "PIPELINING")}, envelope: international,
			want: rejected(), reasons: []transport.Reason{transport.ErrSMTPUTF8}, noMail: true,
		},
	}
	if f.Pipelining {
		rows = append(rows, row{name: "extension/PIPELINING is used", to: 3, want: accepted(), after: func(t tb, r *rig, _ outcome) {
			if !r.firstSession().Pipelined {
				t.Errorf("PIPELINING was offered and claimed, but not used")
			}
		}})
	}
	if f.EightBit {
		rows = append(rows, row{name: "extension/8BITMIME", envelope: eightBit, want: accepted(), after: wantParam("BODY=8BITMIME")})
	}
	if f.SMTPUTF8 {
		rows = append(rows, row{name: "extension/SMTPUTF8", envelope: international, want: accepted(), after: wantParam("SMTPUTF8")})
	}
	return append(rows, requireTLSRows(f)...)
}

// requireTLSRows: RFC 8689 section 4.2.1.
func requireTLSRows(f Features) []row {
	ask := func(p *parcel) { p.RequireTLS, p.Need = true, transport.Recipient }
	rows := []row{
		{name: "requiretls/not offered", script: Script{Inside: inside("PIPELINING")}, envelope: ask},
		{name: "requiretls/offered before TLS only", script: Script{Clear: []string{"STARTTLS", "REQUIRETLS"}, Inside: inside("PIPELINING")}, envelope: ask},
	}
	for i := range rows {
		rows[i].want, rows[i].noMail = refused(), true
		rows[i].reasons = []transport.Reason{transport.ErrRequireTLS, transport.ErrAssurance}
	}
	if f.RequireTLS {
		rows = append(rows, row{
			name: "requiretls/offered", script: Script{Inside: inside("REQUIRETLS", "PIPELINING")}, envelope: ask,
			want: accepted(),
			after: func(t tb, r *rig, out outcome) {
				wantParam("REQUIRETLS")(t, r, out)
				if proof := out.Recipients[0].Proof; proof == nil || !proof.RequireTLS || proof.Assurance != transport.Recipient {
					t.Errorf("REQUIRETLS was accepted and the proof does not say so: %v", proof)
				}
			},
		})
	}
	return rows
}

func eightBit(p *parcel) {
	p.fill([]byte(strings.ReplaceAll(string(p.content), "the end.", "le début, et la fin.")))
}

func international(p *parcel) {
	p.To = []mail.Address{{Address: "用户" + p.To[0].Address}}
}

func notPipelined(t tb, r *rig, _ outcome) {
	for i, s := range r.server.Sessions() {
		if s.Pipelined {
			t.Errorf("connection %d: commands were sent in a group without PIPELINING (RFC 2920)", i)
		}
	}
}

// wantParam checks that MAIL had the parameter.
func wantParam(param string) func(tb, *rig, outcome) {
	return func(t tb, r *rig, _ outcome) {
		for _, m := range r.server.Messages() {
			for word := range strings.FieldsSeq(strings.ToUpper(m.MailArgs)) {
				if word == param {
					return
				}
			}
		}
		t.Errorf("no message came with %s", param)
	}
}

// reuseRows: whatever happened to the last message or in between, the next one
// has an outcome of its own.
func reuseRows() []row {
	benign := Script{}
	second := func(p Point, s Step) Script {
		s.Nth = 2
		return at(p, s)
	}
	maybe := either(accepted(), deferred())
	rows := []row{
		{name: "reuse/second message", script: benign, want: accepted()},
		{name: "reuse/closed when idle", scripts: []Script{at(AtIdle, Step{Then: Close}), benign}, want: maybe},
		{name: "reuse/reset when idle", scripts: []Script{at(AtIdle, Step{Then: Reset}), benign}, want: maybe},
		{name: "reuse/421 when idle", scripts: []Script{at(AtIdle, Step{Say: hostile("421 4.4.2"), Then: Close}), benign}, want: maybe},
		{
			// Taken for answers, the surplus replies would make the rejected
			// message look accepted.
			name: "reuse/surplus replies when idle",
			scripts: []Script{{At: map[Point][]Step{
				AtDot: {
					{Nth: 1, Say: "250 2.0.0 ok\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n250 2.0.0 ok\r\n"},
					{Nth: 2, Say: hostile("554 5.6.0")},
				},
			}}, benign},
			want: maybe,
		},
		{name: "reuse/RSET dropped", scripts: []Script{at(AtReset, Step{Then: Cut}), benign}, want: maybe},
		{name: "reuse/RSET and NOOP rejected", scripts: []Script{{At: map[Point][]Step{
			AtReset: {{Say: hostile("500 5.5.1")}}, AtNoop: {{Say: hostile("500 5.5.1")}}}}, benign}, want: maybe},
		{name: "reuse/421 to the second MAIL", scripts: []Script{second(AtMail, Step{Say: hostile("421 4.7.0"), Then: Close}), benign}, to: 2, want: maybe},
		{name: "reuse/dropped at the second MAIL", scripts: []Script{second(AtMail, Step{Then: Cut}), benign}, to: 2, want: maybe},
		{name: "reuse/rejected second message", scripts: []Script{second(AtDot, Step{Say: hostile("554 5.7.1")})}, want: either(accepted(), rejected())},
		{name: "reuse/dropped at the second final dot", scripts: []Script{second(AtDot, Step{Then: Cut, Take: true}), benign}, want: either(accepted(), unknown())},
	}
	for i := range rows {
		rows[i].first = accepted()
	}
	return append(rows,
		row{
			name: "reuse/after a rejected message", scripts: []Script{at(AtMail, Step{Nth: 1, Say: hostile("550 5.7.1")}), benign},
			first: rejected(), want: accepted(),
		},
		row{
			name: "reuse/after rejected recipients", script: at(AtRcpt, Step{Nth: 1, Say: hostile("550 5.1.1")}),
			first: rejected(), to: 2, each: [][]transport.Status{rejected(), accepted()},
		},
		row{
			name:    "reuse/certificate swapped on reconnect",
			scripts: []Script{at(AtIdle, Step{Then: Close}), {}}, cert: WrongHost,
			first: accepted(), want: refused(), noMail: true,
			reasons: []transport.Reason{transport.ErrCertificate},
		},
		row{
			name:    "reuse/TLS 1.1 on reconnect",
			scripts: []Script{at(AtIdle, Step{Then: Close}), {TLS: oldTLS(tls.VersionTLS11)}},
			first:   accepted(), want: refused(), noMail: true,
		},
	)
}
