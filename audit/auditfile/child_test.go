package auditfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
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
