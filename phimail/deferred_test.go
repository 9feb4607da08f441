package phimail_test

import (
	"errors"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/transport"
)

// What is given up while planning is recorded with its own status, whatever
// that is, and without an intent.
func TestFaultsOfThePlanAreRecordedAsTheyAre(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		offer func() (transport.Offer, error)
		want  phimail.Status
		class error
	}{
		"relay not reached": {func() (transport.Offer, error) {
			return transport.Offer{}, &transport.Error{Status: transport.Deferred, Reason: transport.ErrConnect, Retry: true}
		}, phimail.Deferred, phimail.ErrDeferred},
		"certificate": {func() (transport.Offer, error) {
			return transport.Offer{}, &transport.Error{
				Status: transport.Refused, Reason: transport.ErrCertificate, Retry: true,
				Cause: &transport.CertificateError{Reason: transport.CertExpired},
			}
		}, phimail.Refused, phimail.ErrTLSNotVerified},
		"too large": {func() (transport.Offer, error) {
			return transport.Offer{TLS: true, SizeLimit: 10}, nil
		}, phimail.Rejected, phimail.ErrRejected},
		"foreign error": {func() (transport.Offer, error) { return transport.Offer{}, errors.New("x") }, phimail.Deferred, phimail.ErrDeferred},
		"panic":         {func() (transport.Offer, error) { panic("x") }, phimail.Deferred, phimail.ErrDeferred},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.relay.offer = func(transport.Query) (transport.Offer, error) { return tt.offer() }
			receipt, err := w.client.Send(t.Context(), reminder("a@patient.example"))
			if !errors.Is(err, tt.class) || receipt.Recipients[0].Status != tt.want || !phimail.SafeToRetry(err) {
				t.Errorf("%v: %v; want %s", receipt.Recipients[0], err, tt.want)
			}
			outcomes := w.events(t, audit.KindIntent, audit.KindOutcome)
			if len(outcomes) != 1 || outcomes[0].Status != tt.want.String() || outcomes[0].Kind != audit.KindOutcome {
				t.Errorf("recorded %+v", outcomes)
			}
		})
	}
}
