package audit_test

import (
	"context"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

func TestSmoke(t *testing.T) {
	s := audittest.NewSink()
	l, err := audit.New(context.Background(), audit.Config{Sink: s, Runs: s, PseudonymKey: make([]byte, 16), Library: "x v1"})
	if err != nil {
		t.Fatal(err)
	}
	e := audit.Event{Kind: audit.KindIntent, Attempt: "a", Item: 1, Tenant: "t"}
	if err := l.Append(context.Background(), []audit.Event{e}); err != nil {
		t.Fatal(err)
	}
	e.Kind, e.Status = audit.KindOutcome, audit.StatusAccepted
	if err := l.Append(context.Background(), []audit.Event{e}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Records() {
		t.Logf("%s", r.Body)
	}
}
