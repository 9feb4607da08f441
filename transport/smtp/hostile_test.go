package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/smtp"
	"github.com/phimail/sdk/transport/transporttest"
)

// The points at which a reply is due, and whether it is the last word about
// the message.
var replyPoints = []struct {
	at     transporttest.Point
	stage  transport.Stage
	commit bool
}{
	{transporttest.AtGreeting, transport.StageGreeting, false},
	{transporttest.AtHello, transport.StageHello, false},
	{transporttest.AtStartTLS, transport.StageStartTLS, false},
	{transporttest.AtHelloTLS, transport.StageHello, false},
	{transporttest.AtAuth, transport.StageAuth, false},
	{transporttest.AtMail, transport.StageMail, false},
	{transporttest.AtRcpt, transport.StageRcpt, false},
	{transporttest.AtData, transport.StageData, false},
	{transporttest.AtDot, transport.StageCommit, true},
}

const mark = transporttest.PeerMark

func TestHostileRepliesNeverCountAsSuccess(t *testing.T) {
	t.Parallel()
	steps := map[string]transporttest.Step{
		"unfinished line":   {Say: "250 ok " + mark, Then: transporttest.Close},
		"two digits":        {Say: "25", Then: transporttest.Cut},
		"unfinished reply":  {Say: "250-ok\r\n", Then: transporttest.Close},
		"bare LF":           {Say: "250 ok\n", Then: transporttest.Mute},
		"not a number":      {Say: mark + "\r\n"},
		"code out of range": {Say: "999 ok\r\n"},
		"mixed codes":       {Say: "250-ok\r\n251 ok\r\n"},
		"long line":         {Say: "250 " + strings.Repeat("x", 4<<10) + "\r\n"},
		"endless line":      {Say: strings.Repeat("2", 4<<10), Endless: true},
		"endless reply":     {Say: "250-" + strings.Repeat("x", 500) + "\r\n", Endless: true},
		"many short lines":  {Say: strings.Repeat("250-\r\n", 200) + "250 \r\n"},
		"binary":            {Say: "\x00\x01\xff\xfe\r\n"},
		"closed":            {Then: transporttest.Close},
		"cut":               {Then: transporttest.Cut},
		"reset":             {Then: transporttest.Reset},
		"TLS garbage":       {Raw: "\x17\x03\x03\x00\x05hello\r\n", Then: transporttest.Mute},
	}
	for name, step := range steps {
		for _, p := range replyPoints {
			t.Run(name+" at "+string(p.at), func(t *testing.T) {
				t.Parallel()
				tr, srv := relay(t, func(c *smtp.Config) { c.Credentials = smtp.Password("u", "pw-secret") }, at(p.at, step))
				r := send(t, tr, letter("p@patient.example"))[0]
				switch {
				case p.commit && r.Status != transport.Unknown:
					t.Errorf("status %v (%v), want unknown", r.Status, r.Err)
				case !p.commit && r.Status != transport.Deferred && r.Status != transport.Refused:
					t.Errorf("status %v (%v)", r.Status, r.Err)
				}
				if s := fmt.Sprintf("%+v %#v %s", r.Err, r.Err, r.Err); strings.Contains(s, mark) || strings.Contains(s, "pw-secret") {
					t.Errorf("leaked: %s", s)
				}
				if !p.commit {
					taken(t, srv, "", 0)
				}
			})
		}
	}
}

