package escrow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
)

func TestWrongPasscodesLockAndTheSenderUnlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	m := w.published(t, job(entity))
	for i := range escrow.DefaultAttempts {
		want := escrow.RefusedFactor
		if i == escrow.DefaultAttempts-1 {
			want = escrow.RefusedLocked
		}
		_, err := w.open(ctx, m.link, "00000-00000")
		wantRefusal(t, fmt.Sprint("attempt ", i), err, want)
	}
	_, err := w.open(ctx, m.link, m.sealed.Passcode)
	wantRefusal(t, "the right passcode when locked", err, escrow.RefusedLocked)
	list, err := w.sealer.Status(ctx, "riverside", m.link.ID)
	if err != nil || !list[0].Locked {
		t.Errorf("status %+v, %v", list, err)
	}
	if _, err := w.sealer.Unlock(ctx, escrow.Actor{ID: "dr-17"}, "riverside", m.link.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := w.open(ctx, m.link, m.sealed.Passcode); err != nil || !strings.Contains(got, secretText) {
		t.Errorf("after the unlock: %q, %v", got, err)
	}
	want := "stored" + strings.Repeat(" opened denied:wrong", 5) + " locked denied:locked unlocked opened verified revealed"
	if got := w.kinds(); got != want {
		t.Errorf("recorded %s\nwant %s", got, want)
	}
}

func TestARightPasscodeResetsTheCountAndBurnsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := w.published(t, job(entity))
	for range 3 {
		for range escrow.DefaultAttempts - 1 {
			_, err := w.open(t.Context(), m.link, "nope")
			wantRefusal(t, "wrong", err, escrow.RefusedFactor)
		}
		if _, err := w.open(t.Context(), m.link, m.sealed.Passcode); err != nil {
			t.Fatal(err)
		}
	}
	list, err := w.sealer.Status(t.Context(), "riverside", m.link.ID)
	if err != nil || list[0].Reads != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

// However many guess at once, no more are compared than the limit.
func TestAThousandGuessesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *escrow.Config, gc *escrow.GateConfig) { gc.NetworkAttempts = 1 << 20 })
	ctx := t.Context()
	m := w.published(t, job(entity))
	proof := make([]byte, 32)
	var wrong, locked, other atomic.Int64
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			for {
				c, err := w.gate.Ask(ctx, m.link.ID, reader(m.link))
				if err == nil {
					_, err = w.gate.Open(ctx, m.link.ID, reader(m.link), &escrow.Attempt{Token: c.Token, Proof: proof})
				}
				switch refusal, _ := errors.AsType[escrow.Refusal](err); refusal {
				case escrow.RefusedToken: // others asked for more than are kept
					continue
				case escrow.RefusedFactor:
					wrong.Add(1)
				case escrow.RefusedLocked:
					locked.Add(1)
				default:
					other.Add(1)
				}
				return
			}
		})
	}
	wg.Wait()
	compared := strings.Count(w.kinds(), "denied:wrong")
	if compared != escrow.DefaultAttempts || wrong.Load() != escrow.DefaultAttempts-1 || other.Load() != 0 {
		t.Errorf("%d compared, %d wrong, %d locked, %d else", compared, wrong.Load(), locked.Load(), other.Load())
	}
	if n := strings.Count(w.kinds(), " locked"); n != 1 {
		t.Errorf("locked %d times", n)
	}
}

// One token, shown a hundred times at once, is one attempt.
func TestATokenIsGoodForOneAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *escrow.Config, gc *escrow.GateConfig) { gc.NetworkAttempts = 1 << 20 })
	ctx := t.Context()
	m := w.published(t, job(entity))
	c, err := w.gate.Ask(ctx, m.link.ID, reader(m.link))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := m.link.Proof(c, m.sealed.Passcode)
	if err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			o, err := w.gate.Open(ctx, m.link.ID, reader(m.link), &escrow.Attempt{Token: c.Token, Proof: proof})
			if err == nil {
				opened.Add(1)
				_ = o.Content.Close()
				return
			}
			wantRefusal(t, "again", err, escrow.RefusedToken)
		})
	}
	wg.Wait()
	if opened.Load() != 1 {
		t.Errorf("opened %d times", opened.Load())
	}
	c, err = w.gate.Ask(ctx, m.link.ID, reader(m.link))
	if err != nil {
		t.Fatal(err)
	}
	w.advance(10 * time.Minute)
	_, err = w.attempt(ctx, m.link, &escrow.Attempt{Token: c.Token, Proof: proof}, "")
	wantRefusal(t, "ended", err, escrow.RefusedToken)
	other := job(entity)
	other.MessageID = "2@clinic.example"
	n := w.published(t, other)
	if c, err = w.gate.Ask(ctx, n.link.ID, reader(n.link)); err != nil {
		t.Fatal(err)
	}
	_, err = w.attempt(ctx, m.link, &escrow.Attempt{Token: c.Token, Proof: proof}, "")
	wantRefusal(t, "of another item", err, escrow.RefusedToken)
}

func TestUnknownAndWrongLookAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := w.published(t, job(entity))
	recalled := job(entity)
	recalled.MessageID = "3@clinic.example"
	r := w.published(t, recalled)
	if _, err := w.sealer.Recall(t.Context(), escrow.Actor{ID: "a"}, "riverside", r.link.ID); err != nil {
		t.Fatal(err)
	}
	before := w.kinds()
	for name, link := range map[string]escrow.Link{
		"wrong secret":  {ID: m.link.ID, Secret: r.link.Secret},
		"unknown":       {ID: testID, Secret: m.link.Secret},
		"recalled item": {ID: r.link.ID, Secret: m.link.Secret},
	} {
		_, err := w.gate.Ask(t.Context(), link.ID, reader(link))
		wantRefusal(t, name, err, escrow.RefusedUnknown)
		_, err = w.gate.Open(t.Context(), link.ID, reader(link), &escrow.Attempt{Token: "x", Proof: make([]byte, 32)})
		wantRefusal(t, name, err, escrow.RefusedUnknown)
		wantRefusal(t, name, w.gate.SendCode(t.Context(), link.ID, reader(link)), escrow.RefusedUnknown)
	}
	if got := w.kinds(); got != before {
		t.Errorf("recorded %s", got)
	}
	_, err := w.gate.Ask(t.Context(), "../"+testID[3:], reader(m.link))
	wantRefusal(t, "no id", err, escrow.RefusedRequest)
}

// Nothing is revealed before its record is durable.
func TestNothingIsRevealedWithoutItsRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	m := w.published(t, job(entity))
	c, err := w.gate.Ask(ctx, m.link.ID, reader(m.link))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := m.link.Proof(c, m.sealed.Passcode)
	if err != nil {
		t.Fatal(err)
	}
	for _, fail := range []error{errors.New("disk full"), context.Canceled} {
		w.failRecords(fail)
		_, err = w.attempt(ctx, m.link, &escrow.Attempt{Token: c.Token, Proof: proof}, "")
		if err == nil {
			t.Error("revealed")
		}
		w.failRecords(nil)
		if c, err = w.gate.Ask(ctx, m.link.ID, reader(m.link)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := w.sealer.Status(ctx, "riverside", m.link.ID)
	if err != nil || list[0].Reads != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestOneTimeCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *escrow.Config, _ *escrow.GateConfig) { c.Factor = escrow.Code })
	ctx := t.Context()
	m := w.published(t, job(entity))
	try := func(code string) error {
		c, err := w.gate.Ask(ctx, m.link.ID, reader(m.link))
		if err != nil {
			return err
		}
		_, err = w.attempt(ctx, m.link, &escrow.Attempt{Token: c.Token, Code: code}, "")
		return err
	}
	wantRefusal(t, "none was sent", try("12345678"), escrow.RefusedNoCode)
	send := func() string {
		if err := w.gate.SendCode(ctx, m.link.ID, reader(m.link)); err != nil {
			t.Fatal(err)
		}
		return w.codes[len(w.codes)-1]
	}
	first := send()
	if len(first) != 8 || strings.Trim(first, "0123456789") != "" {
		t.Errorf("code %q", first)
	}
	second := send()
	if first != second {
		wantRefusal(t, "replaced", try(first), escrow.RefusedFactor)
	}
	if err := try(second[:4] + " " + second[4:]); err != nil {
		t.Error(err)
	}
	wantRefusal(t, "used up", try(second), escrow.RefusedNoCode)
	third := send()
	w.advance(10 * time.Minute)
	wantRefusal(t, "ended", try(third), escrow.RefusedNoCode)
	_, _ = send(), send()
	wantRefusal(t, "too many", w.gate.SendCode(ctx, m.link.ID, reader(m.link)), escrow.RefusedBusy)
	it, err := w.store.Items.Load(ctx, m.link.ID)
	if err != nil || strings.Contains(string(it.Code.Digest), w.codes[len(w.codes)-1]) {
		t.Error("the code is in the store")
	}
	if m.sealed.Passcode != "" || m.sealed.Evidence.Factor != "code" {
		t.Errorf("evidence %+v", m.sealed.Evidence)
	}
}

