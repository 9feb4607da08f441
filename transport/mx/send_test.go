package mx_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestServersAreTriedInTheOrderOfTheirPreference(t *testing.T) {
	t.Parallel()
	wrong := transporttest.Script{}
	for name, c := range map[string]struct {
		first []transporttest.Script // nil: nobody listens
		cert  transporttest.Kind
	}{
		"the first takes it":         {first: []transporttest.Script{{}}},
		"nobody listens":             {},
		"the greeting says no":       {first: []transporttest.Script{say(transporttest.AtGreeting, "554 5.3.2 not today\r\n")}},
		"the greeting says later":    {first: []transporttest.Script{say(transporttest.AtGreeting, "421 4.3.2 later\r\n")}},
		"no STARTTLS":                {first: []transporttest.Script{{Clear: []string{"PIPELINING"}}}},
		"an expired certificate":     {first: []transporttest.Script{wrong}, cert: transporttest.Expired},
		"another's certificate":      {first: []transporttest.Script{wrong}, cert: transporttest.WrongHost},
		"MAIL is put off":            {first: []transporttest.Script{say(transporttest.AtMail, "451 4.3.0 later\r\n")}},
		"it goes away after RCPT":    {first: []transporttest.Script{say(transporttest.AtRcpt, "421 4.3.0 bye\r\n")}},
		"it drops the connection":    {first: []transporttest.Script{{At: map[transporttest.Point][]transporttest.Step{transporttest.AtRcpt: {{Then: transporttest.Reset}}}}}},
		"it speaks some other thing": {first: []transporttest.Script{say(transporttest.AtGreeting, "HTTP/1.1 400 Bad Request\r\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			if c.first != nil {
				if c.cert != "" {
					cert, err := w.ca.Issue(c.cert, "mx1.a.example")
					if err != nil {
						t.Fatal(err)
					}
					c.first[0].TLS.Certificate = &cert
				}
				w.server(t, "mx1.a.example", 1, c.first...)
			}
			w.server(t, "mx2.a.example", 2)
			w.domain("a.example", w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 2))
			tr := w.transport(t, nil)
			commits := 0
			env := letter("p@a.example")
			env.BeforeCommit = func(context.Context) error { commits++; return nil }
			r := send(t, tr, env)[0]
			want(t, r, transport.Accepted)
			winner, loser := "mx2.a.example", "mx1.a.example"
			if name == "the first takes it" {
				winner, loser = loser, winner
			}
			w.taken(t, map[string]int{winner: 1, loser: 0})
			if r.Proof.Peer != winner || r.Proof.Assurance != transport.Recipient || r.Proof.ProvenBy != transport.ByMTASTS {
				t.Errorf("proof %v", r.Proof)
			}
			if p := r.Proof.Policy; p == nil || p.ID != "p1" || r.Proof.PolicyAge < time.Minute {
				t.Errorf("policy %v, age %v", p, r.Proof.PolicyAge)
			}
			if commits != 1 {
				t.Errorf("BeforeCommit was called %d times", commits)
			}
		})
	}
}

func TestRefusalsAreNotAskedForTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script transporttest.Script
		status transport.Status
	}{
		"no such mailbox": {say(transporttest.AtRcpt, "550 5.1.1 no such user\r\n"), transport.Rejected},
		"greylisted":      {say(transporttest.AtRcpt, "450 4.2.0 later\r\n"), transport.Deferred},
		"the content":     {say(transporttest.AtDot, "554 5.7.1 no\r\n"), transport.Rejected},
		"lost after the dot": {
			transporttest.Script{At: map[transporttest.Point][]transporttest.Step{transporttest.AtDot: {{Then: transporttest.Cut, Take: true}}}},
			transport.Unknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.server(t, "mx1.a.example", 1, c.script)
			w.server(t, "mx2.a.example", 2)
			w.domain("a.example", w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 2))
			want(t, send(t, w.transport(t, nil), letter("p@a.example"))[0], c.status)
			if n := w.sessions("mx2.a.example"); n != 0 {
				t.Errorf("the second server was asked %d times", n)
			}
		})
	}
}

