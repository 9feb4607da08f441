package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/mail"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
)

// senderEnv makes the test binary a long-lived sender; see runSender.
const senderEnv = "PHIMAIL_TEST_RUN_SENDER"

// inFlight is how many messages the sender has under way at a time.
const inFlight = 8

// runSender sends one message a line of standard input, inFlight at a time, and
// answers each with a line. It ends when it is killed or standard input does.
func runSender(config string) error {
	a := &app{getenv: os.Getenv, now: time.Now}
	cfg, err := loadConfig(config)
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := a.open(ctx, cfg, false)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	slots := make(chan struct{}, inFlight)
	var wg sync.WaitGroup
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		n := lines.Text()
		slots <- struct{}{}
		wg.Go(func() {
			_, err := s.client.Send(ctx, &phimail.Message{
				To:      []phimail.Recipient{{Address: mail.Address{Address: "patient-" + n + "@example.org"}}},
				Subject: "Your appointment", Text: "message " + n,
			})
			fmt.Println(n, err == nil)
			<-slots
		})
	}
	wg.Wait()
	return s.close(ctx)
}

func TestKilledSendersLeaveAWholeLog(t *testing.T) {
	t.Parallel()
	kills, messages := 50, 2000
	if testing.Short() {
		kills, messages = 5, 200
	}
	f := newOffice(t, officeOptions{})
	c := &crash{office: f, intents: map[string]bool{}, open: map[string]bool{}}
	for i := range kills {
		c.killOne(t, i, messages/kills)
		c.examine(t)
	}
	t.Logf("%d sends begun, %d reached the relay, %d unknown after %d kills", len(c.intents), len(f.relay.Messages()), c.unknown, kills)
	if c.unknown == 0 || len(c.intents) < messages/2 {
		t.Error("the kills hit nothing, so that this test shows nothing")
	}
}

// crash is what is known of the log after each kill.
type crash struct {
	*office

	records uint64 // that were examined
	arrived int    // messages at the relay that were
	unknown int
	intents map[string]bool // by Message-ID
	open    map[string]bool // attempts
}

// killOne starts a sender, gives it more work than it can do, and kills it after
// a random number of answers, mean of them on average, and a random moment more.
func (c *crash) killOne(t *testing.T, round, mean int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), senderEnv+"="+c.config)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var work strings.Builder
	for i := range 2*mean + 2*inFlight {
		work.WriteString(strconv.Itoa(round) + "-" + strconv.Itoa(i) + "\n")
	}
	if _, err := io.WriteString(stdin, work.String()); err != nil {
		t.Error(err)
	}
	answers := bufio.NewScanner(stdout)
	for range rand.IntN(2*mean + 2) { // the first answer is "ready"
		if !answers.Scan() {
			t.Fatalf("the sender ended by itself: %s", stderr.String())
		}
	}
	moment := time.NewTimer(time.Duration(rand.IntN(3000)) * time.Microsecond)
	<-moment.C
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, stdout)
	_ = cmd.Wait() // it was killed
}

// examine restarts on the log, and checks what the last kill left.
func (c *crash) examine(t *testing.T) {
	t.Helper()
	cfg, err := loadConfig(c.config)
	if err != nil {
		t.Fatal(err)
	}
	log, err := openAudit(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	unknown := 0
	events := c.eventsFrom(t, c.records+1)
	for _, e := range events {
		switch e.Kind { //nolint:exhaustive // the others open and close nothing
		case audit.KindIntent:
			c.intents[e.MessageID] = true
			c.open[e.Attempt] = true
		case audit.KindOutcome:
			delete(c.open, e.Attempt)
			if e.Status == audit.StatusUnknown {
				unknown++
			}
		}
	}
	if len(c.open) > 0 {
		t.Errorf("%d intents are still open after the restart", len(c.open))
	}
	if unknown > inFlight {
		t.Errorf("%d unknown after one kill, with %d in flight at most", unknown, inFlight)
	}
	c.records += uint64(len(events))
	c.unknown += unknown
	c.wantIntentsOfAllThatArrived(t)
}

func (c *crash) wantIntentsOfAllThatArrived(t *testing.T) {
	t.Helper()
	messages := c.relay.Messages()
	for _, m := range messages[c.arrived:] {
		parsed, err := mail.ReadMessage(bytes.NewReader(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		if id := strings.Trim(parsed.Header.Get("Message-Id"), "<>"); !c.intents[id] {
			t.Fatalf("message %s reached the relay without an intent on record", id)
		}
	}
	c.arrived = len(messages)
}
