package transporttest

import "github.com/phimail/sdk/transport"

// authRows: credentials travel inside verified TLS only, and a peer that plays
// with them gets nowhere (RFC 4954). The kit's credentials are accepted by any
// script that has none.
func authRows() []row {
	reasons := []transport.Reason{transport.ErrAuth, transport.ErrProtocol}
	ours := either(refused(), rejected())
	challenge := Step{Say: "334 VXNlcm5hbWU6\r\n"}
	rows := []row{
		{name: "auth/wrong credentials", script: Script{Username: "someone", Password: "else"}, want: ours, reasons: reasons},
		{name: "auth/535", script: at(AtAuth, Step{Say: hostile("535 5.7.8")}), want: ours, reasons: reasons},
		{name: "auth/534", script: at(AtAuth, Step{Say: hostile("534 5.7.9")}), want: ours, reasons: reasons},
		{name: "auth/454", script: at(AtAuth, Step{Say: hostile("454 4.7.0")}), want: deferred(), reasons: append(reasons, transport.ErrReply)},
		{name: "auth/offered before TLS only", script: Script{Clear: []string{"STARTTLS", "AUTH PLAIN LOGIN"}, Inside: Keywords()}, want: ours, reasons: reasons},
		{name: "auth/no mechanism in common", script: Script{Inside: append(Keywords(), "AUTH X-"+PeerMark)}, want: ours, reasons: reasons},
		{
			name:   "auth/endless challenges",
			script: Script{At: map[Point][]Step{AtAuth: {challenge}, AtAuthNext: {challenge}}},
			want:   either(refused(), rejected(), deferred()), reasons: reasons,
			after: func(t tb, r *rig, _ outcome) {
				if n := len(r.firstSession().Commands); n > 20 {
					t.Errorf("the client answered endlessly: %d commands", n)
				}
			},
		},
		{
			name:   "auth/challenge that is not base64",
			script: Script{At: map[Point][]Step{AtAuth: {{Say: "334 ?!" + PeerMark + "\r\n"}}, AtAuthNext: {{Say: hostile("501 5.5.2")}}}},
			want:   either(refused(), rejected(), deferred()), reasons: reasons,
		},
		{
			name:   "auth/success before the client asked",
			script: at(AtHelloTLS, Step{Say: helloReply(inside("PIPELINING")) + "235 2.7.0 ok\r\n"}),
			want:   deferred(), reasons: []transport.Reason{transport.ErrProtocol},
		},
		{
			name: "auth/250 in place of 235", script: at(AtAuth, Step{Say: hostile("250 2.7.0")}),
			want: either(refused(), rejected(), deferred()), reasons: reasons,
		},
		{name: "auth/connection closed", script: at(AtAuth, Step{Then: Cut}), want: deferred(), reasons: []transport.Reason{transport.ErrDropped}},
		{name: "auth/silence", script: at(AtAuth, Step{Then: Mute}), slow: true, want: deferred(), reasons: []transport.Reason{transport.ErrTimeout}},
	}
	for i := range rows {
		rows[i].noMail = true
	}
	return append(rows,
		row{name: "auth/accepted", script: Script{NeedAuth: true}, want: accepted()},
		row{name: "auth/LOGIN only", script: Script{NeedAuth: true, Inside: []string{"AUTH LOGIN"}}, want: accepted()},
		row{name: "auth/PLAIN only, lower case", script: Script{NeedAuth: true, Inside: []string{"auth plain"}}, want: accepted()},
	)
}
