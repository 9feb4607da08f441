package keyfind_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/keyfind"
)

func openPins(tb testing.TB, path string) *keyfind.Pins {
	tb.Helper()
	p, err := keyfind.OpenPins(keyfind.PinsConfig{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestPinsAreKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pins.jsonl")
	a, b := openPins(t, path), openPins(t, path)
	is := func(p *keyfind.Pins, mode, to, want string) {
		t.Helper()
		if got, err := p.Pinned(t.Context(), mode, address(to)); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	is(a, "pgp", dana, "")
	if err := a.Pin(t.Context(), "pgp", address(dana), &crypt.Key{Fingerprint: "one", Source: "wkd"}); err != nil {
		t.Fatal(err)
	}
	is(b, "pgp", "dana@PATIENT.example", "one") // another process
	is(b, "smime", dana, "")
	is(b, "pgp", "lee@patient.example", "")
	if err := b.Pin(t.Context(), "pgp", address(dana), &crypt.Key{Fingerprint: "two"}); !errors.Is(err, crypt.ErrChanged) {
		t.Errorf("a key that nobody knew of: %v", err)
	}
	if err := b.Pin(t.Context(), "pgp", address(dana), &crypt.Key{Fingerprint: "two", Pinned: "one"}); err != nil {
		t.Error(err)
	}
	is(a, "pgp", dana, "two")
	if err := a.Pin(t.Context(), "pgp", address(dana), &crypt.Key{Fingerprint: "two", Pinned: "one"}); err != nil {
		t.Error(err)
	}
	if err := a.Pin(t.Context(), "pgp", address(dana), &crypt.Key{Fingerprint: "one"}); !errors.Is(err, crypt.ErrChanged) {
		t.Errorf("the old key again: %v", err)
	}
	data, err := os.ReadFile(path)
	info, serr := os.Stat(path)
	if err != nil || serr != nil || info.Mode().Perm() != 0o600 || strings.Count(string(data), "\n") != 2 {
		t.Errorf("%s, %v, %v", data, err, serr)
	}
	is(openPins(t, path), "pgp", dana, "two")
}

func TestAPinThatACrashCutOffIsNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pins.jsonl")
	const whole = `{"mode":"pgp","address":"dana@patient.example","fingerprint":"one"}` + "\n"
	if err := os.WriteFile(path, []byte(whole+`{"mode":"pgp","addr`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := openPins(t, path)
	if got, err := p.Pinned(t.Context(), "pgp", address(dana)); err != nil || got != "one" {
		t.Errorf("%q, %v", got, err)
	}
	if err := p.Pin(t.Context(), "pgp", address("lee@patient.example"), &crypt.Key{Fingerprint: "two"}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), whole+`{"mode":"pgp","address":"lee@`) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestAFileThatIsNoneStopsEverything(t *testing.T) {
	t.Parallel()
	good := `{"mode":"pgp","address":"dana@patient.example","fingerprint":"one"}` + "\n"
	for name, c := range map[string]struct {
		data string
		mode os.FileMode
	}{
		"text":            {"hello\n", 0o600},
		"an unknown key":  {`{"mode":"pgp","address":"dana@patient.example","fingerprint":"one","x":1}` + "\n", 0o600},
		"no fingerprint":  {`{"mode":"pgp","address":"dana@patient.example"}` + "\n", 0o600},
		"no address":      {`{"mode":"pgp","address":"dana","fingerprint":"one"}` + "\n", 0o600},
		"two in a line":   {strings.TrimSpace(good) + good, 0o600},
		"everybody's own": {good, 0o644},
	} {
		path := filepath.Join(t.TempDir(), "pins.jsonl")
		p := openPins(t, path)
		if err := os.WriteFile(path, []byte(c.data), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keyfind.OpenPins(keyfind.PinsConfig{Path: path}); !errors.Is(err, crypt.ErrConfig) || strings.Contains(err.Error(), "dana") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Pinned(t.Context(), "pgp", address(dana)); !errors.Is(err, crypt.ErrSource) {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Pin(t.Context(), "pgp", address(dana), &crypt.Key{Fingerprint: "one"}); !errors.Is(err, crypt.ErrSource) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := keyfind.OpenPins(keyfind.PinsConfig{}); !errors.Is(err, crypt.ErrConfig) {
		t.Error(err)
	}
}

const childPath = "PHIMAIL_TEST_PINS"

// TestPinsChild is run in processes of its own by the test below.
func TestPinsChild(t *testing.T) { //nolint:paralleltest // a process of its own
	path := os.Getenv(childPath)
	if path == "" {
		t.Skip("only a child of another test")
	}
	p := openPins(t, path)
	for i := range 50 {
		err := p.Pin(t.Context(), "pgp", address(fmt.Sprintf("a%d@patient.example", i)), &crypt.Key{Fingerprint: os.Getenv("PHIMAIL_TEST_NAME")})
		if err != nil && !errors.Is(err, crypt.ErrChanged) {
			t.Fatal(err)
		}
	}
}

// Of processes that pin at the same time exactly one is first for each address.
func TestProcessesShareAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pins.jsonl")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			cmd := exec.CommandContext(t.Context(), exe, "-test.run", "^TestPinsChild$")
			cmd.Env = append(os.Environ(), childPath+"="+path, fmt.Sprintf("PHIMAIL_TEST_NAME=key%d", i))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	group.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	seen := map[string]bool{}
	for _, l := range lines {
		_, rest, _ := strings.Cut(l, `"address":"`)
		who, _, _ := strings.Cut(rest, `"`)
		if seen[who] {
			t.Errorf("%s has two pins", who)
		}
		seen[who] = true
	}
	if len(lines) != 50 || len(seen) != 50 {
		t.Errorf("%d lines", len(lines))
	}
}

func FuzzPins(f *testing.F) {
	f.Add([]byte(`{"mode":"pgp","address":"dana@patient.example","fingerprint":"one"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "pins.jsonl")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := keyfind.OpenPins(keyfind.PinsConfig{Path: path})
		if err != nil {
			return
		}
		was, err := p.Pinned(t.Context(), "pgp", address(dana))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Pin(t.Context(), "pgp", address(dana), &crypt.Key{Fingerprint: "two", Pinned: was}); err != nil {
			t.Fatal(err)
		}
		if got, err := openPins(t, path).Pinned(t.Context(), "pgp", address(dana)); err != nil || got != "two" {
			t.Fatal(got, err)
		}
	})
}

func ExampleOpenPins() {
	dir, err := os.MkdirTemp("", "pins")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	pins, err := keyfind.OpenPins(keyfind.PinsConfig{Path: filepath.Join(dir, "pins.jsonl")})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(pins.Pin(ctx, "pgp", address("dana@patient.example"), &crypt.Key{Fingerprint: "c0ffee"}))
	fmt.Println(pins.Pin(ctx, "pgp", address("dana@patient.example"), &crypt.Key{Fingerprint: "badc0de"}))
	// Output:
	// <nil>
	// crypt: another key was used for the recipient before; ask them by another way whether the new one is theirs
}