func TestEqualPreferenceIsDrawn(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	var servers []mx.Server
	for i := 1; i <= 3; i++ {
		name := "mx" + strconv.Itoa(i) + ".a.example"
		w.server(t, name, i)
		servers = append(servers, w.at(10, name, i))
	}
	w.domain("a.example", servers...)
	tr := w.transport(t, nil)
	for range 60 {
		want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
	}
	for name, srv := range w.servers {
		if n := len(srv.Messages()); n < 5 { // one in 10^6 by chance
			t.Errorf("%s took %d of 60", name, n)
		}
	}
}

func TestServersThatNothingProvesGetSealedContentOnly(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1)
	s := w.at(10, "mx1.a.example", 1)
	s.By = ""
	w.domain("a.example", s)
	tr := w.transport(t, nil)
	for _, need := range []transport.Assurance{transport.Recipient, transport.Attested, transport.Relay} {
		env := letter("p@a.example")
		env.Need = need
		want(t, send(t, tr, env)[0], transport.Refused, transport.ErrNoProof, transport.ErrTLSNotVerified)
	}
	required := sealed("p@a.example")
	required.RequireTLS = true
	want(t, send(t, tr, required)[0], transport.Refused, transport.ErrNoProof)
	if n := w.sessions("mx1.a.example"); n != 0 {
		t.Errorf("%d connections for content that may not go there", n)
	}
	r := send(t, tr, sealed("p@a.example"))[0]
	want(t, r, transport.Accepted)
	if r.Proof.Assurance != transport.Relay || r.Proof.ProvenBy != "" || r.Proof.Policy != nil {
		t.Errorf("the proof claims too much: %v", r.Proof)
	}
}

func TestSealedContentNeedsVerifiedTLSToo(t *testing.T) {
	t.Parallel()
	for _, kind := range []transporttest.Kind{transporttest.Expired, transporttest.WrongHost, transporttest.SelfSigned} {
		w := newTown(t)
		cert, err := w.ca.Issue(kind, "mx1.a.example")
		if err != nil {
			t.Fatal(err)
		}
		w.server(t, "mx1.a.example", 1, transporttest.Script{TLS: transporttest.TLS{Certificate: &cert}})
		w.server(t, "mx2.a.example", 2, transporttest.Script{Clear: []string{}})
		a, b := w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 2)
		a.By, b.By = "", ""
		w.domain("a.example", a, b)
		want(t, send(t, w.transport(t, nil), sealed("p@a.example"))[0], transport.Refused, transport.ErrTLSNotVerified)
		w.taken(t, nil)
	}
}

func TestServersThatAreExcludedGetNoConnection(t *testing.T) {
	t.Parallel()
	fault := func(s transport.Status, r transport.Reason) *transport.Error {
		return &transport.Error{Status: s, Reason: r, Stage: transport.StageLookup, Retry: true}
	}
	w := newTown(t)
	for i := 1; i <= 3; i++ {
		w.server(t, "mx"+strconv.Itoa(i)+".a.example", i)
	}
	mismatch, bogus, good := w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 2), w.at(30, "mx3.a.example", 3)
	mismatch.Err, bogus.Err = fault(transport.Refused, transport.ErrNoMXMatch), fault(transport.Deferred, transport.ErrDNSBogus)
	w.domain("a.example", mismatch, bogus, good)
	w.domain("b.example", mismatch)
	w.domain("c.example", mismatch, bogus)
	tr := w.transport(t, nil)
	want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
	want(t, send(t, tr, letter("p@b.example"))[0], transport.Refused, transport.ErrNoMXMatch)
	want(t, send(t, tr, sealed("p@b.example"))[0], transport.Refused, transport.ErrNoMXMatch)
	want(t, send(t, tr, letter("p@c.example"))[0], transport.Deferred, transport.ErrDNSBogus)
	w.taken(t, map[string]int{"mx3.a.example": 1})
	if w.sessions("mx1.a.example")+w.sessions("mx2.a.example") != 0 {
		t.Error("an excluded server saw a connection")
	}
}

