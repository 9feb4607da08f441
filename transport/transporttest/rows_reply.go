package transporttest

import (
	"strings"

	"github.com/phimail/sdk/transport"
)

// replyRows: 4xx and 5xx at each command (RFC 5321 section 4.2). The peer's
// words, which may echo ours, go nowhere.
func replyRows() []row {
	reply := []transport.Reason{transport.ErrReply}
	noTLS := []transport.Reason{transport.ErrTLSRequired, transport.ErrReply}
	rows := []row{
		{name: "reply/421 as greeting", script: at(AtGreeting, Step{Say: hostile("421 4.3.2"), Then: Close}), want: deferred(), reasons: reply, code: 421, bare: true},
		{name: "reply/554 as greeting", script: at(AtGreeting, Step{Say: hostile("554 5.3.2")}), want: either(deferred(), rejected()), reasons: reply, code: 554, bare: true},
		{name: "reply/421 to EHLO", script: at(AtHello, Step{Say: hostile("421 4.3.2"), Then: Close}), want: either(deferred(), refused()), reasons: noTLS, bare: true},
		{name: "reply/421 to STARTTLS", script: at(AtStartTLS, Step{Say: hostile("421 4.3.2"), Then: Close}), want: either(deferred(), refused()), reasons: noTLS, bare: true},
		{name: "reply/451 to EHLO inside TLS", script: at(AtHelloTLS, Step{Say: hostile("451 4.3.0")}), want: deferred(), reasons: reply, code: 451, noMail: true},
		{name: "reply/550 to EHLO inside TLS", script: at(AtHelloTLS, Step{Say: hostile("550 5.7.1")}), want: either(deferred(), rejected()), reasons: reply, code: 550, noMail: true},
	}
	for _, p := range []Point{AtMail, AtRcpt, AtData, AtDot} {
		rows = append(rows,
			row{name: named("reply/450 to %s", p), script: at(p, Step{Say: hostile("450 4.2.1")}), want: deferred(), reasons: reply, code: 450},
			row{name: named("reply/550 to %s", p), script: at(p, Step{Say: hostile("550 5.7.1")}), want: rejected(), reasons: reply, code: 550},
			row{name: named("reply/552 to %s", p), script: at(p, Step{Say: hostile("552 5.3.4")}), want: either(rejected(), deferred()), code: 552},
			row{name: named("reply/421 to %s, then closed", p), script: at(p, Step{Say: hostile("421 4.3.2"), Then: Close}), to: 2, want: deferred(), code: 421},
			row{name: named("reply/several lines of 550 to %s", p), script: at(p, Step{Say: "550-5.7.1 a\r\n" + hostile("550 5.7.1")}), want: rejected(), code: 550},
		)
	}
	for i := range rows {
		// What is refused before the content needs none. A recipient that the
		// peer did not get to answer has no code.
		rows[i].noContent = rows[i].to == 2 && rows[i].script.At[AtDot] == nil
		if rows[i].to == 2 && rows[i].script.At[AtRcpt] != nil {
			rows[i].code = 0
		}
	}
	return append(rows, echoRows()...)
}

// echoRows: replies that repeat the message, forge log lines or draw on the
// terminal (CWE-117, CWE-150). What the peer repeats, the kit knows: its marks
// are looked for in every error of every row.
func echoRows() []row {
	texts := map[string]string{
		"ANSI":              "550 5.7.1 \x1b[2J\x1b[31m" + PeerMark + "\r\n",
		"forged log line":   "550 5.7.1 " + PeerMark + "\rlevel=INFO msg=accepted\r\n",
		"HTML":              "550 5.7.1 <script>" + PeerMark + "</script>\r\n",
		"format directives": "550 5.7.1 %s%n%!v(" + PeerMark + ")\r\n",
		"not UTF-8":         "550 5.7.1 \xff\xfe" + PeerMark + "\r\n",
		"enhanced code":     "550 5." + PeerMark + ".1 x\r\n",
	}
	var rows []row
	for _, p := range []Point{AtMail, AtDot} {
		for _, name := range sorted(texts) {
			rows = append(rows, row{
				name:   named("echo/%s in a reply to %s", name, p),
				script: at(p, Step{Say: texts[name]}),
				to:     2,
				// A bare CR or control bytes may be taken as a broken reply.
				want: map[Point][]transport.Status{
					AtMail: either(rejected(), deferred()),
					AtDot:  either(rejected(), unknown()),
				}[p],
			})
		}
	}
	return rows
}

