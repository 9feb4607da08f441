package pinning_test

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/pinning"
)

// answers is a crypt.Pins that says the same to everybody.
type answers struct{ err error }

func (a answers) Pinned(context.Context, string, mail.Address) (string, error) { return "f1", a.err }

func (a answers) Pin(context.Context, string, mail.Address, *crypt.Key) error { return a.err }

// panics is one that breaks its contract.
type panics struct{}

func (panics) Pinned(context.Context, string, mail.Address) (string, error) { panic("dana") }

func (panics) Pin(context.Context, string, mail.Address, *crypt.Key) error { panic("dana") }

func TestWithoutAnAnswerOfThePinsNothingFoundIsUsed(t *testing.T) {
	t.Parallel()
	to := mail.Address{Address: "dana@patient.example"}
	found := &crypt.Job{To: []crypt.Target{{Address: to, Key: crypt.Key{Fingerprint: "f1", Discovered: true}}}}
	for name, c := range map[string]struct {
		pins     crypt.Pins
		of, used error
	}{
		"none":    {nil, crypt.ErrUnproven, crypt.ErrUnproven},
		"good":    {answers{}, nil, nil},
		"changed": {answers{&crypt.Error{Reason: crypt.ErrChanged}}, crypt.ErrSource, crypt.ErrChanged},
		"failing": {answers{errors.New("dana")}, crypt.ErrSource, crypt.ErrSource},
		"slow":    {answers{context.DeadlineExceeded}, crypt.ErrSource, crypt.ErrSource},
		"broken":  {panics{}, crypt.ErrSource, crypt.ErrSource},
	} {
		if _, err := pinning.Of(t.Context(), c.pins, "pgp", to); !errors.Is(err, c.of) || err != nil && strings.Contains(err.Error(), "dana") {
			t.Errorf("%s: %v", name, err)
		}
		if err := pinning.Use(t.Context(), c.pins, "pgp", found); !errors.Is(err, c.used) || err != nil && strings.Contains(err.Error(), "dana") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := pinning.Use(t.Context(), nil, "pgp", &crypt.Job{To: []crypt.Target{{Address: to}}}); err != nil {
		t.Errorf("of a file: %v", err)
	}
}
