package transporttest

import (
	"testing"

	"github.com/phimail/sdk/transport"
)

// Run runs the kit's cases as parallel subtests of t. A failing subtest names
// the promise that the transport broke.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.New == nil || (h.Delivered == nil && !h.Features.SMTP) {
		t.Fatal("transporttest: Harness needs New, and Delivered unless the transport speaks SMTP")
	}
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{Harness: h, ca: ca}
	for _, c := range k.cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, k)
		})
	}
}

// tb is the part of testing.TB that the kit uses, so that the kit's own tests
// can stand in for it.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(f func())
	TempDir() string
}

// kit is a harness with what its cases share.
type kit struct {
	Harness

	ca *CA
}

// testCase is one promise, put to the test.
type testCase struct {
	name string
	run  func(t tb, k *kit)
}

func (k *kit) cases() []testCase {
	all := genericCases()
	if k.clear() {
		all = append(all, tlsCases()...)
	} else {
		all = append(all, sealedOnlyCases()...)
	}
	if k.Features.SMTP {
		for _, r := range hostileRows(k.Features) {
			all = append(all, testCase{name: r.name, run: r.run})
		}
		all = append(all, smtpCases(k.Features)...)
	}
	return all
}

// clear reports whether the transport carries content that is not sealed.
func (k *kit) clear() bool { return k.Features.TLS || k.Features.SMTP }

// closer closes a transport, whatever form its Close has.
func closer(tr transport.Transport) func() error {
	switch c := tr.(type) {
	case contextCloser:
		return func() error {
			ctx, cancel := bounded()
			defer cancel()
			return c.Close(ctx)
		}
	case interface{ Close() error }:
		return c.Close
	}
	return func() error { return nil }
}