func TestRequireTLSIsAskedForOrTheMessageStays(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1)
	w.server(t, "mx2.a.example", 2, transporttest.Script{Inside: append(transporttest.Keywords(), "REQUIRETLS")})
	w.domain("a.example", w.at(10, "mx1.a.example", 1))
	w.domain("b.example", w.at(10, "mx1.a.example", 1), w.at(20, "mx2.a.example", 2))
	tr := w.transport(t, nil)
	env := letter("p@a.example")
	env.RequireTLS = true
	want(t, send(t, tr, env)[0], transport.Refused, transport.ErrRequireTLS, transport.ErrTLSNotVerified)
	env.To[0].Address = "p@b.example"
	r := send(t, tr, env)[0]
	want(t, r, transport.Accepted)
	if !r.Proof.RequireTLS || r.Proof.Peer != "mx2.a.example" {
		t.Errorf("%v", r.Proof)
	}
	w.taken(t, map[string]int{"mx2.a.example": 1})

	always := w.transport(t, func(c *mx.Config) { c.RequireTLS = true })
	if o, err := always.Offer(t.Context(), transport.Query{To: env.To[0]}); err != nil || !o.RequireTLS {
		t.Errorf("%+v, %v", o, err)
	}
	want(t, send(t, always, letter("p@a.example"))[0], transport.Refused, transport.ErrRequireTLS)
	want(t, send(t, always, sealed("p@a.example"))[0], transport.Accepted)
	if r := send(t, always, letter("p@b.example"))[0]; r.Proof == nil || !r.Proof.RequireTLS {
		t.Errorf("%v", r.Proof)
	}
}

func TestEachDomainOfAnEnvelopeHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1)
	w.server(t, "mx1.b.example", 2, transporttest.Script{At: map[transporttest.Point][]transporttest.Step{
		transporttest.AtRcpt: {{Nth: 2, Say: "550 5.1.1 no such user\r\n"}},
	}})
	w.domain("a.example", w.at(10, "mx1.a.example", 1))
	w.domain("b.example", w.at(10, "mx1.b.example", 2))
	w.errs["null.example"] = &transport.Error{Status: transport.Rejected, Reason: transport.ErrNullMX, Stage: transport.StageLookup}
	w.errs["bogus.example"] = &transport.Error{Status: transport.Deferred, Reason: transport.ErrDNSBogus, Stage: transport.StageLookup, Retry: true}
	w.errs["foreign.example"] = errors.New("with an address: p@foreign.example")
	var commits atomic.Int64
	env := letter("p@a.example", "q@null.example", "p@b.example", "r@B.example", "p@bogus.example", "p@[192.0.2.1]", "s@foreign.example", "q@A.EXAMPLE")
	env.BeforeCommit = func(context.Context) error { commits.Add(1); return nil }
	res := send(t, w.transport(t, nil), env)
	want(t, res[0], transport.Accepted)
	want(t, res[1], transport.Rejected, transport.ErrNullMX)
	want(t, res[2], transport.Accepted)
	want(t, res[3], transport.Rejected, transport.ErrReply)
	want(t, res[4], transport.Deferred, transport.ErrDNSBogus)
	want(t, res[5], transport.Rejected, transport.ErrNoDomain)
	want(t, res[6], transport.Deferred, transport.ErrDNSAnswer)
	want(t, res[7], transport.Accepted)
	if res[0].Proof.Peer != "mx1.a.example" || res[2].Proof.Peer != "mx1.b.example" {
		t.Errorf("%v %v", res[0].Proof, res[2].Proof)
	}
	if n := commits.Load(); n != 1 {
		t.Errorf("BeforeCommit was called %d times", n)
	}
	w.taken(t, map[string]int{"mx1.a.example": 1, "mx1.b.example": 1})
	if to := w.servers["mx1.a.example"].Messages()[0].To; len(to) != 2 {
		t.Errorf("a.example's server was told of %d recipients, want its own 2", len(to))
	}
}

