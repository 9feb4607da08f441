package cms_test

import (
	"bytes"
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

// TestAllButPKCS1WorksUnderFIPSOnly runs tests once more in a process of its own:
// the mode is set when a process starts.
func TestAllButPKCS1WorksUnderFIPSOnly(t *testing.T) {
	t.Parallel()
	const tests = "^(TestContentOfAnySizeSurvives|TestWhatOthersMayWriteIsRead|TestFormsUnderFIPS)$"
	for _, mode := range []string{"on", "only"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", tests, "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := cmd.CombinedOutput()
		if passed := strings.Count(string(out), "\n--- PASS"); err != nil || passed != 3 {
			t.Errorf("%s: %d passed, %v\n%s", mode, passed, err, out)
		}
	}
}

func TestFormsUnderFIPS(t *testing.T) {
	t.Parallel()
	p := everybody()
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		message := encrypt(t, []byte("content"), c, to(cms.OAEP, p.large, p.p256, p.p384)...)
		for _, whom := range []cms.Identity{p.large, p.p256, p.p384} {
			if got, _, err := open(message, whom); err != nil || string(got) != "content" {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
	if fips140.Enforced() {
		err := new(cms.Encrypter).Encrypt(new(bytes.Buffer), strings.NewReader("x"), 1, to(cms.PKCS1v15, p.rsa), cms.AES256CBC)
		wantReason(t, err, crypt.ErrFIPS)
	}
}
