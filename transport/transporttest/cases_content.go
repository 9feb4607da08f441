package transporttest

import (
	"bytes"
	"strings"

	"github.com/phimail/sdk/transport"
)

// contentCases: bytes are delivered as they are or not at all, and nothing in
// them or in an address can speak to the peer (CVE-2023-51764 as a class).
func contentCases() []testCase {
	bad := map[string]string{
		"bare CR":                    "a\rb",
		"bare LF":                    "a\nb",
		"NUL":                        "a\x00b",
		"bare CR before CRLF":        "a\r\r\nb",
		"bare CR at a block's end":   strings.Repeat("x", 4095) + "\rb",
		"smuggled LF dot LF":         "a\n.\nMAIL FROM:<x@x.example>\r\n",
		"smuggled LF dot CRLF":       "a\n.\r\nMAIL FROM:<x@x.example>\r\n",
		"smuggled CRLF dot LF":       "a\r\n.\nMAIL FROM:<x@x.example>\r\n",
		"smuggled CR dot CR":         "a\r.\rMAIL FROM:<x@x.example>\r\n",
		"smuggled CRLF dot CR":       "a\r\n.\rMAIL FROM:<x@x.example>\r\n",
		"smuggled CRLF NUL dot CRLF": "a\r\n\x00.\r\nMAIL FROM:<x@x.example>\r\n",
	}
	var cases []testCase
	for _, name := range sorted(bad) {
		cases = append(cases, testCase{"content/" + name, badContent(func(p *parcel) {
			p.fill([]byte(string(p.content) + bad[name] + "\r\nend\r\n"))
		})})
	}
	for _, end := range []string{"\r", "\n"} {
		cases = append(cases, testCase{named("content/bare %q at the end", end), badContent(func(p *parcel) {
			p.fill([]byte(string(p.content) + "x" + end))
		})})
	}
	good := map[string]string{
		"a dot alone on each line":     strings.Repeat(".\r\n", 500),
		"dots and empty lines":         "\r\n.\r\n\r\n..\r\n...\r\n\r\n",
		"a dot on the last line":       "x\r\n.\r\n",
		"commands as text":             "\r\n.\r\nMAIL FROM:<x@x.example>\r\nRCPT TO:<y@y.example>\r\nDATA\r\nQUIT\r\n",
		"lines that straddle a block":  strings.Repeat(strings.Repeat("x", 62)+"\r\n.", 500) + "\r\n",
		"lines of 998 bytes":           strings.Repeat(strings.Repeat("y", 998)+"\r\n", 20),
		"a CRLF at every block's edge": strings.Repeat(strings.Repeat("z", 510)+"\r\n", 64),
	}
	for _, name := range sorted(good) {
		cases = append(cases, testCase{"content/" + name, func(t tb, k *kit) {
			r := newRig(t, k, nil)
			p := r.parcel(1)
			p.fill([]byte(string(p.content) + good[name]))
			out := r.send(p)
			r.truthful(p, out)
			r.want(out, accepted())
		}})
	}
	return append(cases,
		testCase{"content/larger than its size", badContent(func(p *parcel) { p.Size-- })},
		testCase{"content/smaller than its size", badContent(func(p *parcel) { p.Size++ })},
		testCase{"content/empty, with a size", badContent(func(p *parcel) { p.content = nil })},
		testCase{"content/no CRLF at the end", caseNoFinalCRLF},
		testCase{"address/command in a recipient", badAddress(func(p *parcel, evil string) { p.To[1].Address = evil })},
		testCase{"address/command in the sender", badAddress(func(p *parcel, evil string) { p.From.Address = evil })},
	)
}

func badContent(change func(*parcel)) func(tb, *kit) {
	return func(t tb, k *kit) {
		r := newRig(t, k, nil)
		p := r.parcel(2)
		change(p)
		out := r.send(p)
		r.want(out, refused(), transport.ErrContent)
		r.noneDelivered()
		if r.server == nil {
			return
		}
		for _, s := range r.server.Sessions() {
			if s.Count("MAIL") > 1 {
				t.Errorf("a command in the content reached the peer as one")
			}
		}
	}
}

// caseNoFinalCRLF: DATA can't carry such content, so the transport refuses it
// or ends the line (RFC 5321 section 4.1.1.4).
func caseNoFinalCRLF(t tb, k *kit) {
	r := newRig(t, k, nil)
	p := r.parcel(1)
	whole := p.content
	p.fill(bytes.TrimSuffix(whole, []byte("\r\n")))
	out := r.send(p)
	r.want(out, either(accepted(), refused()), transport.ErrContent)
	for _, m := range r.delivered() {
		if bytes.Equal(m.Data, whole) {
			p.content = whole
		}
	}
	r.truthful(p, out)
}

// badAddress: a line end in an address is a command to the peer. Whether that
// is misuse or a refusal, nothing is delivered to anybody.
func badAddress(change func(p *parcel, evil string)) func(tb, *kit) {
	return func(t tb, k *kit) {
		for _, evil := range []string{
			"a@x.example>\r\nRCPT TO:<b@x.example",
			"\"a\r\nRCPT TO:<b@x.example>\r\n\"@x.example",
			"a@x.example\r\nDATA",
			"a@x.example\nDATA",
			"a@x.example\rDATA",
			"a@x.example\x00",
			"a@x.example> SIZE=1",
			"<a@x.example>",
			"@",
		} {
			r := newRig(t, k, nil)
			p := r.parcel(3)
			change(p, evil)
			out := r.send(p)
			if out.err != nil {
				r.noneDelivered()
				continue
			}
			r.checkInjection(p, out, evil)
		}
	}
}

func (r *rig) checkInjection(p *parcel, out outcome, evil string) {
	r.t.Helper()
	for i, rr := range out.Recipients {
		if rr.Status == transport.Accepted && (p.To[i].Address == evil || p.From.Address == evil) {
			r.t.Errorf("the address %q was accepted", evil)
		}
	}
	if r.server == nil {
		return
	}
	for _, s := range r.server.Sessions() {
		for _, c := range s.Commands {
			if strings.Contains(c.Line, "x.example") {
				r.t.Errorf("the address %q reached the peer as %q", evil, c.Line)
			}
		}
	}
}
