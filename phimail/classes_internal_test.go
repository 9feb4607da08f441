package phimail

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

// The words of policy and transport mean the same, value by value.
func TestNeedOfCoversEveryAssurance(t *testing.T) {
	t.Parallel()
	for v := range 256 {
		a := policy.Assurance(v)
		got := needOf(a)
		if a.String() == "invalid" {
			if got != transport.Recipient {
				t.Errorf("an unknown assurance %d asks for %s, want the most", v, got)
			}
			continue
		}
		if got.String() != a.String() {
			t.Errorf("%s became %s", a, got)
		}
	}
}

func TestStatusOfCoversEveryStatus(t *testing.T) {
	t.Parallel()
	for v := range 256 {
		s := transport.Status(v)
		got := statusOf(s)
		if s.String() == "invalid" {
			if got != Unknown {
				t.Errorf("an unknown status %d became %s", v, got)
			}
			continue
		}
		if got.String() != s.String() {
			t.Errorf("%s became %s", s, got)
		}
	}
}

func TestClassOfCoversEveryStatus(t *testing.T) {
	t.Parallel()
	tls := &transport.Error{Status: transport.Refused, Reason: transport.ErrTLSRequired}
	want := map[Status]Class{
		Unknown: ErrUnknown, Planned: ErrUnknown, Accepted: ErrUnknown, Deferred: ErrDeferred,
		Rejected: ErrRejected, Refused: ErrTLSNotVerified, Held: ErrHeld,
	}
	for v := range 256 {
		s := Status(v)
		expected, ok := want[s]
		if ok == (s.String() == "invalid") {
			t.Errorf("status %d is not covered", v)
		}
		if !ok {
			expected = ErrUnknown
		}
		if got := classOf(s, tls); got != expected {
			t.Errorf("%s: class %q, want %q", s, got, expected)
		}
	}
}

func TestSafeToRetry(t *testing.T) {
	t.Parallel()
	failed := func(total int, statuses ...Status) error {
		e := &SendError{Total: total}
		for i, s := range statuses {
			e.Recipients = append(e.Recipients, &RecipientError{Index: i, Status: s})
		}
		return e
	}
	tests := map[string]struct {
		err  error
		want bool
	}{
		"accepted":               {nil, false},
		"foreign":                {errors.New("x"), false},
		"all refused":            {failed(2, Refused, Deferred), true},
		"one unknown":            {failed(2, Refused, Unknown), false},
		"one accepted":           {failed(2, Refused), false},
		"not recorded":           {&callError{ErrOutcomeNotRecorded, failed(1, Deferred)}, false},
		"not recorded, accepted": {&callError{ErrOutcomeNotRecorded, nil}, false},
		"audit":                  {&callError{ErrAudit, errors.New("x")}, true},
		"stale":                  {ErrPlanStale, true},
		"bad message":            {&MessageError{}, true},
		"joined":                 {errors.Join(&MessageError{}, &MessageError{}), true},
	}
	for name, tt := range tests {
		if got := SafeToRetry(tt.err); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

// What the documentation allows in a token is what a token may hold.
func TestTheDocumentedTokensAreTaken(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"config.go", "message.go", "configure.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := strings.Cut(string(source), `"._:`)
		rest, _, _ := strings.Cut(after, `"`)
		if signs := "._:" + rest; !found || !isToken("aZ9"+signs) {
			t.Errorf("%s documents %q", file, signs)
		}
	}
}
