package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	tt "github.com/phimail/sdk/transport/transporttest"
)

// process is a run of the command as a process of its own.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// start runs the test binary as the command. It ends with the test at the
// latest.
func start(t *testing.T, stdin string, args ...string) *process {
	t.Helper()
	return startIn(t, nil, stdin, args...)
}

// startIn adds to the environment.
func startIn(t *testing.T, env []string, stdin string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(t.Context(), exe, args...)}
	p.cmd.Env = append(append(os.Environ(), mainEnv+"=1"), env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = strings.NewReader(stdin), &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// wait returns what the process left; the code of a killed one is -1.
func (p *process) wait(t *testing.T) result {
	t.Helper()
	err := p.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Error(err)
	}
	return result{p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

func TestProcessSendsAndExits(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	r := start(t, plainMessage, "send", "-config", f.config, "-t").wait(t)
	r.want(t, exitOK, "")
	if r.receipt(t).Recipients[0].Status != "accepted" {
		t.Errorf("got %s", r.stdout)
	}
	r = start(t, plainMessage, "send").wait(t)
	r.want(t, exitUsage, "-config is missing")
}

func TestEverythingRunsInFIPSMode(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{more: "require_fips: true"})
	fips := []string{"GODEBUG=fips140=only"}
	start(t, plainMessage, "send", "-config", f.config, "-t").wait(t).want(t, exitConfig, "require_fips: the process does not run in FIPS 140-3 mode")
	for _, algorithm := range []string{"rsa", "ed25519"} {
		startIn(t, fips, "", "keygen", "dkim", "-domain", "clinic.example", "-selector", "s2", "-algorithm", algorithm,
			"-out", filepath.Join(f.dir, algorithm+".pem")).wait(t).want(t, exitOK, "")
		f.editConfig(t, "dkim: [", "dkim: [{domain: clinic.example, selector: "+algorithm+", key_file: "+algorithm+".pem}, ")
	}
	startIn(t, fips, plainMessage, "send", "-config", f.config, "-t", "-key", "k").wait(t).want(t, exitOK, "")
	checkpoint := filepath.Join(f.dir, "checkpoint")
	r := startIn(t, fips, "", "audit", "checkpoint", "-config", f.config).wait(t)
	r.want(t, exitOK, "")
	writeFile(t, checkpoint, r.stdout, 0o600)
	startIn(t, fips, "", "audit", "verify", "-checkpoint", checkpoint, "-key", filepath.Join(f.dir, "audit.key.pub"), f.log()).wait(t).want(t, exitOK, "")
	for _, e := range of(f.events(t), audit.KindOutcome) {
		if !e.FIPS || len(e.DKIM) != 3 {
			t.Errorf("on record is FIPS %t, DKIM %v", e.FIPS, e.DKIM)
		}
	}
}

func TestSignalBeforeTheCommitPointSendsNothing(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, officeOptions{scripts: []tt.Script{{At: map[tt.Point][]tt.Step{tt.AtMail: {{Then: tt.Mute}}}}}})
			p := start(t, plainMessage, "send", "-config", f.config, "-t")
			<-f.relay.Reached(tt.AtMail)
			p.signal(t, s)
			r := p.wait(t)
			r.want(t, exitDeferred, "recipient 1 of 1: deferred")
			if got := r.receipt(t).Recipients[0]; got.Status != "deferred" || got.Code != "canceled" || !got.Retryable {
				t.Errorf("got %+v", got)
			}
			if n := len(f.relay.Messages()); n > 0 {
				t.Errorf("the relay took %d messages", n)
			}
			outcomes := of(f.events(t), audit.KindOutcome)
			if len(outcomes) != 1 || outcomes[0].Status != audit.StatusDeferred {
				t.Errorf("on record is %+v", outcomes)
			}
		})
	}
}

func TestSignalAfterTheCommitPointWaitsForTheOutcome(t *testing.T) {
	t.Parallel()
	slow := tt.Step{Say: "250 2.0.0 taken\r\n", Pace: 50 * time.Millisecond, Take: true}
	f := newOffice(t, officeOptions{scripts: []tt.Script{{At: map[tt.Point][]tt.Step{tt.AtDot: {slow}}}}})
	p := start(t, plainMessage, "send", "-config", f.config, "-t")
	<-f.relay.Reached(tt.AtDot)
	p.signal(t, syscall.SIGTERM)
	r := p.wait(t)
	if n := len(f.relay.Messages()); n != 1 {
		t.Fatalf("the relay took %d messages", n)
	}
	r.want(t, exitOK, "")
	if got := r.receipt(t).Recipients[0].Status; got != "accepted" {
		t.Errorf("got %s", got)
	}
}

