package transporttest

import (
	"strings"

	"github.com/phimail/sdk/transport"
)

// dropRows: the connection is lost at every step. Before the commit point the
// message is surely not taken; between it and the reply nobody knows (RFC
// 1047).
func dropRows() []row {
	var rows []row
	gone := []transport.Reason{transport.ErrDropped, transport.ErrProtocol, transport.ErrConnect, transport.ErrTLSHandshake}
	for _, how := range []Ending{Close, Cut, Reset} {
		for _, p := range []Point{AtGreeting, AtHello, AtStartTLS, AtTLS, AtHelloTLS, AtMail, AtRcpt, AtData, AtDot} {
			rows = append(rows, row{
				name: named("drop/%s at %s", how, p), script: at(p, Step{Then: how}),
				to: 2, want: lost(p), reasons: gone,
			})
		}
		rows = append(rows,
			row{
				name: named("drop/%s at the final dot of one recipient", how), script: at(AtDot, Step{Then: how}),
				want: unknown(), reasons: gone,
			},
			row{
				name: named("drop/%s after the final dot, taken", how), script: at(AtDot, Step{Then: how, Take: true}),
				want: unknown(), reasons: gone,
			},
			row{
				name: named("drop/%s in the middle of content", how), script: at(AtContent, Step{After: 1 << 20, Then: how}),
				to: 2, envelope: func(p *parcel) { p.grow(24 << 20) },
				want: deferred(), reasons: gone,
			},
			row{
				name: named("drop/%s before the final dot", how), script: at(AtContent, Step{Then: how}),
				to: 2, want: either(deferred(), unknown()), reasons: gone,
			},
		)
	}
	chunks := Script{Inside: inside("PIPELINING", "CHUNKING", "8BITMIME")}
	chunked := func(s Step) Script {
		script := chunks
		script.At = map[Point][]Step{AtDot: {s}}
		return script
	}
	return append(rows,
		row{name: "chunking/accepted", script: chunks, want: accepted()},
		row{name: "chunking/rejected at LAST", script: chunked(Step{Say: hostile("554 5.6.0")}), want: rejected(), code: 554},
		row{name: "chunking/dropped after LAST", script: chunked(Step{Then: Cut, Take: true}), want: unknown()},
		row{name: "chunking/unfinished reply to LAST", script: chunked(Step{Say: "250 ok", Then: Close}), want: unknown()},
		row{
			name:   "drop/552 in the middle of content, then closed",
			script: at(AtContent, Step{After: 1 << 20, Say: hostile("552 5.3.4"), Then: Close}),
			to:     2, envelope: func(p *parcel) { p.grow(24 << 20) },
			want: either(deferred(), rejected()),
		},
	)
}

// grow makes the content at least n bytes long.
func (p *parcel) grow(n int) {
	line := strings.Repeat("0123456789abcdef", 4) + "\r\n"
	p.fill([]byte(string(p.content) + strings.Repeat(line, n/len(line)+1)))
}

// slowRows: silence and slow loris end at the time limit of the command, not
// of the read (CWE-400, RFC 5321 section 4.5.3.2).
func slowRows() []row {
	var rows []row
	late := []transport.Reason{transport.ErrTimeout, transport.ErrTLSHandshake}
	for _, p := range []Point{AtGreeting, AtHello, AtStartTLS, AtHandshake, AtHelloTLS, AtMail, AtRcpt, AtData, AtDot} {
		want := lost(p)
		if p == AtHandshake {
			want = either(deferred(), refused())
		}
		rows = append(rows, row{
			name: named("slow/silence at %s", p), script: at(p, Step{Then: Mute}),
			to: 2, slow: true, want: want, reasons: late,
		})
	}
	for _, p := range []Point{AtGreeting, AtHello, AtMail, AtDot} {
		code, length := "250", 100
		switch p {
		case AtGreeting:
			code = "220"
		case AtDot:
			length = 400 // the final reply has ten times as long
		}
		drip := Step{Say: code + " " + strings.Repeat("x", length) + "\r\n", Pace: patience / 10}
		lines := Step{Say: code + "-x\r\n", Pace: patience / 10, Endless: true}
		rows = append(rows,
			row{name: named("slow/one byte at a time at %s", p), script: at(p, drip), to: 2, slow: true, want: lost(p), reasons: late},
			row{name: named("slow/one line at a time at %s", p), script: at(p, lines), to: 2, slow: true, want: lost(p), reasons: late},
		)
	}
	return append(rows, row{
		name: "slow/content is not read", script: at(AtContent, Step{After: 1 << 20, Then: Stall}),
		to: 2, slow: true, envelope: func(p *parcel) { p.grow(24 << 20) },
		want: deferred(), reasons: late,
	})
}

// cancelRows: the caller's context ends while the peer is silent.
func cancelRows() []row {
	var rows []row
	for _, p := range []Point{AtGreeting, AtHello, AtHandshake, AtHelloTLS, AtMail, AtData, AtDot} {
		want := either(deferred(), refused())
		if p == AtDot {
			want = unknown()
		}
		rows = append(rows, row{
			name: named("cancel/at %s", p), script: at(p, Step{Then: Mute}),
			to: 2, cancel: p, want: want, reasons: []transport.Reason{transport.ErrCanceled},
		})
	}
	return append(rows, row{
		name: "cancel/content is not read", script: at(AtContent, Step{After: 1 << 20, Then: Stall}),
		to: 2, cancel: AtContent, envelope: func(p *parcel) { p.grow(24 << 20) },
		want: either(deferred(), refused()), reasons: []transport.Reason{transport.ErrCanceled},
	})
}