func TestBeforeCommitThatSaysNoStopsAllDomains(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1)
	w.server(t, "mx1.b.example", 2)
	w.domain("a.example", w.at(10, "mx1.a.example", 1))
	w.domain("b.example", w.at(10, "mx1.b.example", 2))
	env := letter("p@a.example", "p@b.example")
	env.BeforeCommit = func(context.Context) error { return errors.New("no") }
	for _, r := range send(t, w.transport(t, nil), env) {
		want(t, r, transport.Refused, transport.ErrBeforeCommit)
	}
	w.taken(t, nil)
}

func TestServersThatFailAreLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script transporttest.Script
		status transport.Status
		again  error
	}{
		"at the greeting": {say(transporttest.AtGreeting, "421 4.3.2 later\r\n"), transport.Deferred, transport.ErrBackOff},
		"without TLS":     {transporttest.Script{Clear: []string{}}, transport.Refused, transport.ErrTLSRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.server(t, "mx1.a.example", 1, c.script, c.script, transporttest.Script{})
			w.domain("a.example", w.at(10, "mx1.a.example", 1))
			tr := w.transport(t, nil)
			for range 10 {
				want(t, send(t, tr, letter("p@a.example"))[0], c.status)
			}
			want(t, send(t, tr, letter("p@a.example"))[0], c.status, c.again)
			if n := w.sessions("mx1.a.example"); n != 1 {
				t.Errorf("%d connections", n)
			}
			w.later(72 * time.Second) // a minute, and a fifth at most
			want(t, send(t, tr, letter("p@a.example"))[0], c.status)
			w.later(72 * time.Second) // it is two minutes now
			want(t, send(t, tr, letter("p@a.example"))[0], c.status)
			if n := w.sessions("mx1.a.example"); n != 2 {
				t.Errorf("%d connections, want 2", n)
			}
			w.later(72 * time.Second)
			want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
			want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
		})
	}
}

// Whoever names somebody else's server in a policy of their own, which that
// server's certificate does not meet, keeps mail from their own domain only.
func TestAProofThatFailsIsHeldAgainstNoOther(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	cert, err := w.ca.Issue(transporttest.UnknownCA, "mx1.a.example")
	if err != nil {
		t.Fatal(err)
	}
	w.server(t, "mx1.a.example", 1, transporttest.Script{TLS: transporttest.TLS{Certificate: &cert}})
	leaf := sha256.Sum256(cert.Certificate[0])
	dane := w.at(10, "mx1.a.example", 1)
	dane.By, dane.Names = transport.ByDANE, []string{"mx1.a.example"}
	dane.TLSA = []transport.TLSARecord{{Usage: 3, Selector: 0, MatchingType: 1, Data: leaf[:]}}
	w.domain("a.example", dane)
	w.domain("stranger.example", w.at(10, "mx1.a.example", 1))
	tr := w.transport(t, nil)
	for range 3 {
		want(t, send(t, tr, letter("p@stranger.example"))[0], transport.Refused, transport.ErrCertificate)
		want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
	}
	if n := w.sessions("mx1.a.example"); n != 2 {
		t.Errorf("%d connections, want one a proof", n)
	}
}

func TestADomainThatDefersIsLeftAloneAfterSeveral(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1, say(transporttest.AtRcpt, "451 4.7.1 too much\r\n"))
	w.domain("a.example", w.at(10, "mx1.a.example", 1))
	tr := w.transport(t, nil)
	for range 20 {
		want(t, send(t, tr, letter("p@a.example"))[0], transport.Deferred)
	}
	mails := 0
	for _, s := range w.servers["mx1.a.example"].Sessions() {
		mails += s.Count("MAIL")
	}
	if mails != 5 {
		t.Errorf("%d messages were tried, want 5", mails)
	}
	want(t, send(t, tr, letter("p@a.example"))[0], transport.Deferred, transport.ErrBackOff)
}

