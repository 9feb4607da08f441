package transporttest

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/phimail/sdk/transport"
)

func hostileRows(f Features) []row {
	rows := startTLSRows()
	rows = append(rows, injectionRows(f)...)
	rows = append(rows, handshakeRows()...)
	rows = append(rows, certificateRows()...)
	rows = append(rows, replyRows()...)
	rows = append(rows, syntaxRows()...)
	rows = append(rows, dropRows()...)
	rows = append(rows, slowRows()...)
	rows = append(rows, recipientRows()...)
	rows = append(rows, extensionRows(f)...)
	rows = append(rows, reuseRows()...)
	rows = append(rows, cancelRows()...)
	if f.Auth {
		rows = append(rows, authRows()...)
	}
	if f.Implicit {
		rows = append(rows, implicitRows()...)
	}
	return rows
}

// startTLSRows: a peer without STARTTLS gets nothing (RFC 3207 section 6).
func startTLSRows() []row {
	rows := []row{
		{name: "starttls/not offered", script: Script{Clear: []string{"PIPELINING", "AUTH PLAIN"}}},
		{name: "starttls/masked", script: Script{Clear: []string{"PIPELINING", "XXXXXXXA", "AUTH PLAIN"}}},
		{name: "starttls/no keywords", script: Script{Clear: []string{}}},
		{name: "starttls/only as a parameter", script: Script{Clear: []string{"X STARTTLS", "XSTARTTLS", "STARTTLSX"}}},
		{name: "starttls/rejected 454", script: at(AtStartTLS, Step{Say: hostile("454 4.7.0")})},
		{name: "starttls/rejected 502", script: at(AtStartTLS, Step{Say: hostile("502 5.5.1")})},
		{name: "starttls/rejected 554", script: at(AtStartTLS, Step{Say: hostile("554 5.7.0")})},
		{name: "starttls/answered 250", script: at(AtStartTLS, Step{Say: hostile("250 2.0.0")})},
		{name: "starttls/EHLO refused, HELO left", script: at(AtHello, Step{Say: hostile("502 5.5.1")})},
	}
	for i := range rows {
		rows[i].want, rows[i].bare = refused(), true
		rows[i].reasons = []transport.Reason{transport.ErrTLSRequired}
	}
	sealed := rows[0]
	sealed.name += ", sealed content"
	sealed.envelope = func(p *parcel) { p.Sealed = true }
	stripped := row{
		name:    "starttls/stripped on reconnect",
		scripts: []Script{at(AtIdle, Step{Then: Close}), {Clear: []string{"PIPELINING"}}},
		first:   accepted(), want: refused(), noMail: true,
		reasons: []transport.Reason{transport.ErrTLSRequired},
	}
	return append(rows, sealed, stripped, row{
		name:   "starttls/lower case",
		script: Script{Clear: []string{"pipelining", "starttls"}},
		want:   accepted(),
	})
}

// injectionRows: what a man in the middle puts before the handshake has no say
// after it (CVE-2011-0411 as a class), and a reply counts only after its
// command.
func injectionRows(f Features) []row {
	rows := []row{
		{name: "injection/EHLO reply behind 220", script: at(AtStartTLS, Step{Say: "220 go\r\n" + helloReply(inside("SIZE 1"))})},
		{name: "injection/one byte behind 220", script: at(AtStartTLS, Step{Say: "220 go\r\n2"})},
		{name: "injection/a session behind 220", script: at(AtStartTLS, Step{Say: "220 go\r\n250 a\r\n235 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n"})},
	}
	for i := range rows {
		rows[i].want, rows[i].bare = refused(), true
		rows[i].reasons = []transport.Reason{transport.ErrPlaintextInjection, transport.ErrTLSHandshake}
	}
	early := []row{
		{name: "injection/EHLO reply with the greeting", script: at(AtGreeting, Step{Say: "220 hi\r\n" + helloReply([]string{"STARTTLS"})})},
		{name: "injection/STARTTLS reply with EHLO's", script: at(AtHello, Step{Say: helloReply([]string{"STARTTLS"}) + "220 go\r\n"})},
		{name: "injection/PREAUTH-like replies", script: at(AtGreeting, Step{Say: "220 hi\r\n235 2.7.0 " + PeerMark + "\r\n250 2.0.0 ok\r\n"})},
	}
	for i := range early {
		early[i].want, early[i].bare = either(deferred(), refused()), true
		early[i].reasons = []transport.Reason{transport.ErrProtocol, transport.ErrPlaintextInjection}
	}
	mail := row{
		name:   "injection/early replies inside TLS",
		script: at(AtHelloTLS, Step{Say: helloReply(inside("PIPELINING")) + "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n"}),
		want:   deferred(), noMail: true,
		reasons: []transport.Reason{transport.ErrProtocol},
	}
	hello := row{
		name:   "injection/EHLO reply right after the handshake",
		script: at(AtTLS, Step{Say: helloReply(inside("PIPELINING"))}),
		// The bytes may come before or after the client's EHLO: in the second
		// case only the surplus reply shows it. A client without credentials may
		// find it no sooner than by the replies to MAIL and RCPT.
		want: either(deferred(), refused()), reasons: []transport.Reason{transport.ErrProtocol},
		noMail: f.Auth, noContent: true,
	}
	return append(append(rows, early...), mail, hello)
}

