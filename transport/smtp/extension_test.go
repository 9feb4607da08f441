package smtp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestSizeIsCheckedBeforeMail(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, nil, inside(fmt.Sprintf("SIZE %d", len(content))))
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
	want(t, send(t, tr, letterOf(content+"x\r\n", "p@patient.example"))[0], transport.Rejected, transport.ErrSize)
	if n := srv.Sessions()[0].Count("MAIL"); n != 1 {
		t.Errorf("MAIL came %d times", n)
	}
	none, _ := relay(t, nil, inside("SIZE 0")) // no limit named
	want(t, send(t, none, letter("p@patient.example"))[0], transport.Accepted)
}

func TestInternationalAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to, path, args string
		words          []string
		status         transport.Status
	}{
		{"p@bücher.example", "p@xn--bcher-kva.example", "", []string{"DSN"}, transport.Accepted},
		{"grüße@bücher.example", "grüße@xn--bcher-kva.example", " SMTPUTF8", []string{"SMTPUTF8", "8BITMIME"}, transport.Accepted},
		{"grüße@bücher.example", "", "", []string{"8BITMIME"}, transport.Rejected},
		{`two words@p.example`, `"two words"@p.example`, "", []string{"SIZE"}, transport.Accepted},
		{`quo"te\@p.example`, `"quo\"te\\"@p.example`, "", []string{"SIZE"}, transport.Accepted},
		{`a@b@p.example`, `"a@b"@p.example`, "", []string{"SIZE"}, transport.Accepted},
		{`a>b@p.example`, `"a>b"@p.example`, "", []string{"SIZE"}, transport.Accepted},
		{`.dot.@p.example`, `".dot."@p.example`, "", []string{"SIZE"}, transport.Accepted},
		{`p@[192.0.2.1]`, `p@[192.0.2.1]`, "", []string{"SIZE"}, transport.Accepted},
	} {
		t.Run(c.to, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, nil, inside(c.words...))
			r := send(t, tr, letter(c.to))[0]
			want(t, r, c.status)
			if c.status != transport.Accepted {
				want(t, r, c.status, transport.ErrSMTPUTF8)
				return
			}
			m := taken(t, srv, content, 1)[0]
			if !slices.Equal(m.To, []string{c.path}) || strings.Contains(m.MailArgs, "SMTPUTF8") != (c.args != "") {
				t.Errorf("went to %q with %q", m.To, m.MailArgs)
			}
		})
	}
}

func TestOneInternationalRecipientDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	tr, srv := relay(t, nil, inside("PIPELINING"))
	res := send(t, tr, letter("a@p.example", "grüße@p.example", "b@p.example"))
	want(t, res[0], transport.Accepted)
	want(t, res[1], transport.Rejected, transport.ErrSMTPUTF8)
	want(t, res[2], transport.Accepted)
	if m := taken(t, srv, content, 1)[0]; !slices.Equal(m.To, []string{"a@p.example", "b@p.example"}) {
		t.Errorf("went to %q", m.To)
	}
}

func TestEightBitContentIsDeclaredOrRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789012\r\n", 10_000)
	for name, body := range map[string]string{
		"early":     "Subject: s\r\n\r\nGrüße\r\n",
		"late":      "Subject: s\r\n\r\n" + long + "Grüße\r\n",
		"in header": "Subject: Grüße\r\n\r\nhi\r\n",
	} {
		for _, words := range [][]string{{"8BITMIME", "SMTPUTF8"}, {"8BITMIME", "SMTPUTF8", "CHUNKING", "PIPELINING"}, {"SIZE"}, {"CHUNKING"}} {
			t.Run(fmt.Sprint(name, words), func(t *testing.T) {
				t.Parallel()
				tr, srv := relay(t, nil, inside(words...))
				r := send(t, tr, letterOf(body, "p@patient.example"))[0]
				if words[0] != "8BITMIME" {
					want(t, r, transport.Rejected, transport.ErrEightBit)
					taken(t, srv, "", 0)
					return
				}
				want(t, r, transport.Accepted)
				args := taken(t, srv, body, 1)[0].MailArgs
				if !strings.Contains(args, "BODY=8BITMIME") || strings.Contains(args, "SMTPUTF8") != (name == "in header") {
					t.Errorf("MAIL parameters %q", args)
				}
			})
		}
	}
	tr, srv := relay(t, nil)
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
	if args := taken(t, srv, content, 1)[0].MailArgs; strings.Contains(args, "BODY") {
		t.Errorf("7-bit content declared as %q", args)
	}
}

