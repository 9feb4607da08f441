package smime_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// TestTheWholePathWorksUnderFIPSOnly runs a test once more in a process of its
// own: the mode is set when a process starts.
func TestTheWholePathWorksUnderFIPSOnly(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestEveryStepIsAllowed$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n--- PASS") != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestEveryStepIsAllowed goes from files to an opened message, for each kind of
// key. PKCS #1 v1.5 key transport is not allowed, and the error says so.
func TestEveryStepIsAllowed(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthorityOf(smimetest.RSA2048)
	us := root.Issue(smimetest.RSA2048, clinic)
	dir := t.TempDir()
	ours, err := smime.NewIdentityFiles(smime.IdentityFile{
		Certificate: write(t, filepath.Join(dir, "us.pem"), smimetest.PEM(us.Certificate)), Key: write(t, filepath.Join(dir, "us.key"), smimetest.KeyPEM(us.Key)),
	})
	if err != nil {
		t.Fatal(err)
	}
	lists, err := smime.NewRevocationFiles(write(t, filepath.Join(dir, "root.crl"), root.RevocationList(time.Now().Add(-time.Hour))))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.P256, smimetest.P384} {
		id := root.Issue(kind, dana)
		source := certificateFiles(t, write(t, filepath.Join(dir, string(kind)), smimetest.PKCS7(id.Certificate)))
		for _, form := range []smime.Form{smime.Default, smime.OAEP, smime.GCM, smime.Announced} {
			s := newSealer(t, smime.Config{
				Certificates: source, Trust: smimetest.Pool(root), Revocation: []smime.Revocation{lists}, Signer: ours, Forms: []smime.FormRule{{dana, form}},
			})
			out, _ := seal(t, s, job(t, s, text, dana))
			r := newReader(t, smime.ReaderConfig{Keys: identities(id), Trust: smimetest.Pool(root)})
			opened, err := r.Read(t.Context(), bytes.NewReader(out))
			if err != nil || !opened.SignedBy(address(clinic)) {
				t.Errorf("%s, %q: %v, %v", kind, form, opened, err)
			}
		}
	}
	rsa := root.Issue(smimetest.RSA2048, dana)
	s := newSealer(t, smime.Config{
		Certificates: smime.KeySourceFunc(func(context.Context, mail.Address) ([]smime.Candidate, error) {
			return []smime.Candidate{{Certificate: rsa.Certificate}}, nil
		}),
		Trust: smimetest.Pool(root), Forms: []smime.FormRule{{dana, smime.Standard}},
	})
	_, err = s.Find(t.Context(), address(clinic), address(dana))
	if fips140.Enforced() {
		wantReason(t, "PKCS #1 v1.5", err, crypt.ErrFIPS)
	} else if err != nil {
		t.Error(err)
	}
}
