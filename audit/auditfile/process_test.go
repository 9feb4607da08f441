package auditfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
)

func TestManyProcessesShareALogAndOnlyTheIntentsOfTheKilledBecomeUnknown(t *testing.T) {
	t.Parallel()
	const processes, killed, each = 20, 2, 10
	path := newPath(t)
	portal := open(t, Config{Path: path, MaxBytes: 64 << 10})
	log, err := audit.New(t.Context(), audit.Config{Sink: portal, Runs: portal, PseudonymKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	acks := map[string]bool{}
	ack := func(lines []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range lines {
			acks[l] = true
		}
	}
	var wg sync.WaitGroup
	for i := range processes {
		name := fmt.Sprintf("send-%d", i)
		if i < killed {
			name = fmt.Sprintf("hang-%d", i)
		}
		c := start(t, "send", path, name, each)
		wg.Go(func() {
			if i < killed {
				ack(c.read(each))
				ack(c.kill(t))
				return
			}
			ack(c.wait(t))
		})
	}
	for i := range each {
		e := audit.Event{Kind: audit.KindIntent, Attempt: "portal", Item: i + 1}
		if err := log.Append(t.Context(), []audit.Event{e}); err != nil {
			t.Error(err)
		}
		ack([]string{fmt.Sprint("intent portal ", i+1)})
	}
	wg.Wait()

	after, err := audit.New(t.Context(), audit.Config{Sink: portal, Runs: portal, PseudonymKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	checkShared(t, path, acks, killed*each)
	if err := after.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := log.Close(t.Context()); !errors.Is(err, audit.ErrOpenIntents) {
		t.Error(err)
	}
}

// checkShared compares the log with what was acknowledged.
func checkShared(t *testing.T, path string, acks map[string]bool, unknown uint64) {
	t.Helper()
	r := openReader(t, path)
	report, err := audit.Verify(t.Context(), r, audit.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Outcomes[audit.StatusUnknown] != unknown || report.FindingCount != 0 {
		t.Errorf("%d unknown, want %d; findings %v", report.Outcomes[audit.StatusUnknown], unknown, report.Findings)
	}
	found := map[string]bool{}
	for rec, err := range r.Scan(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		_, _, e, err := audit.DecodeBody(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		if e.Status == audit.StatusUnknown && !strings.HasPrefix(e.Attempt, "hang") {
			t.Errorf("unknown: %s %d", e.Attempt, e.Item)
		}
		found[fmt.Sprint(e.Kind, " ", e.Attempt, " ", e.Item)] = true
	}
	for a := range acks {
		if !found[a] {
			t.Errorf("acknowledged and lost: %s", a)
		}
	}
}

// A run must die with its process, whatever programs that has started.
func TestAStartedProgramHoldsNoLock(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s, other := open(t, Config{Path: path}), open(t, Config{Path: path})
	if err := s.Begin(t.Context(), "ab", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := start(t, "wait", path, "", 0)
	c.read(1)
	if err := errors.Join(s.leave(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if got := mustList(t, other); len(got) != 1 || got[0].Alive {
		t.Errorf("%v", got)
	}
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	c.wait(t)
}

func TestAWriterKilledInTheMiddleOfAWriteLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	watcher := open(t, Config{Path: path})
	acked := uint64(0)
	for i, n := range []int{0, 1, 300, 700, 2000} {
		for _, line := range start(t, "die", path, "", n).kill9(t) {
			if _, err := fmt.Sscan(line, &acked); err != nil {
				t.Fatal(err)
			}
		}
		if want := uint64(4*i + 4); acked != want {
			t.Fatalf("%d acknowledged, want %d", acked, want)
		}
		if got := mustHead(t, watcher); got.Seq != acked {
			t.Errorf("killed after %d bytes: the head is %d, want %d", n, got.Seq, acked)
		}
		repairs := watcher.Repairs()
		if n == 0 && len(repairs) != 0 || n > 0 && (len(repairs) != 1 || repairs[0] != Repair{After: acked, Bytes: int64(n)}) {
			t.Errorf("killed after %d bytes: repairs %+v", n, repairs)
		}
	}
	mustVerify(t, path, acked)
}

// kills is how many times a writing process is killed. A process that is killed
// between two writes proves less, so that it takes some.
const kills = 20

func TestNothingAcknowledgedIsLostWhenAWriterIsKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	acked := map[string]string{}
	ack := func(lines []string) {
		for _, l := range lines {
			// The last line may be cut by the kill.
			if seq, hash, ok := strings.Cut(l, " "); ok && len(hash) == hexLen {
				acked[seq] = hash
			}
		}
	}
	for i := range kills {
		// Two at a time, so that one is often killed while the other waits.
		a := start(t, "append", path, fmt.Sprintf("a%d", i), 0)
		b := start(t, "append", path, fmt.Sprintf("b%d", i), 0)
		ack(a.read(random(t, 60)))
		ack(a.kill(t))
		ack(b.read(random(t, 20)))
		ack(b.kill(t))
		if t.Failed() {
			return
		}
	}
	s := open(t, Config{Path: path})
	appendN(t, s, 1, "last")
	got := mustScan(t, s, 1)
	for i := range got {
		seq := strconv.FormatUint(got[i].Seq, 10)
		if hash, ok := acked[seq]; ok && hash != got[i].Hash.String() {
			t.Errorf("record %s is not the one that was acknowledged", seq)
		}
		delete(acked, seq)
	}
	if len(acked) != 0 {
		t.Errorf("%d records were acknowledged and lost", len(acked))
	}
	mustVerify(t, path, uint64(len(got)))
	t.Logf("%d records in %d files, %d cut off at the end", len(got), len(mustArchives(t, path))+1, len(s.Repairs()))
}

func random(t *testing.T, n int64) int {
	t.Helper()
	r, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		t.Fatal(err)
	}
	return int(r.Int64())
}
