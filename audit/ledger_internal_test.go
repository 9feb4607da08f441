package audit

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRecentRemembersAndForgets(t *testing.T) {
	t.Parallel()
	r := newRecent()
	for i := range 3 * recentOutcomes {
		r.add(item{"a", i})
		if back := max(0, i-recentOutcomes+1); !r.has(item{"a", back}) {
			t.Fatalf("after %d, number %d is forgotten", i, back)
		}
	}
	if r.has(item{"a", 0}) {
		t.Error("the first is still there")
	}
	if n := len(r.young) + len(r.old); n > 2*recentOutcomes {
		t.Errorf("%d are kept", n)
	}
}

func TestRefusedBatchIsRolledBackWhole(t *testing.T) {
	t.Parallel()
	l := newLedger()
	open := Event{Kind: KindIntent, Attempt: "a", Item: 1}
	if err := l.reserve([]Event{open}); err != nil {
		t.Fatal(err)
	}
	l.settle([]Event{open}, stored)
	batch := []Event{
		{Kind: KindOutcome, Attempt: "a", Item: 1, Status: StatusAccepted},
		{Kind: KindIntent, Attempt: "a", Item: 2},
		{Kind: KindOutcome, Attempt: "a", Item: 3, Status: StatusRefused},
		{Kind: KindOutcome, Attempt: "a", Item: 4, Status: StatusAccepted},
	}
	if err := l.reserve(batch); err == nil || !strings.HasPrefix(err.Error(), "event 3: ") {
		t.Fatalf("error %v", err)
	}
	if err := l.reserve(batch[:3]); err != nil {
		t.Errorf("after a refused batch: %v", err)
	}
	l.settle(batch[:3], stored)
	if l.open() != 1 {
		t.Errorf("%d are open, want the second item", l.open())
	}
}

func TestHashIsHexInJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(map[string]Hash{"head": {0xab}})
	if want := `{"head":"ab` + strings.Repeat("00", 31) + `"}`; err != nil || string(text) != want {
		t.Errorf("%s, error %v", text, err)
	}
}