func TestCodesThatTheHostCanNotSend(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(context.Context, string, string, string) error{
		"error": func(_ context.Context, _, _, code string) error { return errors.New(code) },
		"panic": func(_ context.Context, _, _, code string) error { panic(code) },
		"none":  nil,
	} {
		w := newWorld(t, func(c *escrow.Config, gc *escrow.GateConfig) { c.Factor, gc.SendCode = escrow.Code, send })
		m := w.published(t, job(entity))
		if err := w.gate.SendCode(t.Context(), m.link.ID, reader(m.link)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheHostsLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *escrow.Config, _ *escrow.GateConfig) { c.Factor = escrow.Login })
	m := w.published(t, job(entity))
	try := func(ref string) error {
		c, err := w.gate.Ask(t.Context(), m.link.ID, reader(m.link))
		if err != nil {
			return err
		}
		_, err = w.attempt(t.Context(), m.link, &escrow.Attempt{Token: c.Token, Ref: ref}, "")
		return err
	}
	for range 2 * escrow.DefaultAttempts {
		wantRefusal(t, "nobody", try(""), escrow.RefusedLogin)
	}
	wantRefusal(t, "another", try("portal-8"), escrow.RefusedFactor)
	if err := try("portal-9"); err != nil {
		t.Error(err)
	}
	nobody := job(entity)
	nobody.MessageID, nobody.To[0].Ref = "4@clinic.example", ""
	m = w.published(t, nobody)
	wantRefusal(t, "an item for nobody", try(""), escrow.RefusedLogin)
	wantRefusal(t, "an item for nobody", try("portal-9"), escrow.RefusedFactor)
}

// What shows one factor does not serve for another.
func TestFactorsAreNotMixed(t *testing.T) {
	t.Parallel()
	for _, f := range []escrow.Factor{escrow.Passcode, escrow.Code, escrow.Login} {
		w := newWorld(t, func(c *escrow.Config, _ *escrow.GateConfig) { c.Factor = f })
		m := w.published(t, job(entity))
		for name, a := range map[string]escrow.Attempt{
			"nothing": {}, "proof": {Proof: make([]byte, 32)}, "short": {Proof: make([]byte, 31)}, "code": {Code: "12345678"}, "ref": {Ref: "portal-9"},
			"both": {Proof: make([]byte, 32), Code: "1"}, "long": {Code: strings.Repeat("1", 65)},
		} {
			if f == escrow.Login && name == "ref" {
				continue
			}
			c, err := w.gate.Ask(t.Context(), m.link.ID, reader(m.link))
			if err != nil {
				t.Fatal(err)
			}
			a.Token = c.Token
			if _, err := w.attempt(t.Context(), m.link, &a, ""); err == nil {
				t.Errorf("%s opened an item with %s", name, f)
			}
		}
	}
}

func TestNetworksAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *escrow.Config, gc *escrow.GateConfig) {
		gc.NetworkAttempts, gc.Attempts, gc.RecordNetwork = 3, 20, true
	})
	ctx := t.Context()
	m := w.published(t, job(entity))
	from := func(addr string) error {
		r := escrow.Reader{Access: m.link.Access(), Addr: netip.MustParseAddr(addr)}
		c, err := w.gate.Ask(ctx, m.link.ID, r)
		if err != nil {
			return err
		}
		_, err = w.gate.Open(ctx, m.link.ID, r, &escrow.Attempt{Token: c.Token, Proof: make([]byte, 32)})
		return err
	}
	for _, addr := range []string{"198.51.100.1", "198.51.100.2", "::ffff:198.51.100.3"} {
		wantRefusal(t, "attempt "+addr, from(addr), escrow.RefusedFactor)
	}
	wantRefusal(t, "the same network", from("198.51.100.200"), escrow.RefusedBusy)
	wantRefusal(t, "another network", from("203.0.113.1"), escrow.RefusedFactor)
	for range 3 {
		wantRefusal(t, "IPv6", from("2001:db8:1:2::3"), escrow.RefusedFactor)
	}
	wantRefusal(t, "the same /48", from("2001:db8:1:ffff::1"), escrow.RefusedBusy)
	w.advance(time.Hour)
	wantRefusal(t, "an hour later", from("198.51.100.1"), escrow.RefusedFactor)
	seen := map[string]bool{}
	for _, e := range w.events {
		seen[e.Network] = true
	}
	if !seen["198.51.100.0/24"] || !seen["2001:db8:1::/48"] {
		t.Errorf("recorded networks %v", seen)
	}
	for range 100 {
		if err := from("192.0.2.9"); errors.Is(err, escrow.RefusedBusy) {
			return
		}
	}
	t.Error("asking is not limited")
}

// A store that fails lets nobody in.
func TestAStoreThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	m := w.published(t, job(entity))
	broken := w.store
	broken.Shares = noShares{}
	gate, err := escrow.NewGate(escrow.GateConfig{Store: broken, Record: w.record, Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	c, err := gate.Ask(ctx, m.link.ID, reader(m.link))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := m.link.Proof(c, m.sealed.Passcode)
	if err != nil {
		t.Fatal(err)
	}
	_, err = gate.Open(ctx, m.link.ID, reader(m.link), &escrow.Attempt{Token: c.Token, Proof: proof})
	wantRefusal(t, "no share", err, escrow.RefusedFailed)
	if strings.Contains(w.kinds(), "revealed") {
		t.Error("recorded what did not happen")
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = w.gate.Ask(canceled, m.link.ID, reader(m.link))
	wantRefusal(t, "canceled", err, escrow.RefusedFailed)
}

type noShares struct{}

func (noShares) Put(context.Context, string, escrow.Share) error { return io.ErrShortWrite }
func (noShares) Get(context.Context, string) (escrow.Share, error) {
	return escrow.Share{}, io.ErrUnexpectedEOF
}
func (noShares) Delete(context.Context, string) error { return io.ErrShortWrite }

func TestConfigurationsAreChecked(t *testing.T) {
	t.Parallel()
	var fields []string
	collect := func(err error) {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			t.Fatalf("%v", err)
		}
		for _, e := range joined.Unwrap() {
			f, ok := errors.AsType[*escrow.FieldError](e)
			if !ok {
				t.Fatalf("%v", e)
			}
			fields = append(fields, f.Field)
		}
	}
	_, err := escrow.New(escrow.Config{BaseURL: "http://mail.example/m", Factor: "sms", Expires: time.Second, Iterations: 5, LinkKey: []byte("short")})
	collect(err)
	_, err = escrow.NewGate(escrow.GateConfig{Attempts: 21, NetworkAttempts: -1})
	collect(err)
	_, err = escrow.NewDesk(escrow.DeskConfig{})
	collect(err)
	if len(fields) != 9+6+4 {
		t.Errorf("faults %v", fields)
	}
	for base, ok := range map[string]bool{
		"https://mail.clinic.example/m": true, "https://mail.clinic.example": true, "http://127.0.0.1:8080/m": true, "http://[::1]/": true, "http://localhost/m": true,
		"": false, "mail.example/m": false, "ftp://mail.example/m": false, "http://mail.example/m": false, "https://u@mail.example/m": false, "https://mail.example/m?x=1": false,
		"https://mail.example/m#": false, "https://mail.example/../m": false, "https://m\u00e4il.example/m": false, "https://mail.example/a%2fb": false, "http://127.0.0.1.evil.example/": false,
	} {
		if err := escrow.CheckBaseURL(base); (err == nil) != ok {
			t.Errorf("%q: %v", base, err)
		}
	}
}
