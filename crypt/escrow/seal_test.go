package escrow_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

func TestARecipientReadsWhatWasSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := w.published(t, job(entity))
	got, err := w.open(t.Context(), m.link, strings.ToLower(strings.ReplaceAll(m.sealed.Passcode, "-", " ")))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, "From: Riverside Clinic") || !strings.Contains(got, "Subject: Your biopsy\r\n") || !strings.HasSuffix(got, entity) {
		t.Errorf("read %q", got)
	}
	if got := w.kinds(); got != "stored opened verified revealed" {
		t.Errorf("recorded %s", got)
	}
	e := m.sealed.Evidence
	if e.EscrowID != m.link.ID || e.Factor != "passcode" || len(m.sealed.Passcode) != 11 {
		t.Errorf("evidence %+v", e)
	}
}

func TestTheNotificationTellsNothing(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{"en": "secure message", "es-MX": "mensaje seguro", "xx": "secure message"} {
		w := newWorld(t, func(c *escrow.Config, _ *escrow.GateConfig) { c.Language = language })
		m := w.seal(t, job(entity))
		if strings.Contains(m.text, "biopsy") || strings.Contains(m.text, m.sealed.Passcode) || strings.Contains(m.text, "ada@") ||
			!strings.Contains(m.text, want) || !strings.Contains(m.text, "Riverside Clinic") || !strings.Contains(m.text, "2026-04-08") {
			t.Errorf("%s: %s", language, m.text)
		}
	}
}

func TestNothingIsReadableBeforePublish(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := w.seal(t, job(entity))
	_, err := w.open(t.Context(), m.link, m.sealed.Passcode)
	wantRefusal(t, "sealed", err, escrow.RefusedUnknown)
	w.failRecords(context.DeadlineExceeded)
	if err := m.sealed.Publish(t.Context()); err == nil {
		t.Error("published without a record")
	}
	w.failRecords(nil)
	_, err = w.open(t.Context(), m.link, m.sealed.Passcode)
	wantRefusal(t, "not recorded", err, escrow.RefusedUnknown)
}

