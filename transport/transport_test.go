package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAssuranceMeetsWhatIsAsStrict(t *testing.T) {
	t.Parallel()
	for proven := range 5 {
		for need := range 5 {
			want := proven <= need && proven <= int(transport.Relay)
			if got := transport.Assurance(proven).Meets(transport.Assurance(need)); got != want {
				t.Errorf("%d meets %d: %t, want %t", proven, need, got, want)
			}
		}
	}
}

func TestZeroValuesAreTheStrictest(t *testing.T) {
	t.Parallel()
	var env transport.Envelope
	if env.Sealed || env.Need != transport.Recipient {
		t.Error("a zero envelope asks for less than proof to the recipient")
	}
	var r transport.RecipientResult
	if r.Status != transport.Unknown {
		t.Error("a zero result claims to know")
	}
	var o transport.Offer
	if o.TLS {
		t.Error("a zero offer takes clear content")
	}
}

func TestAgreementInForce(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	tests := map[string]struct {
		a    *transport.Agreement
		at   time.Time
		want bool
	}{
		"nil":            {nil, day(2), false},
		"unsigned":       {&transport.Agreement{Expires: day(9)}, day(2), false},
		"open-ended":     {&transport.Agreement{Signed: day(1)}, day(20), true},
		"before signing": {&transport.Agreement{Signed: day(3)}, day(2), false},
		"on the day":     {&transport.Agreement{Signed: day(2)}, day(2), true},
		"at its end":     {&transport.Agreement{Signed: day(1), Expires: day(2)}, day(2), false},
	}
	for name, tt := range tests {
		if got := tt.a.InForce(tt.at); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

func TestErrorsMatchTheirReasonAndClass(t *testing.T) {
	t.Parallel()
	classes := []transport.Reason{
		transport.ErrTLSNotVerified, transport.ErrRefused, transport.ErrRejected, transport.ErrDeferred, transport.ErrUnknown,
	}
	tests := []struct {
		err  *transport.Error
		want []transport.Reason
	}{
		{&transport.Error{Status: transport.Refused, Reason: transport.ErrTLSRequired}, []transport.Reason{transport.ErrTLSNotVerified, transport.ErrRefused}},
		{&transport.Error{Status: transport.Refused, Reason: transport.ErrCertificate}, []transport.Reason{transport.ErrTLSNotVerified, transport.ErrRefused}},
		{&transport.Error{Status: transport.Refused, Reason: transport.ErrContent}, []transport.Reason{transport.ErrRefused}},
		{&transport.Error{Status: transport.Rejected, Reason: transport.ErrReply}, []transport.Reason{transport.ErrRejected}},
		{&transport.Error{Status: transport.Deferred, Reason: transport.ErrReply}, []transport.Reason{transport.ErrDeferred}},
		{&transport.Error{Reason: transport.ErrDropped}, []transport.Reason{transport.ErrUnknown}},
	}
	for _, tt := range tests {
		wrapped := fmt.Errorf("x: %w", tt.err)
		if !errors.Is(wrapped, tt.err.Reason) {
			t.Errorf("%v does not match its reason", tt.err)
		}
		for _, class := range classes {
			want := false
			for _, w := range tt.want {
				want = want || w == class
			}
			if got := errors.Is(wrapped, class); got != want {
				t.Errorf("%v is %s: %t, want %t", tt.err, class, got, want)
			}
		}
	}
}

func TestErrorShowsCodesAndNoText(t *testing.T) {
	t.Parallel()
	const marker = "marker4711"
	err := (&transport.Error{
		Status: transport.Rejected, Reason: transport.ErrReply, Stage: transport.StageRcpt, Code: 550, Enhanced: "5.1.1",
	}).WithPeerText(marker + "\x1b[2J")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(verb, err); strings.Contains(s, marker) || !strings.Contains(s, "550 5.1.1") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
	if got := err.PeerText(); got != marker+`\x1b[2J` {
		t.Errorf("the explicit method gives %q", got)
	}
	var none *transport.Error
	if s := fmt.Sprintf("%v", none); s != "<nil>" {
		t.Errorf("nil prints %s", s)
	}
}

func TestEscapeIsShortAndPrintable(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", strings.Repeat("\x00", 1000), strings.Repeat("é", 500), "a\r\nb\x1b]0;x\a", "\xff\xfe"} {
		got := transport.Escape(s)
		if len(got) > 200 {
			t.Errorf("%d bytes", len(got))
		}
		for _, b := range []byte(got) {
			if b < ' ' || b > '~' {
				t.Errorf("%q holds the byte %#x", got, b)
			}
		}
	}
}

func TestPrintedFormsHoldNothing(t *testing.T) {
	t.Parallel()
	const marker = "marker4711"
	a := mail.Address{Name: marker, Address: marker + "@x.example"}
	for _, v := range []any{
		transport.Query{From: a, To: a}, transport.Envelope{From: a, To: []mail.Address{a}}, &transport.Envelope{To: []mail.Address{a}},
		transport.Proof{}.WithIssuerName(marker), transport.Result{Recipients: []transport.RecipientResult{{Proof: transport.Proof{}.WithIssuerName(marker)}}},
	} {
		out, err := json.Marshal(v)
		if s := fmt.Sprintf("%v %+v %#v %s", v, v, v, out); err != nil || strings.Contains(s, marker) {
			t.Errorf("%T prints %s, %v", v, s, err)
		}
	}
	if p := (transport.Proof{}).WithIssuerName(marker); p.IssuerName() != marker {
		t.Error("the explicit method hides the name")
	}
}

// courier is an integrator's own transport, which has no TLS of its own.
type courier struct{}

func (courier) Offer(context.Context, transport.Query) (transport.Offer, error) {
	return transport.Offer{Name: "courier"}, nil // sealed content only
}

func (courier) Send(_ context.Context, env *transport.Envelope) (*transport.Result, error) {
	if !env.Sealed {
		return transport.Fail(len(env.To), &transport.Error{
			Status: transport.Refused, Reason: transport.ErrNotSealed, Stage: transport.StagePlan,
		}), nil
	}
	// Read env.Open to its end, call env.BeforeCommit, then hand it over.
	return &transport.Result{Recipients: make([]transport.RecipientResult, len(env.To))}, nil
}

func Example() {
	var t transport.Transport = courier{}
	res, err := t.Send(context.Background(), &transport.Envelope{
		ID: "1@clinic.example", To: []mail.Address{{Address: "ann@patient.example"}},
	})
	fmt.Println(res.Recipients[0].Status, err)
	fmt.Println(errors.Is(res.Recipients[0].Err, transport.ErrNotSealed))
	// Output:
	// refused <nil>
	// true
}

func ExampleAssurance_Meets() {
	fmt.Println(transport.Attested.Meets(transport.Relay), transport.Relay.Meets(transport.Attested))
	// Output: true false
}
