package escrowmem_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
	"github.com/phimail/sdk/crypt/escrow/escrowtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	escrowtest.Run(t, escrowtest.Harness{Open: func(escrowtest.TB, string) escrow.Store { return escrowmem.New().Store() }})
}

func TestNothingIsPrinted(t *testing.T) {
	t.Parallel()
	m := escrowmem.New()
	if err := m.Store().Shares.Put(t.Context(), strings.Repeat("a", 32), escrow.Share{7}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v %#v", m, m); strings.Contains(got, "7") || !strings.Contains(got, "shares:1") {
		t.Error(got)
	}
}