func TestSilenceIsCutOff(t *testing.T) {
	t.Parallel()
	steps := map[string]transporttest.Step{
		"mute":            {Then: transporttest.Mute},
		"a byte at times": {Say: "250-" + strings.Repeat("x", 1000) + "\r\n250 ok\r\n", Pace: 20 * time.Millisecond, Then: transporttest.Mute},
		"endless slow":    {Say: "250-x\r\n", Pace: 10 * time.Millisecond, Endless: true},
	}
	for name, step := range steps {
		for _, p := range replyPoints {
			t.Run(name+" at "+string(p.at), func(t *testing.T) {
				t.Parallel()
				// On a busy machine the time may be up before the point is reached.
				var r transport.RecipientResult
				for timeout := 150 * time.Millisecond; timeout < 10*time.Second; timeout *= 2 {
					tr, _ := relay(t, func(c *smtp.Config) {
						c.Credentials, c.Timeout = smtp.Password("u", "p"), timeout
					}, at(p.at, step))
					r = send(t, tr, letter("p@patient.example"))[0]
					if e, ok := errors.AsType[*transport.Error](r.Err); ok && e.Stage == p.stage {
						break
					}
				}
				wanted := transport.Deferred
				if p.commit {
					wanted = transport.Unknown
				}
				want(t, r, wanted)
				if !errors.Is(r.Err, transport.ErrTimeout) && !errors.Is(r.Err, transport.ErrProtocol) {
					t.Errorf("error %v", r.Err)
				}
			})
		}
	}
}

//nolint:paralleltest // it looks at the heap
func TestPeerThatStopsReadingIsCutOff(t *testing.T) {
	for _, words := range [][]string{{"PIPELINING"}, {"PIPELINING", "CHUNKING"}} {
		script := inside(words...)
		script.At = map[transporttest.Point][]transporttest.Step{
			transporttest.AtContent: {{Then: transporttest.Stall}},
			transporttest.AtChunk:   {{Then: transporttest.Stall}},
		}
		tr, srv := relay(t, func(c *smtp.Config) { c.Timeout = 200 * time.Millisecond }, script)
		body := strings.Repeat("0123456789012\r\n", 2<<20)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		want(t, send(t, tr, letterOf(body, "p@patient.example"))[0], transport.Deferred, transport.ErrTimeout)
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
			t.Errorf("heap grew by %d bytes", grown)
		}
		taken(t, srv, "", 0)
	}
}

func TestRefusalsKeepTheirClass(t *testing.T) {
	t.Parallel()
	for _, p := range replyPoints {
		if p.at == transporttest.AtStartTLS || p.at == transporttest.AtHello {
			continue // their refusal means that there is no TLS
		}
		for _, c := range []struct {
			say    string
			status transport.Status
			code   int
		}{
			{"421 4.3.2 " + mark + "\r\n", transport.Deferred, 421},
			{"450-4.7.1 wait\r\n450 4.7.1 " + mark + "\r\n", transport.Deferred, 450},
			{"554 5.7.1 " + mark + " subject and body\r\n", transport.Rejected, 554},
			{"550\r\n", transport.Rejected, 550},
		} {
			t.Run(string(p.at)+" "+c.say[:3], func(t *testing.T) {
				t.Parallel()
				tr, srv := relay(t, func(c *smtp.Config) { c.Credentials = smtp.Password("u", "p") }, at(p.at, say(c.say)))
				r := send(t, tr, letter("p@patient.example"))[0]
				want(t, r, c.status)
				var e *transport.Error
				if !errors.As(r.Err, &e) || r.Code != c.code || e.Code != c.code {
					t.Fatalf("code %d, error %v", r.Code, r.Err)
				}
				if strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e), mark) {
					t.Errorf("the peer's text leaked: %v", e)
				}
				if len(c.say) > 5 && !strings.Contains(e.PeerText(), mark) {
					t.Errorf("peer text %q", e.PeerText())
				}
				taken(t, srv, "", 0)
			})
		}
	}
}

func TestBareReplyIsValid(t *testing.T) {
	t.Parallel()
	script := transporttest.Script{At: map[transporttest.Point][]transporttest.Step{
		transporttest.AtMail: {say("250\r\n")}, transporttest.AtRcpt: {say("250\r\n")}, transporttest.AtDot: {say("250\r\n")},
	}}
	tr, srv := relay(t, nil, script)
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
	taken(t, srv, content, 1)
}

