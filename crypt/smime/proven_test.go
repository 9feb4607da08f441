package smime_test

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// pinned is a crypt.Pins in memory.
type pinned map[string]string

func (p pinned) Pinned(_ context.Context, mode string, a mail.Address) (string, error) {
	return p[mode+" "+a.Address], nil
}

func (p pinned) Pin(_ context.Context, mode string, a mail.Address, key *crypt.Key) error {
	if is := p[mode+" "+a.Address]; is != "" && is != key.Pinned && is != key.Fingerprint {
		return crypt.ErrChanged
	}
	p[mode+" "+a.Address] = key.Fingerprint
	return nil
}

func discovered(proven bool, list ...*smimetest.Identity) smime.KeySource {
	var candidates []smime.Candidate
	for _, id := range list {
		candidates = append(candidates, smime.Candidate{Certificate: id.Certificate, Source: "smimea", Discovered: true, Proven: proven})
	}
	return smime.KeySourceFunc(func(context.Context, mail.Address) ([]smime.Candidate, error) { return candidates, nil })
}

// DNSSEC stands for a certificate in the place of an authority, and of nothing else.
func TestAProvenCertificateNeedsNoAuthority(t *testing.T) {
	t.Parallel()
	stranger := smimetest.NewAuthority()
	for name, c := range map[string]struct {
		id     *smimetest.Identity
		proven bool
		want   error
	}{
		"proven":             {stranger.Issue(smimetest.P256, dana), true, nil},
		"found, not proven":  {stranger.Issue(smimetest.P256, dana), false, crypt.ErrUntrusted},
		"of another address": {stranger.Issue(smimetest.P256, lee), true, crypt.ErrWrongAddress},
		"expired":            {stranger.Issue(smimetest.P256, dana, smimetest.Expired), true, crypt.ErrExpired},
		"weak":               {stranger.Issue(smimetest.RSA1024, dana), true, crypt.ErrWeak},
	} {
		pins := pinned{}
		s := newSealer(t, smime.Config{Certificates: discovered(c.proven, c.id), Pins: pins})
		key, err := s.Find(t.Context(), address(clinic), address(dana))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil {
			continue
		}
		j := letter(text)
		j.To = []crypt.Target{{Address: address(dana), Key: key}}
		if out, _ := seal(t, s, j); len(out) == 0 || pins["smime "+dana] != fingerprint(c.id.Certificate) {
			t.Errorf("%s: pins %v", name, pins)
		}
		// A plan can't make itself proven: who was not found is not.
		j.To[0].Key.Discovered = false
		if _, err := s.Seal(t.Context(), io.Discard, j); !errors.Is(err, crypt.ErrUntrusted) {
			t.Errorf("%s: taken for proven: %v", name, err)
		}
	}
}

func TestAnotherFoundCertificateIsAChange(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	first, second := root.Issue(smimetest.P256, dana), root.Issue(smimetest.P256, dana, smimetest.Between(time.Now().Add(-time.Minute), time.Now().Add(time.Hour)))
	pins := pinned{}
	cfg := smime.Config{Certificates: discovered(false, first), Trust: smimetest.Pool(root), Pins: pins}
	s := newSealer(t, cfg)
	old := job(t, s, text, dana)
	seal(t, s, old)
	cfg.Certificates = discovered(false, second)
	changed := job(t, newSealer(t, cfg), text, dana)
	if key := changed.To[0].Key; !key.Changed() || key.Pinned != fingerprint(first.Certificate) {
		t.Errorf("%+v", key)
	}
	seal(t, s, changed)
	old.To[0].Key.Pinned = ""
	if _, err := s.Seal(t.Context(), io.Discard, old); !errors.Is(err, crypt.ErrChanged) {
		t.Errorf("the old one again: %v", err)
	}
	cfg.Pins = nil
	if _, err := newSealer(t, cfg).Find(t.Context(), address(clinic), address(dana)); !errors.Is(err, crypt.ErrUnproven) {
		t.Errorf("without pins: %v", err)
	}
}

func TestSourcesAreAskedInTurn(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	fails := smime.KeySourceFunc(func(context.Context, mail.Address) ([]smime.Candidate, error) { return nil, errors.New(dana) })
	says := smime.KeySourceFunc(func(context.Context, mail.Address) ([]smime.Candidate, error) {
		return nil, &crypt.Error{Reason: crypt.ErrUnproven}
	})
	for name, c := range map[string]struct {
		source smime.KeySource
		want   error
	}{
		"the second has it":   {smime.KeySources{having(), having(id)}, nil},
		"the first can't say": {smime.KeySources{fails, having(id)}, crypt.ErrSource},
		"it says why":         {says, crypt.ErrUnproven},
	} {
		s := newSealer(t, smime.Config{Certificates: c.source, Trust: smimetest.Pool(root)})
		if _, err := s.Find(t.Context(), address(clinic), address(dana)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
