package cms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

func TestEachKindOfKeyOpensWhatWasEncryptedToIt(t *testing.T) {
	t.Parallel()
	p := everybody()
	for _, tt := range []struct {
		name      string
		whom      cms.Identity
		transport cms.Transport
		want      []string
	}{
		{"PKCS1 v1.5", p.rsa, cms.PKCS1v15, []string{"rsa-pkcs1-v1.5", "rsa-2048"}},
		{"OAEP", p.large, cms.OAEP, []string{"rsa-oaep-sha256", "rsa-3072"}},
		{"P-256", p.p256, cms.OAEP, []string{"ecdh-sha256kdf", "aes-256-wrap", "p-256"}},
		{"P-384", p.p384, cms.OAEP, []string{"ecdh-sha384kdf", "aes-256-wrap", "p-384"}},
	} {
		for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
			t.Run(tt.name+" "+c.String(), func(t *testing.T) {
				t.Parallel()
				recipient := to(tt.transport, tt.whom)[0]
				if got := recipient.Algorithms(); !slices.Equal(got, tt.want) {
					t.Errorf("announced as %v", got)
				}
				want := random(1000)
				got, facts, err := open(encrypt(t, want, c, recipient), p.other, tt.whom)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				if facts.Identity != 1 || facts.Container != c.Container() || facts.Authenticated != (c == cms.AES256GCM) ||
					!slices.Equal(facts.Algorithms, append([]string{c.String()}, tt.want...)) {
					t.Errorf("%+v", facts)
				}
			})
		}
	}
}

func TestContentOfAnySizeSurvives(t *testing.T) {
	t.Parallel()
	const chunk = 32 << 10
	sizes := []int{0, 1, 15, 16, 17, 31, 32, 90, 127, 128, 200, 255, 256, 65400, 2*chunk - 1, 2 * chunk}
	for d := -17; d <= 17; d++ {
		sizes = append(sizes, chunk+d)
	}
	whom := everybody().p256
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			for _, size := range sizes {
				want := random(size)
				got, _, err := open(encrypt(t, want, c, to(cms.OAEP, whom)...), whom)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes: %d, %v", size, len(got), err)
				}
			}
		})
	}
}

func TestRecipientsOfAllKindsShareAMessage(t *testing.T) {
	t.Parallel()
	p := everybody()
	recipients := slices.Concat(to(cms.PKCS1v15, p.rsa), to(cms.OAEP, p.large, p.p256, p.p384, p.other))
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		message := encrypt(t, []byte("for all"), c, recipients...)
		for i, whom := range []cms.Identity{p.rsa, p.large, p.p256, p.p384, p.other} {
			if got, _, err := open(message, whom); err != nil || string(got) != "for all" {
				t.Errorf("%s: recipient %d: %q, %v", c, i, got, err)
			}
		}
		_, _, err := open(message, p.p521, p.weak)
		wantReason(t, err, crypt.ErrRecipient)
	}
}

func TestTwoMessagesShareNothing(t *testing.T) {
	t.Parallel()
	whom := everybody().p256
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		one, two := encrypt(t, make([]byte, 64), c, to(cms.OAEP, whom)...), encrypt(t, make([]byte, 64), c, to(cms.OAEP, whom)...)
		if len(one) != len(two) || bytes.Equal(one[len(one)-80:], two[len(two)-80:]) {
			t.Errorf("%s: the same key or nonce twice", c)
		}
	}
}

func TestWhatCanNotBeEncryptedIsRefusedFirst(t *testing.T) {
	t.Parallel()
	p := everybody()
	for _, tt := range []struct {
		name       string
		recipients []cms.Recipient
		cipher     cms.Cipher
		size       int64
		want       crypt.Reason
	}{
		{"nobody", nil, cms.AES256CBC, 1, crypt.ErrNotFound},
		{"no certificate", []cms.Recipient{{}}, cms.AES256CBC, 1, crypt.ErrUnsupported},
		{"weak RSA", to(cms.OAEP, p.rsa, p.weak), cms.AES256GCM, 1, crypt.ErrWeak},
		{"another curve", to(cms.OAEP, p.p521), cms.AES256GCM, 1, crypt.ErrUnsupported},
		{"another transport", to(7, p.rsa), cms.AES256CBC, 1, crypt.ErrUnsupported},
		{"another cipher", to(cms.OAEP, p.rsa), 7, 1, crypt.ErrUnsupported},
		{"negative size", to(cms.OAEP, p.rsa), cms.AES256CBC, -1, crypt.ErrEntity},
		{"endless size", to(cms.OAEP, p.rsa), cms.AES256CBC, math.MaxInt64, crypt.ErrEntity},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content := iotest.ErrReader(errors.New("was read"))
			var out bytes.Buffer
			wantReason(t, new(cms.Encrypter).Encrypt(&out, content, tt.size, tt.recipients, tt.cipher), tt.want)
			if out.Len() > 0 {
				t.Error("something was written")
			}
		})
	}
}

func TestFailingReadersAndWritersEndIt(t *testing.T) {
	t.Parallel()
	const canary = "canary@patient.example"
	whom := to(cms.OAEP, everybody().p256)
	ours := &crypt.Error{Reason: crypt.ErrSigner}
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		for name, tt := range map[string]struct {
			content io.Reader
			size    int64
			want    crypt.Reason
		}{
			"too short":        {strings.NewReader("12345"), 6, crypt.ErrEntity},
			"too long":         {strings.NewReader("12345"), 4, crypt.ErrEntity},
			"fails":            {iotest.ErrReader(errors.New(canary)), 6, crypt.ErrEntity},
			"fails at the end": {io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(errors.New(canary))), 5, crypt.ErrEntity},
			"cancelled":        {iotest.ErrReader(fmt.Errorf("%s: %w", canary, context.Canceled)), 6, crypt.ErrCanceled},
			"ours":             {iotest.ErrReader(ours), 6, crypt.ErrSigner},
		} {
			err := new(cms.Encrypter).Encrypt(io.Discard, tt.content, tt.size, whom, c)
			wantReason(t, err, tt.want)
			if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)), canary) {
				t.Errorf("%s: %v", name, err)
			}
		}
		length := len(encrypt(t, make([]byte, 50), c, whom...))
		for n := range length - 1 {
			err := new(cms.Encrypter).Encrypt(&breaking{left: n}, bytes.NewReader(make([]byte, 50)), 50, whom, c)
			wantReason(t, err, crypt.ErrWrite)
		}
	}
}

// breaking takes some bytes, and no more.
type breaking struct{ left int }

func (b *breaking) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("broken")
	}
	return len(p), nil
}

func TestNothingOfAKeyIsPrinted(t *testing.T) {
	t.Parallel()
	whom := everybody().rsa
	for _, v := range []any{whom, &whom, to(cms.OAEP, whom)[0], to(cms.OAEP, whom)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(verb, v); len(got) > 40 {
				t.Errorf("%s of %T: %s", verb, v, got)
			}
		}
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "value", v)
		if got := append(must(json.Marshal(v)), logged.Bytes()...); bytes.Contains(got, []byte("Raw")) || len(got) > 200 {
			t.Errorf("%T: %s", v, got)
		}
	}
}
