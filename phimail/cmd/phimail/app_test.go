package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// mainEnv makes the test binary act as the command: process tests run it so.
const mainEnv = "PHIMAIL_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	if config := os.Getenv(senderEnv); config != "" {
		if err := runSender(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// result is what a run of the command left.
type result struct {
	code           int
	stdout, stderr string
}

// world is an app with nothing real around it.
type world struct {
	stdin    string
	env      map[string]string
	txt      map[string][]string
	txtErr   error
	servers  []string
	now      time.Time
	terminal bool
	// full says that nothing can be written to standard output.
	full bool
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func (w world) run(t *testing.T, args ...string) result {
	t.Helper()
	if w.now.IsZero() {
		w.now = time.Now()
	}
	var stdout, stderr bytes.Buffer
	a := &app{
		stdin: strings.NewReader(w.stdin), stdout: &stdout, stderr: &stderr,
		getenv: func(k string) string { return w.env[k] },
		now:    func() time.Time { return w.now },
		lookupTXT: func(_ context.Context, name string) ([]string, error) {
			if w.txtErr != nil {
				return nil, w.txtErr
			}
			if r := w.txt[name]; len(r) > 0 {
				return r, nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
		},
		nameServers: func() []string { return w.servers },
		signals:     func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
		terminal:    w.terminal,
	}
	if w.full {
		a.stdout = fullDisk{}
	}
	code := a.run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

func (r result) want(t *testing.T, code int, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stderr, stderr) {
		t.Errorf("exit code %d, want %d; standard error %q, want it to hold %q", r.code, code, r.stderr, stderr)
	}
}

func TestCommandLineMistakesAreUsageErrors(t *testing.T) {
	t.Parallel()
	const canary = "canary@leak.example"
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"nothing":                     {nil, "Commands:"},
		"unknown command":             {[]string{canary}, "there is no such command"},
		"later command":               {[]string{"enqueue", "-config", "x"}, "enqueue is not available in this version"},
		"later audit command":         {[]string{"audit", "search"}, "audit search is not available in this version"},
		"audit alone":                 {[]string{"audit"}, "verify or checkpoint"},
		"unknown audit command":       {[]string{"audit", canary}, "there is no such audit command"},
		"unknown flag":                {[]string{"send", "-frm", "x"}, "send: unknown flag -frm; phimail send -h"},
		"unknown flag with a value":   {[]string{"send", "-x=" + canary}, "send: unknown flag"},
		"flag without value":          {[]string{"send", "-config"}, "a value is missing after -config"},
		"bad boolean":                 {[]string{"send", "-t=" + canary}, "a flag has a value of the wrong kind"},
		"no config":                   {[]string{"send", "-t"}, "-config is missing"},
		"no recipient":                {[]string{"plan", "-config", "x"}, "plan: nobody to send to"},
		"recipients and -t":           {[]string{"send", "-config", "x", "-t", "a@b.example"}, "name none after it"},
		"flag after recipient":        {[]string{"send", "-config", "x", "a@b.example", "-f", "b@b.example"}, "recipient 2 is not an address (flags come before recipients"},
		"bad recipient":               {[]string{"send", "-config", "x", "canary leak.example"}, "recipient 1 is not an address"},
		"bad purpose":                 {[]string{"send", "-config", "x", "-t", "-purpose", canary}, "-purpose must be treatment"},
		"bad stream":                  {[]string{"send", "-config", "x", "-t", "-stream", canary}, "-stream must be transactional"},
		"verify without path":         {[]string{"audit", "verify"}, "needs one PATH"},
		"checkpoint without key":      {[]string{"audit", "verify", "-checkpoint", "c", "log"}, "belong together"},
		"checkpoint without config":   {[]string{"audit", "checkpoint"}, "needs -config FILE"},
		"keygen alone":                {[]string{"keygen"}, "phimail keygen dkim -domain"},
		"keygen of something else":    {[]string{"keygen", "pgp"}, "phimail keygen dkim -domain"},
		"keygen without selector":     {[]string{"keygen", "dkim", "-domain", "d.example"}, "-selector"},
		"keygen of another algorithm": {[]string{"keygen", "dkim", "-domain", "d.example", "-selector", "s", "-algorithm", "dsa"}, "rsa, ed25519 or both"},
		"keygen for no domain":        {[]string{"keygen", "dkim", "-domain", "../x", "-selector", "s", "-algorithm", "ed25519"}, "not a DNS name"},
		"doctor of nothing":           {[]string{"doctor"}, "-config FILE or -domain DOMAIN"},
		"help on nothing":             {[]string{"help", canary}, "there is no help on this"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := world{}.run(t, tt.args...)
			r.want(t, exitUsage, tt.want)
			if r.stdout != "" {
				t.Errorf("standard output holds %q", r.stdout)
			}
			if strings.Contains(r.stderr, "canary") {
				t.Errorf("standard error repeats an argument: %q", r.stderr)
			}
		})
	}
}

func TestHelpGoesToStandardOutput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"help"}, "Commands:"},
		{[]string{"-h"}, "Commands:"},
		{[]string{"--help"}, "Commands:"},
		{[]string{"help", "help"}, "Commands:"},
		{[]string{"send", "-h"}, "usage: phimail send -config FILE"},
		{[]string{"plan", "-h"}, "usage: phimail plan -config FILE"},
		{[]string{"help", "send"}, "usage: phimail send -config FILE"},
		{[]string{"audit", "-h"}, "usage: phimail audit verify"},
		{[]string{"audit", "verify", "-h"}, "usage: phimail audit verify"},
		{[]string{"audit", "checkpoint", "-h"}, "usage: phimail audit checkpoint"},
		{[]string{"help", "audit", "checkpoint"}, "usage: phimail audit checkpoint"},
		{[]string{"keygen", "-h"}, "usage: phimail keygen dkim"},
		{[]string{"keygen", "dkim", "-h"}, "usage: phimail keygen dkim"},
		{[]string{"help", "keygen"}, "usage: phimail keygen dkim"},
		{[]string{"doctor", "-h"}, "usage: phimail doctor"},
		{[]string{"help", "config"}, "pseudonym_key_file"},
		{[]string{"help", "exit"}, "76   unknown"},
		{[]string{"tls-report", "-h"}, "usage: phimail tls-report"},
		{[]string{"help", "config"}, "local_addrs"},
	} {
		r := world{}.run(t, tt.args...)
		if r.code != exitOK || !strings.Contains(r.stdout, tt.want) || r.stderr != "" {
			t.Errorf("%v: exit code %d, output %q, want %q; standard error %q", tt.args, r.code, r.stdout, tt.want, r.stderr)
		}
		for line := range strings.SplitSeq(r.stdout, "\n") {
			if len(line) > 100 {
				t.Errorf("%v: a line of %d characters: %s", tt.args, len(line), line)
			}
		}
	}
}