func TestUnsolicitedReplyEndsTheSession(t *testing.T) {
	t.Parallel()
	early := "250 2.0.0 you did not ask\r\n"
	for name, script := range map[string]transporttest.Script{
		"after the greeting":  at(transporttest.AtGreeting, say("220 hi\r\n"+early)),
		"after the handshake": at(transporttest.AtTLS, say(early)),
		"after EHLO":          at(transporttest.AtHelloTLS, say("250 hi\r\n"+early)),
		"before the dot":      at(transporttest.AtData, say("354 go\r\n"+early)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, nil, script)
			want(t, send(t, tr, letter("p@patient.example"))[0], transport.Deferred, transport.ErrProtocol)
			taken(t, srv, "", 0)
		})
	}
}

func TestStaleConnectionIsReplacedWithoutTheCallerNoticing(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]transporttest.Step{
		"closed":      {Then: transporttest.Close},
		"cut":         {Then: transporttest.Cut},
		"reset":       {Then: transporttest.Reset},
		"421 first":   {Say: "421 4.4.2 idle\r\n", Then: transporttest.Close},
		"unsolicited": {Say: "250 2.0.0 what\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, nil, at(transporttest.AtIdle, step), transporttest.Script{})
			calls := 0
			env := letter("p@patient.example")
			env.BeforeCommit = func(context.Context) error { calls++; return nil }
			for range 3 {
				want(t, send(t, tr, env)[0], transport.Accepted)
			}
			if calls != 3 {
				t.Errorf("BeforeCommit called %d times for 3 messages", calls)
			}
			taken(t, srv, content, 3)
			if n := len(srv.Sessions()); n != 2 {
				t.Errorf("%d sessions, want 2", n)
			}
		})
	}
}

// A reused connection that dies at MAIL, without any sign before.
func TestStaleConnectionFoundAtMailIsReplacedOnce(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]transporttest.Step{
		"cut": {Nth: 2, Then: transporttest.Cut},
		"421": {Nth: 2, Say: "421 4.4.2 idle\r\n", Then: transporttest.Close},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, nil, at(transporttest.AtMail, step), transporttest.Script{})
			for range 2 {
				want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
			}
			taken(t, srv, content, 2)
		})
	}
	// On a fresh connection it is what it is.
	tr, srv := relay(t, nil, at(transporttest.AtMail, transporttest.Step{Then: transporttest.Cut}))
	want(t, send(t, tr, letter("p@patient.example"))[0], transport.Deferred, transport.ErrDropped)
	if n := len(srv.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestLossAfterTheCommitIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, take := range []bool{false, true} {
		for way, script := range waysOfContent() {
			t.Run(fmt.Sprintf("%s taken %t", way, take), func(t *testing.T) {
				t.Parallel()
				script.At = map[transporttest.Point][]transporttest.Step{
					transporttest.AtDot: {{Nth: 2, Take: take, Then: transporttest.Cut}},
				}
				tr, srv := relay(t, implicit(script), script)
				want(t, send(t, tr, letter("p@patient.example"))[0], transport.Accepted)
				want(t, send(t, tr, letter("p@patient.example"))[0], transport.Unknown, transport.ErrUnknown, transport.ErrDropped)
				n := 1
				if take {
					n = 2
				}
				taken(t, srv, content, n)
			})
		}
	}
}

func TestCancellationEndsEveryWait(t *testing.T) {
	t.Parallel()
	for _, p := range replyPoints {
		t.Run(string(p.at), func(t *testing.T) {
			t.Parallel()
			tr, srv := relay(t, func(c *smtp.Config) { c.Credentials = smtp.Password("u", "p") },
				at(p.at, transporttest.Step{Then: transporttest.Mute}))
			ctx, cancel := context.WithCancel(t.Context())
			reached := srv.Reached(p.at)
			go func() { <-reached; cancel() }()
			res, err := tr.Send(ctx, letter("p@patient.example"))
			if err != nil {
				t.Fatal(err)
			}
			wanted := transport.Deferred
			if p.commit {
				wanted = transport.Unknown
			}
			want(t, res.Recipients[0], wanted, transport.ErrCanceled, context.Canceled)
		})
	}
}
