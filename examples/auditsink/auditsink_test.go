package auditsink_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
	"github.com/phimail/sdk/examples/auditsink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The conformance kit is all the proof that a sink needs.
func TestDirKeepsTheContract(t *testing.T) {
	t.Parallel()
	h := audittest.Harness{
		Open: func(_ audittest.TB, dir string) audit.Sink { return auditsink.Dir(dir) },
		// A Dir holds nothing in memory: a second handle is a second process,
		// and a handle that is dropped is one that was killed.
		Shared: true,
		Crash:  func(audit.Sink) {},
	}
	if os.Geteuid() != 0 { // root may write where nobody may
		h.Break = func(s audit.Sink) (mend func()) {
			setMode(t, s, 0o500)
			return func() { setMode(t, s, 0o700) }
		}
	}
	audittest.Run(t, h)
}

func setMode(t *testing.T, s audit.Sink, mode os.FileMode) {
	t.Helper()
	dir, ok := s.(auditsink.Dir)
	if !ok {
		t.Fatal("another sink")
	}
	if err := os.Chmod(string(dir), mode); err != nil {
		t.Fatal(err)
	}
}

func TestALogOverDirVerifiesUntilAByteIsChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := audit.New(t.Context(), audit.Config{Sink: auditsink.Dir(dir), PseudonymKey: make([]byte, audit.MinPseudonymKey)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		event := audit.Event{Kind: audit.KindOutcome, Attempt: "a", Item: i + 1, Status: audit.StatusRefused, Reason: "no-key"}
		if err := log.Append(t.Context(), []audit.Event{event}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(t.Context(), auditsink.Dir(dir), audit.VerifyOptions{})
	if err != nil || report.Outcomes[audit.StatusRefused] != 3 {
		t.Fatalf("got %d outcomes, %v", report.Outcomes[audit.StatusRefused], err)
	}

	files, err := filepath.Glob(filepath.Join(dir, "*3"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-20] ^= 1
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(t.Context(), auditsink.Dir(dir), audit.VerifyOptions{}); err == nil {
		t.Error("an altered record was not found")
	}
}