// handshakeRows: a handshake that fails, or that NIST SP 800-52r2 does not
// allow.
func handshakeRows() []row {
	const alert = "\x15\x03\x03\x00\x02\x02\x28" // fatal handshake_failure
	rows := []row{
		{name: "tls/garbage", script: at(AtHandshake, Step{Say: "\x00\xff\x13\x37" + PeerMark + "\r\n", Then: Close})},
		{name: "tls/an SMTP reply", script: at(AtHandshake, Step{Say: hostile("250 2.0.0"), Then: Close})},
		{name: "tls/alert", script: at(AtHandshake, Step{Say: alert, Then: Close})},
		{name: "tls/truncated record", script: at(AtHandshake, Step{Say: "\x16\x03\x03\x40\x00\x02", Then: Close})},
		{name: "tls/connection closed", script: at(AtHandshake, Step{Then: Close})},
		{name: "tls/connection reset", script: at(AtHandshake, Step{Then: Reset})},
		{name: "tls/version 1.0", script: Script{TLS: oldTLS(tls.VersionTLS10)}},
		{name: "tls/version 1.1", script: Script{TLS: oldTLS(tls.VersionTLS11)}},
		{name: "tls/CBC suite", script: Script{TLS: TLS{MaxVersion: tls.VersionTLS12, Suites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}}}},
		{name: "tls/RSA key exchange", cert: ValidRSA, script: Script{TLS: TLS{MaxVersion: tls.VersionTLS12, Suites: []uint16{
			tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384}}}},
		{name: "tls/ChaCha20", script: Script{TLS: TLS{MaxVersion: tls.VersionTLS12, Suites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}}}},
	}
	for i := range rows {
		rows[i].want, rows[i].bare = refused(), true
		rows[i].reasons = []transport.Reason{transport.ErrTLSHandshake, transport.ErrTLSPolicy}
	}
	return append(rows,
		row{name: "tls/version 1.2 with AES-GCM", want: accepted(), script: Script{TLS: TLS{MaxVersion: tls.VersionTLS12}}},
		row{
			name: "tls/capabilities from before are forgotten", want: accepted(),
			script: Script{Clear: []string{"STARTTLS", "SIZE 10", "REQUIRETLS", "CHUNKING", "PIPELINING"}, Inside: inside()},
			after: func(t tb, r *rig, _ outcome) {
				if s := r.firstSession(); s.Saw("BDAT") || s.Pipelined {
					t.Errorf("an extension was used that was offered only before TLS (RFC 3207 section 4.2)")
				}
			},
		},
		row{
			// Inside TLS 1.3 the client learns of it after its own handshake.
			name: "tls/client certificate is asked for", script: Script{TLS: TLS{ClientCAs: x509.NewCertPool()}},
			want: either(refused(), deferred()), noMail: true,
		},
		row{
			name: "tls/plaintext inside the stream", script: at(AtMail, Step{Raw: "250 2.1.0 ok\r\n250 2.1.5 ok\r\n"}),
			to: 2, want: deferred(), noContent: true,
		},
		row{
			name: "tls/truncated after the dot", script: at(AtDot, Step{Say: "250 2.0.0 ok", Then: Cut}),
			want: unknown(),
		},
	)
}

// implicitRows: TLS from the first byte (RFC 8314).
func implicitRows() []row {
	rows := []row{
		{name: "implicit/accepted", want: accepted()},
		{name: "implicit/wrong host", cert: WrongHost, want: refused(), bare: true,
			reasons: []transport.Reason{transport.ErrCertificate}, badCert: []transport.CertificateReason{transport.CertWrongHost}},
		{name: "implicit/peer speaks in clear", script: at(AtHandshake, Step{Say: "220 hi " + PeerMark + "\r\n", Then: Mute}),
			want: refused(), bare: true, reasons: []transport.Reason{transport.ErrTLSHandshake}},
		{name: "implicit/silent", script: at(AtHandshake, Step{Then: Mute}), slow: true,
			want: either(refused(), deferred()), bare: true,
			reasons: []transport.Reason{transport.ErrTLSHandshake, transport.ErrTimeout}},
	}
	for i := range rows {
		rows[i].script.TLS.Implicit = true
	}
	return rows
}