func TestDeliveryReportsAreAskedForAsConfigured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dsn        smtp.DSN
		words      []string
		mail, rcpt string
	}{
		{smtp.DSN{}, []string{"DSN"}, "RET=HDRS", ""},
		{smtp.DSN{ReturnFull: true, EnvelopeID: true, Failure: true, Delay: true}, []string{"DSN"}, "RET=FULL ENVID=a+2Bb+3D1", "NOTIFY=FAILURE,DELAY"},
		{smtp.DSN{Never: true}, []string{"DSN"}, "RET=HDRS", "NOTIFY=NEVER"},
		{smtp.DSN{EnvelopeID: true, Success: true}, []string{"8BITMIME"}, "", ""},
	} {
		tr, srv := relay(t, func(cfg *smtp.Config) { cfg.DSN = c.dsn }, inside(c.words...))
		env := letter("p@patient.example")
		env.ID = "a+b=1"
		want(t, send(t, tr, env)[0], transport.Accepted)
		if m := taken(t, srv, content, 1)[0]; m.MailArgs != c.mail || m.RcptArgs[0] != c.rcpt {
			t.Errorf("%+v: MAIL %q, RCPT %q", c.dsn, m.MailArgs, m.RcptArgs)
		}
	}
}

func TestLimitsOfTheRelayAreKept(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{{"LIMITS RCPTMAX=2 MAILMAX=3", "PIPELINING"}, {"LIMITS RCPTMAX=2 MAILMAX=3", "CHUNKING"}} {
		for _, body := range []string{content, strings.Repeat("0123456789012\r\n", 10_000)} {
			tr, srv := relay(t, nil, inside(words...))
			env := letterOf(body, "1@p.example", "2@p.example", "3@p.example", "4@p.example", "5@p.example")
			for _, r := range send(t, tr, env) {
				want(t, r, transport.Accepted)
			}
			want(t, send(t, tr, letterOf(body, "6@p.example"))[0], transport.Accepted)
			got := taken(t, srv, body, 4)
			if len(got[0].To) != 2 || len(got[1].To) != 2 || len(got[2].To) != 1 {
				t.Errorf("groups %q %q %q", got[0].To, got[1].To, got[2].To)
			}
			if got[0].Session != got[2].Session || got[2].Session == got[3].Session {
				t.Error("MAILMAX was not kept")
			}
		}
	}
}

func TestManyRecipientsGoThroughOneTransaction(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{{"PIPELINING"}, {"SIZE"}, {"PIPELINING", "CHUNKING"}} {
		script := inside(words...)
		script.At = map[transporttest.Point][]transporttest.Step{transporttest.AtRcpt: {{Nth: 100, Say: "550 no\r\n"}}}
		tr, srv := relay(t, nil, script)
		var to []string
		for i := range 300 {
			to = append(to, fmt.Sprintf("p%d@patient.example", i))
		}
		for i, r := range send(t, tr, letter(to...)) {
			if i == 99 {
				want(t, r, transport.Rejected)
				continue
			}
			want(t, r, transport.Accepted)
		}
		if m := taken(t, srv, content, 1)[0]; !slices.Equal(m.To, append(to[:99:99], to[100:]...)) {
			t.Error("recipients lost or mixed up")
		}
	}
}
