package auditfile

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
)

// The environment of a child: what to do, where, how often, and its name.
const (
	childJob   = "AUDITFILE_TEST_CHILD"
	childPath  = "AUDITFILE_TEST_PATH"
	childCount = "AUDITFILE_TEST_COUNT"
	childName  = "AUDITFILE_TEST_NAME"
)

// runChild is main in a process that a test started. It writes a line to its
// standard output for whatever was acknowledged to it, and only then.
func runChild(job string) int {
	n, err := strconv.Atoi(os.Getenv(childCount))
	if err == nil {
		switch path, name := os.Getenv(childPath), os.Getenv(childName); job {
		case "send":
			err = childSend(path, name, n)
		case "append":
			err = childAppend(path, name)
		case "die":
			err = childDie(path, n)
		case "wait":
			say("ready")
			_, err = io.Copy(io.Discard, os.Stdin)
		case "limit":
			err = childLimit(path)
		default:
			err = errors.New("unknown job")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

// say tells the test that started this process.
func say(args ...any) { _, _ = fmt.Fprintln(os.Stdout, args...) }

// childSend does what a sending process does: n intents, each with its outcome
// unless the name asks to hang before the outcomes.
func childSend(path, name string, n int) error {
	ctx := context.Background()
	s, err := Open(Config{Path: path, MaxBytes: 64 << 10})
	if err != nil {
		return err
	}
	log, err := audit.New(ctx, audit.Config{Sink: s, Runs: s, PseudonymKey: make([]byte, 32)})
	if err != nil {
		return err
	}
	for i := range n {
		e := audit.Event{Kind: audit.KindIntent, Attempt: name, Item: i + 1, Mode: "tls"}
		if err := log.Append(ctx, []audit.Event{e}); err != nil {
			return err
		}
		say("intent", name, i+1)
		if strings.HasPrefix(name, "hang") {
			continue
		}
		e.Kind, e.Status = audit.KindOutcome, audit.StatusAccepted
		if err := log.Append(ctx, []audit.Event{e}); err != nil {
			return err
		}
		say("outcome", name, i+1)
	}
	if strings.HasPrefix(name, "hang") {
		_, _ = io.Copy(io.Discard, os.Stdin) // Until it is killed.
	}
	return errors.Join(log.Close(ctx), s.Close())
}

// childAppend appends batches until it is killed, and tells the number and hash
// of each record that was acknowledged.
func childAppend(path, name string) error {
	s, err := Open(Config{Path: path, MaxBytes: 40 << 10})
	if err != nil {
		return err
	}
	tb := childTB{}
	for size := 1; ; size = size%9 + 1 {
		head, err := s.Head(context.Background())
		if err != nil {
			return err
		}
		recs := records(&tb, head, size, name)
		err = s.Append(context.Background(), recs)
		if errors.Is(err, audit.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range recs {
			say(recs[i].Seq, recs[i].Hash)
		}
	}
}

// childDie appends a batch and is killed when n bytes of a second one are
// written.
func childDie(path string, n int) error {
	f := &mortal{}
	s, err := Open(Config{Path: path, wrap: func(l logFile) logFile { f.logFile = l; return f }})
	if err != nil {
		return err
	}
	for i := range 2 {
		head, err := s.Head(context.Background())
		if err != nil {
			return err
		}
		if f.bytes = n; i == 0 {
			f.bytes = -1
		}
		if err := s.Append(context.Background(), records(&childTB{}, head, 4, "die")); err != nil {
			return err
		}
		say(head.Seq + 4)
	}
	return nil
}

// mortal is a logFile whose process is killed after some bytes of a write.
type mortal struct {
	logFile

	bytes int
}

func (m *mortal) Append(p []byte, at int64) (int, error) {
	if m.bytes < 0 || m.bytes > len(p) {
		return m.logFile.Append(p, at)
	}
	if _, err := m.logFile.Append(p[:m.bytes], at); err != nil {
		return 0, err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return 0, err
	}
	if err := self.Kill(); err != nil {
		return 0, err
	}
	select {}
}

// childTB lets a child use the tests' helpers; they only ever call Helper and
// Fatal.
type childTB struct{ testing.TB }

func (*childTB) Helper()           {}
func (*childTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// child is a running process.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	stdin io.WriteCloser
	err   strings.Builder
}

func start(t *testing.T, job, path, name string, n int) *child {
	t.Helper()
	c := &child{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	c.cmd.Env = append(os.Environ(), childJob+"="+job, childPath+"="+path, childName+"="+name, childCount+"="+strconv.Itoa(n))
	c.cmd.Stderr = &c.err
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// read returns up to n lines of what was acknowledged, all if n is negative.
func (c *child) read(n int) (lines []string) {
	for n != 0 && c.lines.Scan() {
		lines = append(lines, c.lines.Text())
		n--
	}
	return lines
}

// kill ends the process as kill -9 does, and returns what it still said.
func (c *child) kill(t *testing.T) []string {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest := c.read(-1)
	_ = c.cmd.Wait() // It tells of the kill.
	return rest
}

// kill9 waits for a process that kills itself.
func (c *child) kill9(t *testing.T) []string {
	t.Helper()
	lines := c.read(-1)
	if err := c.cmd.Wait(); err == nil || c.err.Len() > 0 {
		t.Fatalf("it was not killed: %v %s", err, c.err.String())
	}
	return lines
}

// wait lets the process end by itself.
func (c *child) wait(t *testing.T) []string {
	t.Helper()
	lines := c.read(-1)
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, c.err.String())
	}
	return lines
}

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
