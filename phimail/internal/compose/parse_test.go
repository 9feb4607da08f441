package compose_test

import (
	"errors"
	"net/mail"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// rebuild turns a parsed message into one to build.
func rebuild(p *compose.Parsed) *compose.Message {
	m := message()
	m.Text, m.HTML = "", ""
	if p.From.Address != "" {
		m.From = p.From
	}
	m.To, m.Cc, m.ReplyTo = p.To, p.Cc, p.ReplyTo
	m.Subject, m.InReplyTo, m.References, m.Header, m.Entity = p.Subject, p.InReplyTo, p.References, p.Header, p.Entity
	if !p.Date.IsZero() {
		m.Date = p.Date
	}
	return m
}

const ready = `From clinic Mon Mar  2 09:30:00 2026
Received: from a by b; Mon, 2 Mar 2026 09:30:00 -0500
Return-Path: <bounce@clinic.example>
DKIM-Signature: v=1; a=rsa-sha256; b=AAAA
ARC-Seal: i=1
Authentication-Results: clinic.example; dkim=pass
Message-ID: <old@clinic.example>
Delivered-To: hidden@home.example
X-Original-To: hidden@home.example
Sender: <no-reply@clinic.example>
From: Riverside Clinic <no-reply@clinic.example>
To: "Gómez, Ana" <ana@home.example>,
	=?iso-8859-1?q?J=FCrgen?= <juergen@home.example> (his work),
	Team: a@home.example, B <b@home.example>;
CC: undisclosed-recipients:;
Bcc: Hidden <hidden@home.example>
Reply-To: desk@BÜCHER.example
Subject: =?utf-8?B?R3LDvMOfZQ==?= aus
 der Klinik
Date: Mon, 2 Mar 2026 09:30:00 EST
In-Reply-To: <q@home.example>
References: Your message of Monday <p@home.example> junk
  <q@home.example>
X-Ticket: 17
list-unsubscribe: <https://clinic.example/u>
Content-Length: 20

Grüße
`

func TestReadyMessageIsTakenApart(t *testing.T) {
	t.Parallel()
	want := compose.Parsed{
		From: mail.Address{Name: "Riverside Clinic", Address: "no-reply@clinic.example"},
		To: []mail.Address{
			{Name: "Gómez, Ana", Address: "ana@home.example"}, {Name: "Jürgen", Address: "juergen@home.example"},
			{Address: "a@home.example"}, {Name: "B", Address: "b@home.example"},
		},
		Cc:         []mail.Address{},
		Bcc:        []mail.Address{{Name: "Hidden", Address: "hidden@home.example"}},
		ReplyTo:    []mail.Address{{Address: "desk@xn--bcher-kva.example"}},
		Subject:    "Grüße aus der Klinik",
		Date:       time.Date(2026, 3, 2, 9, 30, 0, 0, time.FixedZone("", -5*3600)),
		InReplyTo:  []string{"q@home.example"},
		References: []string{"p@home.example", "q@home.example"},
		Header:     []compose.Field{{Name: "X-Ticket", Value: "17"}, {Name: "list-unsubscribe", Value: "<https://clinic.example/u>"}},
	}
	for name, raw := range map[string]string{"lf": ready, "crlf": crlf(ready)} {
		got := parse(t, raw)
		raw := render(t, rebuild(got))
		got.Entity = nil
		if !got.Date.Equal(want.Date) {
			t.Errorf("%s: date %v", name, got.Date)
		}
		got.Date = want.Date
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: got\n%q\nwant\n%q", name, []any{got.From, got.To, got.Cc, got.Bcc, got.ReplyTo, got.Subject, got.Header}, want.To)
		}
		for _, gone := range []string{"hidden", "Hidden", "old@", "Received", "AAAA", "Content-Length", "Sender", "ARC-"} {
			if strings.Contains(raw, gone) {
				t.Errorf("%s: %s is still in\n%s", name, gone, raw)
			}
		}
		if l := readLeaves(t, raw); l[0].content != "Grüße\r\n" || !strings.Contains(raw, "Content-Type: text/plain; charset=utf-8\r\n") {
			t.Errorf("%s: got %q in\n%s", name, l[0].content, raw)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	six := "Content-Type: multipart/mixed; boundary=c\n\n" + strings.Repeat("--c\n\nx\n", 600) + "--c--\n"
	tests := map[string]struct {
		raw  string
		want []string
	}{
		"empty":               {"", []string{"message"}},
		"blank":               {"\r\n\r\n", []string{"message"}},
		"mbox line only":      {"From x\n", []string{"message"}},
		"nul":                 {"Subject: a\n\nb\x00", []string{"message"}},
		"nul in header":       {"Subject: a\x00\n\nb", []string{"message"}},
		"bare cr":             {"Subject: a\r\n\r\nb\rc\r\n", []string{"message"}},
		"bare cr in header":   {"Subject: a\rBcc: x@y\r\n\r\nb", []string{"message"}},
		"smuggled dot":        {"Subject: a\r\n\r\nb\r\n\r.\r\n", []string{"message"}},
		"no header":           {canary + "\nis the text\n", []string{"header[0]"}},
		"no blank line":       {"Subject: a\n" + canary + " is the text\n", []string{"header[1]"}},
		"starts folded":       {" " + canary + "\n\nb", []string{"header[0]"}},
		"from twice":          {"From: a@b.example\nFrom: " + canary + "@b.example\n\nx", []string{"From"}},
		"to twice":            {"To: a@b.example\ntO: " + canary + "@b.example\n\nx", []string{"To"}},
		"subject twice":       {"Subject: a\nSubject: " + canary + "\n\nx", []string{"Subject"}},
		"date twice":          {"Date: Mon, 2 Mar 2026 09:30:00 +0000\nDate : Mon, 2 Mar 2026 09:30:00 +0000\n\nx", []string{"Date"}},
		"type twice":          {"Content-Type: text/plain\nContent-Type: text/html\n\nx", []string{"Content-Type"}},
		"unknown twice":       {"Content-" + canary + ": 1\nContent-" + canary + ": 2\n\nx", []string{"header[1]"}},
		"resent":              {"Resent-" + canary + ": x\n\nx", []string{"header[0]"}},
		"weaker tls":          {"TLS-Required: No\n\nx", []string{"TLS-Required"}},
		"other sender":        {"From: a@b.example\nSender: " + canary + "@b.example\n\nx", []string{"Sender"}},
		"two from":            {"From: a@b.example, " + canary + "@b.example\n\nx", []string{"From"}},
		"empty from":          {"From:\n\nx", []string{"From"}},
		"bad to":              {"To: a@b.example, \"c, d\" (e, f) <c@b.example>, " + canary + ", g@b.example\n\nx", []string{"To[2]"}},
		"bad in group":        {"To: g: a@b.example, " + canary + ";\n\nx", []string{"To[0]"}},
		"refused address":     {"Cc: a@b.example, " + canary + "@[127.0.0.1]\n\nx", []string{"Cc[1]"}},
		"line in name":        {"Bcc: =?utf-8?q?" + canary + "=0D=0A?= <a@b.example>\n\nx", []string{"Bcc[0]"}},
		"unknown charset":     {"Reply-To: =?" + canary + "?q?x?= <a@b.example>\n\nx", []string{"Reply-To[0]"}},
		"line in subject":     {"Subject: =?utf-8?q?" + canary + "=0D=0ABcc:_x?=\n\nx", []string{"Subject"}},
		"latin1 subject":      {"Subject: " + canary + "\xe9\n\nx", []string{"Subject"}},
		"latin1 to":           {"To: " + canary + "\xe9 <a@b.example>\n\nx", []string{"To[0]"}},
		"bad date":            {"Date: " + canary + "\n\nx", []string{"Date"}},
		"early date":          {"Date: Mon, 2 Mar 1826 09:30:00 +0000\n\nx", []string{"Date"}},
		"control in field":    {"X-A: ok\nX-B: " + canary + "\x1b\n\nx", []string{"header[1]"}},
		"odd field name":      {canary + ".x: 1\n\nx", []string{"header[0]"}},
		"large header":        {"X-A: " + strings.Repeat("a ", 140<<10) + "\n\nx", []string{"header"}},
		"many fields":         {strings.Repeat("X-A: 1\n", 1001) + "\nx", []string{"header"}},
		"many references":     {"References: " + strings.Repeat("<a@b>\n ", 1001) + "\n\nx", []string{"References"}},
		"no boundary":         {"Content-Type: multipart/mixed\n\nx", []string{"entity"}},
		"malformed boundary":  {"Content-Type: multipart/mixed; boundary=a b c\n\n--a\n\nx\n--a--\n", []string{"entity"}},
		"no delimiter":        {"Content-Type: multipart/mixed; boundary=b\n\nx", []string{"entity"}},
		"cut off":             {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n", []string{"entity"}},
		"no parts":            {"Content-Type: multipart/mixed; boundary=b\n\n--b--\n", []string{"entity"}},
		"many parts":          {"Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 1001) + "--b--\n", []string{"entity"}},
		"many parts in two":   {"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + six + "\n--b\n" + six + "\n--b--\n", []string{"entity"}},
		"latin1 parameter":    {"Content-Type: text/plain; name=\"" + canary + "\xe9\"\n\nx\n", []string{"entity"}},
		"latin1 file name":    {"Content-Disposition: attachment; filename=\"" + canary + "\xe9\"\n\nx\n", []string{"entity"}},
		"many part fields":    {"Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n"+strings.Repeat("X-A: 1\n", 20)+"\nx\n", 60) + "--b--\n", []string{"entity"}},
		"encoded multipart":   {"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n", []string{"entity"}},
		"part without header": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + canary + "\n\nx\n--b--\n", []string{"entity"}},
		"part type twice":     {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nContent-Type: text/html\n\nx\n--b--\n", []string{"entity"}},
		"no such type":        {"Content-Type: " + canary + "\n\nx", []string{"entity"}},
		"parameter twice":     {"Content-Type: text/plain; charset=a; charset=b\n\nx", []string{"entity"}},
		"8-bit base64":        {"Content-Transfer-Encoding: base64\n\n\xe9\xe9\n", []string{"entity"}},
		"8-bit uuencode":      {"Content-Transfer-Encoding: x-uuencode\n\n\xe9\xe9\n", []string{"entity"}},
		"odd encoding":        {"Content-Transfer-Encoding: a b\n\nx\n", []string{"entity"}},
		"8-bit binary":        {"Content-Type: image/png\nContent-Transfer-Encoding: binary\n\n\x89PNG\n", []string{"entity"}},
		"8-bit report":        {"Content-Type: message/delivery-status\n\n\xe9\n", []string{"entity"}},
		"8-bit type":          {"Content-Type: text/plain; charset=\xe9\n\nx\n", []string{"entity"}},
		"8-bit content id":    {"Content-ID: <\xc3\xa9>\n\nx\n", []string{"entity"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := compose.Parse(strings.NewReader(tt.raw), compose.Limits{})
			if got := faultsOf(err); !slices.Equal(got, tt.want) {
				t.Errorf("faults %q, want %q (%v)", got, tt.want, err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%v repeats the message", err)
			}
		})
	}
}

func TestParseKeepsItsLimits(t *testing.T) {
	t.Parallel()
	for depth, ok := range map[int]bool{20: true, 21: false} {
		raw := "\nx\n"
		for i := range depth {
			b := "b" + strconv.Itoa(i)
			raw = "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n" + raw + "\n--" + b + "--\n"
		}
		if _, err := compose.Parse(strings.NewReader(raw), compose.Limits{}); (err == nil) != ok {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
	raw := "Subject: a\r\n\r\n12345\r\n"
	for limit, ok := range map[int64]bool{int64(len(raw)) - 1: false, int64(len(raw)): true} {
		for _, in := range []string{raw, lf(raw)} {
			_, err := compose.Parse(strings.NewReader(in), compose.Limits{MaxBytes: limit})
			if (err == nil) != ok {
				t.Errorf("limit %d, %d bytes: %v", limit, len(in), err)
			}
		}
	}
	_, err := compose.Parse(broken{errors.New(canary)}, compose.Limits{})
	if got := faultsOf(err); !slices.Equal(got, []string{"message"}) || strings.Contains(err.Error(), canary) {
		t.Errorf("err = %v", err)
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw  string
		want func(*compose.Parsed) bool
	}{
		"no from":            {"Subject: a\n\nx", func(p *compose.Parsed) bool { return p.From.Address == "" && p.Subject == "a" }},
		"no body":            {"Subject: a\n", func(p *compose.Parsed) bool { return p.Entity != nil }},
		"no header":          {"\nx\n", func(p *compose.Parsed) bool { return p.Subject == "" }},
		"mixed header only":  {"Subject: a\r\nX-A: b\n\r\nx\r\n", func(p *compose.Parsed) bool { return len(p.Header) == 1 }},
		"space before colon": {"From : a@b.example\nSubject : s\n\nx", func(p *compose.Parsed) bool { return p.From.Address == "a@b.example" && p.Subject == "s" }},
		"raw utf-8": {"To: Jürgen <jürgen@b.example>\nSubject: Grüße\n\nx", func(p *compose.Parsed) bool {
			return p.To[0] == mail.Address{Name: "Jürgen", Address: "jürgen@b.example"} && p.Subject == "Grüße"
		}},
		"quoted local":       {"To: \"a b\"@b.example\n\nx", func(p *compose.Parsed) bool { return p.To[0].Address == `"a b"@b.example` }},
		"empty lists":        {"To:\nCc: \nBcc: undisclosed-recipients:;\n\nx", func(p *compose.Parsed) bool { return len(p.To)+len(p.Cc)+len(p.Bcc) == 0 }},
		"obsolete comma":     {"To: ,a@b.example,,b@b.example,\n\nx", func(p *compose.Parsed) bool { return len(p.To) == 2 }},
		"unknown charset":    {"Subject: =?x-zoo?q?a?=\n\nx", func(p *compose.Parsed) bool { return p.Subject == "=?x-zoo?q?a?=" }},
		"japanese charset":   {"Subject: =?iso-2022-jp?b?GyRCTT1McxsoQg==?=\n\nx", func(p *compose.Parsed) bool { return p.Subject == "予約" }},
		"split character":    {"Subject: =?utf-8?q?=C3?= =?utf-8?q?=A9?=\n\nx", func(p *compose.Parsed) bool { return p.Subject == "é" }},
		"half a character":   {"Subject: =?utf-8?q?=C3?=\n\nx", func(p *compose.Parsed) bool { return p.Subject == "=?utf-8?q?=C3?=" }},
		"date with comment":  {"Date: Mon, 2 Mar 2026 09:30:00 +0100 (CET)\n\nx", func(p *compose.Parsed) bool { return p.Date.Unix() == 1772440200 }},
		"identifiers of old": {"In-Reply-To: Your mail <a b@c> <ok@c> <open\n\nx", func(p *compose.Parsed) bool { return slices.Equal(p.InReplyTo, []string{"ok@c"}) }},
		"not allowed yet":    {"Zoo: 1\n\nx", func(p *compose.Parsed) bool { return p.Header[0].Name == "Zoo" }},
		"folded field":       {"X-A: one\n\ttwo\n  three\n\nx", func(p *compose.Parsed) bool { return p.Header[0].Value == "one two three" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, tt.raw)
			if !tt.want(p) {
				t.Errorf("got from %q, to %q, subject %q, date %v, ids %q, header %v", p.From, p.To, p.Subject, p.Date, p.InReplyTo, len(p.Header))
			}
			render(t, rebuild(p))
		})
	}
}

func TestDatesWithNamedZonesAreNotTakenForUTC(t *testing.T) {
	t.Parallel()
	for _, date := range []string{
		"09:30:00 +0100", "08:30:00 GMT", "08:30:00 UT", "08:30:00 -0000", "04:30:00 EDT", "03:30:00 EST", "03:30:00 CDT",
		"02:30:00 CST", "02:30:00 MDT", "01:30:00 MST", "01:30:00 PDT", "00:30:00 PST",
	} {
		if got := parse(t, "Date: Mon, 2 Mar 2026 "+date+"\n\nx").Date; got.Unix() != 1772440200 {
			t.Errorf("%s: got %v", date, got)
		}
	}
}