func TestSessionsAreKeptAndNeverServeAnotherRequirement(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1)
	proven := w.at(10, "mx1.a.example", 1)
	unproven := proven
	unproven.By = ""
	w.domain("a.example", proven)
	w.domain("b.example", proven) // hosted at the same place
	w.domain("c.example", unproven)
	tr := w.transport(t, func(c *mx.Config) { c.MaxPerConn = 3 })
	for range 2 {
		want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
	}
	want(t, send(t, tr, letter("p@b.example"))[0], transport.Accepted)
	if n := w.sessions("mx1.a.example"); n != 1 {
		t.Errorf("%d connections for three messages", n)
	}
	want(t, send(t, tr, sealed("p@c.example"))[0], transport.Accepted)
	want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
	if n := w.sessions("mx1.a.example"); n != 3 {
		t.Errorf("%d connections, want 3: another requirement, and one that was worn out", n)
	}
}

func TestAServerGetsSoManyConnectionsAndNoMore(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1)
	w.domain("a.example", w.at(10, "mx1.a.example", 1))
	tr := w.transport(t, func(c *mx.Config) { c.MaxPerHost = 2 })
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if res, err := tr.Send(context.Background(), letter("p@a.example")); err != nil || res.Recipients[0].Err != nil {
				t.Error(err, res.Recipients[0].Err)
			}
		})
	}
	wg.Wait()
	w.taken(t, map[string]int{"mx1.a.example": 40})
	if n := w.sessions("mx1.a.example"); n > 2 {
		t.Errorf("%d connections, want at most 2", n)
	}
}

func TestAddressesThatAreNotPublicNeedToBeAllowed(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.server(t, "mx1.a.example", 1)
	w.domain("a.example", w.at(10, "mx1.a.example", 1))
	tr := w.transport(t, func(c *mx.Config) { c.AllowPrivate = false })
	want(t, send(t, tr, letter("p@a.example"))[0], transport.Refused, transport.ErrAddress)
	if n := w.sessions("mx1.a.example"); n != 0 {
		t.Errorf("%d connections to loopback", n)
	}
}

func TestConnectionsComeFromTheConfiguredAddressAndName(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	srv := w.server(t, "mx1.a.example", 1)
	w.domain("a.example", w.at(10, "mx1.a.example", 1))
	tr := w.transport(t, func(c *mx.Config) {
		c.LocalAddrs = []netip.Addr{w.ip(77), netip.MustParseAddr("::1")}
		c.Hello = "out.clinic.example"
	})
	want(t, send(t, tr, letter("p@a.example"))[0], transport.Accepted)
	if c := srv.Sessions()[0].Commands[0].Line; c != "EHLO out.clinic.example" {
		t.Errorf("%q", c)
	}
	if r := w.observed[0]; r.Local != w.ip(77) {
		t.Errorf("the connection came from %v, want %v", r.Local, w.ip(77))
	}
}

func TestServersAreReachedByIPv6AndByTheNextAddress(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	cert, err := w.ca.Issue(transporttest.Valid, "mx1.a.example")
	if err != nil {
		t.Fatal(err)
	}
	six, err := transporttest.NewServerAt(w.ca, "[::1]:"+strconv.Itoa(int(w.port)), transporttest.Script{TLS: transporttest.TLS{Certificate: &cert}})
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	w.servers["six"] = six
	t.Cleanup(func() { _ = six.Close() })
	s := w.at(10, "mx1.a.example", 9) // nobody there
	s.Addrs = append(s.Addrs, netip.MustParseAddr("::1"))
	w.domain("a.example", s)
	want(t, send(t, w.transport(t, nil), letter("p@a.example"))[0], transport.Accepted)
	w.taken(t, map[string]int{"six": 1})
}

func TestProvidersThatMayCarryItAreNobodyHere(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	env := letter("p@a.example")
	env.Providers = []string{"Relay Inc"}
	want(t, send(t, w.transport(t, nil), env)[0], transport.Refused, transport.ErrProvider)
}
