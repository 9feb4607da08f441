package sign_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"io"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const address = "no-reply@clinic.example"

const entity = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe, your results.\r\n\r\n-- \r\nRiverside Clinic\r\n"

// authority is a root and an intermediate below it, with RSA keys, which old
// clients read.
var authority = sync.OnceValue(func() *struct{ root, below *smimetest.Authority } {
	root := smimetest.NewAuthorityOf(smimetest.RSA2048)
	return &struct{ root, below *smimetest.Authority }{root, root.Intermediate()}
})

func signer(kind smimetest.Kind, edits ...smimetest.Edit) *sign.Identity {
	i := authority().below.Issue(kind, address, edits...)
	return &sign.Identity{Certificate: i.Certificate, Chain: i.Chain, Key: i.Key}
}

// withPSS makes an identity sign with RSASSA-PSS.
func withPSS(id *sign.Identity) *sign.Identity {
	id.PSS = true
	return id
}

// identities sign in every way.
func identities() map[string]*sign.Identity {
	return map[string]*sign.Identity{
		"rsa-2048": signer(smimetest.RSA2048), "rsa-3072": signer(smimetest.RSA3072), "rsa-4096": signer(smimetest.RSA4096),
		"rsa-pss": withPSS(signer(smimetest.RSA2048)), "p-256": signer(smimetest.P256), "p-384": signer(smimetest.P384),
	}
}

func signed(t testing.TB, id *sign.Identity, content string, at time.Time) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := sign.NewWriter(&out, id, at)
	if err == nil {
		_, err = io.Copy(struct{ io.Writer }{w}, strings.NewReader(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func options() sign.Options {
	return sign.Options{Trust: smimetest.Pool(authority().root), Now: time.Now(), Limit: 64 << 20}
}

func wantReason(t *testing.T, err error, want crypt.Reason) {
	t.Helper()
	got, ok := errors.AsType[*crypt.Error](err)
	if !ok || got.Reason != want {
		t.Errorf("got %v, want %s", err, string(want))
	}
}

// detached takes the SignedData out of what signed returned.
func detached(t testing.TB, message []byte) []byte {
	t.Helper()
	_, rest, found := bytes.Cut(message, []byte("filename=\"smime.p7s\"\r\n\r\n"))
	text, _, found2 := bytes.Cut(rest, []byte("--"))
	der, err := base64.StdEncoding.DecodeString(string(text))
	if !found || !found2 || err != nil {
		t.Fatal("there is no signature", err)
	}
	return der
}

func jobOf(content string) *crypt.Job {
	return &crypt.Job{
		From: mail.Address{Address: address},
		Header: []crypt.Field{
			{Name: "From", Value: address}, {Name: "Subject", Value: "Your results"}, {Name: "To", Value: "ana@home.example"},
		},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size:   int64(len(content)),
	}
}

// brokenKey signs with another key than it says.
type brokenKey struct{ crypto.Signer }

func (b brokenKey) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return smimetest.NewKey(smimetest.P256).Sign(r, digest, o)
}

// failingKey is a device that has gone.
type failingKey struct{ crypto.Signer }

func (failingKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("foreign text of marker4711")
}