// hanging adds to f's directory a configuration whose relay takes a message and
// never answers.
func (f *office) hanging(t *testing.T, name string) (config string, relay *tt.Server) {
	t.Helper()
	relay, err := tt.NewServer(f.ca, tt.Script{At: map[tt.Point][]tt.Step{tt.AtDot: {{Then: tt.Mute, Take: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := relay.Close(); err != nil {
			t.Error(err)
		}
	})
	data, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(f.dir, name)
	writeFile(t, config, strings.Replace(string(data), f.relay.Addr(), relay.Addr(), 1), 0o600)
	return config, relay
}

func TestParallelProcessesShareOneLogAndOnlyTheKilledLeaveUnknowns(t *testing.T) {
	t.Parallel()
	const senders, killed = 20, 2
	f := newOffice(t, officeOptions{})
	cfg, err := loadConfig(f.config)
	if err != nil {
		t.Fatal(err)
	}
	// A process that holds the log open, with an intent of its own under way.
	holder, err := openAudit(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	mine := audit.Event{Kind: audit.KindIntent, Attempt: "held", Item: 1}
	if err := holder.log.Append(t.Context(), []audit.Event{mine}); err != nil {
		t.Fatal(err)
	}

	var victims, others []*process
	var hung []*tt.Server
	for i := range senders {
		if i%(senders/killed) == 0 {
			config, relay := f.hanging(t, fmt.Sprintf("hanging%d.yaml", i))
			victims, hung = append(victims, start(t, plainMessage, "send", "-config", config, "-t")), append(hung, relay)
			continue
		}
		others = append(others, start(t, plainMessage, "send", "-config", f.config, "-t"))
	}
	for i, v := range victims {
		<-hung[i].Reached(tt.AtDot)
		v.signal(t, syscall.SIGKILL)
		if r := v.wait(t); r.code != -1 {
			t.Errorf("a killed process exited with %d: %s", r.code, r.stderr)
		}
	}
	for _, p := range others {
		p.wait(t).want(t, exitOK, "")
	}
	// Whoever comes next writes what became of the killed.
	start(t, plainMessage, "send", "-config", f.config, "-t").wait(t).want(t, exitOK, "")

	f.wantOnlyTheKilledUnknown(t, killed, senders-killed+1)
	mine.Kind, mine.Status = audit.KindOutcome, audit.StatusAccepted
	if err := holder.log.Append(t.Context(), []audit.Event{mine}); err != nil {
		t.Errorf("the holder's own intent was taken from it: %v", err)
	}
	if err := holder.close(t.Context()); err != nil {
		t.Error(err)
	}
	f.events(t)
}

func (f *office) wantOnlyTheKilledUnknown(t *testing.T, killed, accepted int) {
	t.Helper()
	count := map[string]int{}
	runs := map[string]bool{}
	ended := map[string]bool{}
	for _, e := range f.events(t) {
		switch e.Kind { //nolint:exhaustive // the others open and close nothing
		case audit.KindIntent:
			runs[e.Attempt] = true
		case audit.KindOutcome:
			count[e.Status]++
			ended[e.Attempt] = true
			if (e.Status == audit.StatusUnknown) != (e.Reason == audit.ReasonCrash) {
				t.Errorf("an outcome is %s for the reason %s", e.Status, e.Reason)
			}
		}
	}
	if count[audit.StatusUnknown] != killed || count[audit.StatusAccepted] != accepted || len(count) != 2 {
		t.Errorf("outcomes are %v, want %d unknown and %d accepted", count, killed, accepted)
	}
	if len(runs) != killed+accepted+1 || ended["held"] {
		t.Errorf("%d attempts, want %d and the holder's", len(runs), killed+accepted)
	}
}

func TestFirstRunsAtOnceAgreeOnTheKeys(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	var ps []*process
	for range 4 {
		ps = append(ps, start(t, plainMessage, "send", "-config", f.config, "-t", "-key", "same"))
	}
	ids, pseudonyms := map[string]bool{}, map[string]bool{}
	for _, p := range ps {
		r := p.wait(t)
		r.want(t, exitOK, "")
		ids[r.receipt(t).MessageID] = true
	}
	for _, e := range of(f.events(t), audit.KindIntent) {
		pseudonyms[e.Recipient] = true
	}
	if len(ids) != 1 || len(pseudonyms) != 1 {
		t.Errorf("%d Message-IDs and %d pseudonyms, want one of each", len(ids), len(pseudonyms))
	}
}
