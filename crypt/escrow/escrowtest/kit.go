package escrowtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
)

// TB is what the kit needs of a *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
	TempDir() string
}

// Harness says how the kit gets at a store, and what it claims. Only Open is
// required; what is left out is not tested.
type Harness struct {
	// Open opens a handle on the storage that dir names, and makes the storage if
	// it is the first for that dir: an empty temporary directory at first, whose
	// path serves as a name where there are no files. It ends with the test.
	Open func(t TB, dir string) escrow.Store
	// Shared claims that several handles may be open on one storage at a time, as
	// several processes have it, and that a handle opened later sees all that was
	// stored.
	Shared bool
	// Patience is how long one case may take. Defaults to a minute.
	Patience time.Duration
}

// testCase is one promise.
type testCase struct {
	name   string
	shared bool
	check  func(k *kit)
}

func cases() []testCase { return append(itemCases(), contentCases()...) }

// Run checks every promise that the harness claims. With a *testing.T each is a
// subtest; another TB gets them one after the other, each failure led by the name
// of its case.
func Run(t TB, h Harness) {
	t.Helper()
	if h.Open == nil {
		t.Fatalf("escrowtest: Harness.Open is required")
		return
	}
	if h.Patience == 0 {
		h.Patience = time.Minute
	}
	for _, c := range cases() {
		if c.shared && !h.Shared {
			continue
		}
		if tt, ok := t.(*testing.T); ok {
			tt.Run(c.name, func(t *testing.T) { run(t, &h, c) })
		} else {
			run(t, &h, c)
		}
	}
}

// kit is one case under way.
type kit struct {
	TB

	name  string
	h     *Harness
	dir   string
	store escrow.Store
	ctx   context.Context //nolint:containedctx // of the case
}

func run(t TB, h *Harness, c testCase) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), h.Patience)
	defer cancel()
	k := &kit{TB: t, name: c.name, h: h, dir: t.TempDir(), ctx: ctx}
	k.store = h.Open(t, k.dir)
	defer func() {
		if v := recover(); v != nil {
			k.failf("the store panicked")
		}
	}()
	c.check(k)
	if ctx.Err() != nil {
		k.failf("took longer than %s", h.Patience)
	}
}

func (k *kit) failf(format string, args ...any) {
	k.Helper()
	k.Errorf("%s: %s", k.name, fmt.Sprintf(format, args...))
}

// want checks an error for what it has to match; nil for none.
func (k *kit) want(what string, err, want error) {
	k.Helper()
	switch {
	case want == nil && err != nil:
		k.failf("%s: error %v", what, err)
	case want != nil && !errors.Is(err, want):
		k.failf("%s: error %v, want one that matches %v", what, err, want)
	}
}

// fails checks that there is an error.
func (k *kit) fails(what string, err error) {
	k.Helper()
	if err == nil {
		k.failf("%s: no error", what)
	}
}

func name() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// item is one with every field set.
func item(id string) *escrow.Item {
	at := time.Date(2026, 3, 9, 12, 30, 0, 0, time.UTC)
	return &escrow.Item{
		ID: id, Version: 1, Tenant: "riverside", Ref: "portal-9 \u00e9\"\\", Message: name(), Created: at, Expires: at.Add(time.Hour), State: escrow.Sealed,
		Content: name(), Pending: name(), Size: 1 << 40, PendingSize: 7, Share: name(), Factor: escrow.Passcode,
		Salt: bytes.Repeat([]byte{0, 0xff}, 16), Iterations: 600_000, Access: []byte{1}, Proof: []byte{2}, Attempts: 3,
		Tokens:    []escrow.Token{{Digest: []byte{3}, Expires: at}, {Digest: []byte{4}, Expires: at.Add(time.Second)}},
		Code:      &escrow.OneTime{Digest: []byte{5}, Expires: at},
		CodesSent: []time.Time{at, at.Add(time.Minute)}, Reads: 2, FirstRead: at, LastRead: at.Add(time.Minute), Link: []byte{6}, Erased: true,
	}
}

func (k *kit) same(what string, got, want *escrow.Item) {
	k.Helper()
	g, err1 := escrow.EncodeItem(got)
	w, err2 := escrow.EncodeItem(want)
	if err1 != nil || err2 != nil || !bytes.Equal(g, w) {
		k.failf("%s: the item is another than was saved", what)
	}
}

// save saves a copy, and then spoils what it gave: a store keeps a copy.
func (k *kit) save(s escrow.Store, it *escrow.Item) error {
	given := it.Clone()
	err := s.Items.Save(k.ctx, given)
	given.Salt[0] ^= 0xff
	given.Access[0] ^= 0xff
	given.Tenant = "spoilt"
	return err
}

func (k *kit) put(s escrow.Store, id string, b []byte) error {
	return s.Contents.Put(k.ctx, id, bytes.NewReader(b))
}

func (k *kit) read(s escrow.Store, id string) ([]byte, error) {
	r, err := s.Contents.Open(k.ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}