// syntaxRows: only complete, well-formed replies count (RFC 5321 section
// 4.2). A bare code is one.
func syntaxRows() []row {
	var rows []row
	good := map[string]string{
		"a bare code":                    "250\r\n",
		"several lines":                  "250-first\r\n250-second\r\n250 last\r\n",
		"several lines, bare":            "250-\r\n250\r\n",
		"a space and no text":            "250 \r\n",
		"a line of 512 bytes":            "250 " + strings.Repeat("x", 506) + "\r\n",
		"without an enhanced code":       "250 fine\r\n",
		"with another enhanced code":     "250 2.1.99 fine\r\n",
		"twenty lines of a chatty relay": strings.Repeat("250-news\r\n", 19) + "250 end\r\n",
	}
	for _, p := range []Point{AtMail, AtRcpt, AtDot} {
		for _, name := range sorted(good) {
			rows = append(rows, row{name: named("syntax/%s in reply to %s", name, p), script: at(p, Step{Say: good[name]}), want: accepted()})
		}
	}
	for _, p := range []Point{AtGreeting, AtHello, AtMail, AtData, AtDot} {
		bad := badSyntax(p)
		for _, name := range sorted(bad) {
			rows = append(rows, row{
				name:    named("syntax/%s in reply to %s", name, p),
				script:  at(p, bad[name]),
				to:      2,
				want:    lost(p),
				reasons: []transport.Reason{transport.ErrProtocol, transport.ErrDropped, transport.ErrTLSRequired, transport.ErrReply},
			})
		}
	}
	return rows
}

// lost is what becomes of a message when the peer's reply at p can't be used.
func lost(p Point) []transport.Status {
	switch p {
	case AtDot:
		return unknown()
	case AtStartTLS, AtHello:
		return either(deferred(), refused()) // TLS was required and did not come about
	}
	return deferred()
}

func badSyntax(p Point) map[string]Step {
	code := map[Point]string{AtGreeting: "220", AtData: "354"}[p]
	if code == "" {
		code = "250"
	}
	return map[string]Step{
		"no CRLF, then closed":  {Say: code + " ok", Then: Close},
		"CR only, then closed":  {Say: code + " ok\r", Then: Close},
		"a continued line only": {Say: code + "-\r\n", Then: Close},
		"a bare LF":             {Say: code + " ok\n", Then: Close},
		"two digits":            {Say: code[:2] + "\r\n"},
		"four digits":           {Say: code + "0 ok\r\n"},
		"no separator":          {Say: code + "ok\r\n"},
		"letters":               {Say: "OK " + PeerMark + "\r\n"},
		"an empty line":         {Say: "\r\n"},
		"a leading space":       {Say: " " + code + " ok\r\n"},
		"first digit 0":         {Say: "050 ok\r\n"},
		"first digit 9":         {Say: "950 ok\r\n"},
		"codes that differ":     {Say: code + "-a\r\n251 b\r\n"},
		"binary":                {Say: "\x00\x01\x02\xff\xfe\r\n\x80\x81\r\n"},
		"a preliminary 1xx":     {Say: "150 " + PeerMark + "\r\n"},
		"a 10 MB line":          {Say: code + " ", Fill: 10 << 20},
		"endless bytes":         {Say: code + strings.Repeat("y", 4096), Endless: true},
		"endless lines":         {Say: strings.Repeat(code+"-more\r\n", 100), Endless: true},
	}
}