func TestARetryFindsTheSameLinkUntilItIsSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	first := w.seal(t, job(entity)) // dies here
	second := w.published(t, job(entity))
	if err := second.sealed.Withdraw(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := w.open(ctx, second.link, second.sealed.Passcode)
	wantRefusal(t, "withdrawn", err, escrow.RefusedUnknown)
	third := w.published(t, job(entity)) // outcome unknown
	fourth := w.published(t, job("MIME-Version: 1.0\r\n\r\nchanged\r\n"))
	if err := fourth.sealed.Withdraw(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := w.open(ctx, third.link, third.sealed.Passcode)
	if err != nil || !strings.Contains(got, "changed") {
		t.Errorf("what may be with the recipient was withdrawn: %q, %v", got, err)
	}
	for _, m := range []mailed{second, third, fourth} {
		if m.link != first.link || m.sealed.Passcode != first.sealed.Passcode {
			t.Error("another link or passcode")
		}
	}
	if err := fourth.sealed.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	it, err := w.store.Items.Load(ctx, first.link.ID)
	if err != nil || it.Link != nil {
		t.Errorf("the link is still there, %v", err)
	}
	fifth := w.seal(t, job(entity))
	if fifth.link.ID == first.link.ID || fifth.link.Secret == first.link.Secret {
		t.Error("a settled item was taken again")
	}
	other := job(entity)
	other.To[0].Address.Address = "bob@example.org"
	if w.seal(t, other).link.ID == fifth.link.ID {
		t.Error("two recipients share an item")
	}
}

func TestARejectedItemIsDestroyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := w.published(t, job(entity))
	for _, act := range []func(context.Context) error{m.sealed.Withdraw, m.sealed.Settle} {
		if err := act(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	it, err := w.store.Items.Load(t.Context(), m.link.ID)
	if err != nil || !it.Erased || it.Share != "" || it.Content != "" {
		t.Errorf("left %v, %v", it, err)
	}
	if got := w.kinds(); got != "stored withdrawn destroyed" {
		t.Errorf("recorded %s", got)
	}
}

// Two senders of one message at once: one of them publishes.
func TestTwoSealingsAtOnceDoNotSpoilEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.seal(t, job(entity)), w.seal(t, job(entity))
	wantReason(t, "overtaken", a.sealed.Publish(t.Context()), crypt.ErrClosed)
	if err := b.sealed.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.sealed.Withdraw(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open(t.Context(), b.link, b.sealed.Passcode); err != nil {
		t.Error(err)
	}
}

func TestTheLinkAloneIsEnoughOnlyWhereThatIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *escrow.Config, _ *escrow.GateConfig) { c.Factor = escrow.LinkOnly })
	strict := w.published(t, job(entity))
	if strict.sealed.Passcode == "" || strict.sealed.Evidence.Factor != "passcode" {
		t.Error("no second factor")
	}
	j := job(entity)
	j.MessageID, j.To[0].Access.LinkEnough = "2@clinic.example", true
	m := w.published(t, j)
	if m.sealed.Passcode != "" || m.sealed.Evidence.Factor != "none" {
		t.Errorf("a second factor: %+v", m.sealed.Evidence)
	}
	got, err := w.open(t.Context(), m.link, "")
	if err != nil || !strings.Contains(got, secretText) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatTheSenderDoesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	by := escrow.Actor{ID: "dr-17"}
	a := w.published(t, job(entity))
	other := job(entity)
	other.To[0].Address.Address = "bob@example.org"
	b := w.published(t, other)
	if _, err := w.open(ctx, a.link, a.sealed.Passcode); err != nil {
		t.Fatal(err)
	}
	list, err := w.sealer.Status(ctx, "riverside", "<1@clinic.example>")
	if err != nil || len(list) != 2 {
		t.Fatalf("found %v, %v", list, err)
	}
	for _, s := range list {
		if read := s.ID == a.link.ID; read != (s.Reads == 1) || read != s.FirstRead.Equal(w.clock()) {
			t.Errorf("status %+v", s)
		}
	}
	_, err = w.sealer.Recall(ctx, by, "elsewhere", a.link.ID)
	wantReason(t, "another tenant", err, crypt.ErrUnknown)
	if ids, err := w.sealer.Recall(ctx, by, "riverside", a.link.ID); err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	_, err = w.open(ctx, a.link, a.sealed.Passcode)
	wantRefusal(t, "recalled", err, escrow.RefusedRecalled)
	if ids, err := w.sealer.Recall(ctx, by, "riverside", "1@clinic.example"); err != nil || len(ids) != 2 {
		t.Fatal(ids, err)
	}
	_, err = w.open(ctx, b.link, b.sealed.Passcode)
	wantRefusal(t, "recalled with its message", err, escrow.RefusedRecalled)
	_, err = w.sealer.Unlock(ctx, by, "riverside", b.link.ID)
	wantReason(t, "over", err, crypt.ErrClosed)
	_, err = w.sealer.Recall(ctx, by, "riverside", strings.Repeat("0", 32))
	wantReason(t, "unknown", err, crypt.ErrUnknown)
	for _, e := range w.events {
		if e.Kind == escrow.EventRecalled && e.By != by {
			t.Errorf("recalled by %v", e.By)
		}
	}
}

func TestWhatHasExpiredIsDestroyedAndForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	m := w.published(t, job(entity))
	if n, err := w.sealer.Sweep(ctx, 0); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	w.advance(escrow.DefaultExpires)
	_, err := w.open(ctx, m.link, m.sealed.Passcode)
	wantRefusal(t, "expired", err, escrow.RefusedExpired)
	if n, err := w.sealer.Sweep(ctx, 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := w.kinds(); got != "stored denied:expired expired destroyed" {
		t.Errorf("recorded %s", got)
	}
	_, err = w.open(ctx, m.link, m.sealed.Passcode)
	wantRefusal(t, "destroyed", err, escrow.RefusedExpired)
	w.advance(escrow.DefaultRetain + time.Hour)
	if n, err := w.sealer.Sweep(ctx, 0); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	_, err = w.open(ctx, m.link, m.sealed.Passcode)
	wantRefusal(t, "forgotten", err, escrow.RefusedUnknown)
}
