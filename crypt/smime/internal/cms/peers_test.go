package cms_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

// program finds a real peer. Without it the test is skipped, unless
// PHIMAIL_REAL_PEERS is 1.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("PHIMAIL_REAL_PEERS") == "1":
		t.Fatalf("%s is not installed", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return path
}

func run(t *testing.T, env []string, stdin []byte, name string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, diagnostics.String())
	}
	return out.Bytes(), nil
}

// files writes an identity as PEM.
func files(t *testing.T, whom cms.Identity) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(whom.Key))
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: whom.Certificate.Raw},
		key:         {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

func TestOpenSSLReadsEveryForm(t *testing.T) {
	t.Parallel()
	openssl := program(t, "openssl")
	p := everybody()
	all := append(to(cms.PKCS1v15, p.rsa), to(cms.OAEP, p.large, p.p256, p.p384)...)
	for i, whom := range []cms.Identity{p.rsa, p.large, p.p256, p.p384} {
		certificate, key := files(t, whom)
		for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
			for name, recipients := range map[string][]cms.Recipient{"alone": all[i : i+1], "among others": all} {
				want := random(100_000)
				got, err := run(t, nil, encrypt(t, want, c, recipients...), openssl,
					"cms", "-decrypt", "-binary", "-inform", "DER", "-recip", certificate, "-inkey", key)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s %v, %s: %d bytes, %v", c, all[i].Algorithms(), name, len(got), err)
				}
			}
		}
	}
}

func TestOpenSSLPrintsWhatWeWrite(t *testing.T) {
	t.Parallel()
	openssl := program(t, "openssl")
	p := everybody()
	recipients := append(to(cms.PKCS1v15, p.rsa), to(cms.OAEP, p.large, p.p256, p.p384)...)
	for c, want := range map[cms.Cipher]string{cms.AES256CBC: "version: 2", cms.AES256GCM: "version: 0"} {
		message := encrypt(t, make([]byte, 100), c, recipients...)
		out, err := run(t, nil, message, openssl, "cms", "-cmsout", "-print", "-inform", "DER")
		for _, words := range []string{want, "rsaesOaep", "mgf1", "dhSinglePass-stdDH-sha384kdf-scheme", "id-aes256-wrap"} {
			if err != nil || !bytes.Contains(out, []byte(words)) {
				t.Errorf("%s: no %q, %v\n%s", c, words, err, out)
			}
		}
		// It writes DER itself, so that what it read was DER if it is the same.
		again, err := run(t, nil, message, openssl, "cms", "-cmsout", "-inform", "DER", "-outform", "DER")
		if err != nil || !bytes.Equal(again, message) {
			t.Errorf("%s: DER was changed: %v", c, err)
		}
	}
}

func TestWeReadEveryFormOfOpenSSL(t *testing.T) {
	t.Parallel()
	p := everybody()
	for _, tt := range []struct {
		whom   cms.Identity
		args   []string
		reason crypt.Reason
	}{
		{whom: p.rsa, args: nil},
		{whom: p.rsa, args: []string{"-keyid"}},
		{whom: p.large, args: []string{"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"}},
		{whom: p.large, args: []string{"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha512", "-keyopt", "rsa_mgf1_md:sha256"}},
		{whom: p.p256, args: []string{"-keyopt", "ecdh_kdf_md:sha256"}},
		{whom: p.p256, args: []string{"-keyopt", "ecdh_kdf_md:sha512", "-aes256-wrap"}},
		{whom: p.p384, args: []string{"-keyopt", "ecdh_kdf_md:sha384", "-keyopt", "ecdh_cofactor_mode:1"}},
		{whom: p.p521, args: []string{"-keyopt", "ecdh_kdf_md:sha512", "-keyid"}},
		// SHA-1 where OpenSSL was not told otherwise.
		{whom: p.large, args: []string{"-keyopt", "rsa_padding_mode:oaep"}, reason: crypt.ErrAlgorithm},
		{whom: p.p256, args: nil, reason: crypt.ErrAlgorithm},
	} {
		for _, cipher := range []string{"-aes-128-cbc", "-aes-256-gcm"} {
			want := random(1000)
			message, err := opensslEncrypts(t, want, append([]string{cipher, "-stream"}, tt.args...), p.other, tt.whom)
			if err != nil {
				t.Fatal(err)
			}
			got, facts, err := open(message, p.weak, tt.whom)
			if tt.reason != "" {
				wantReason(t, err, tt.reason)
				continue
			}
			if err != nil || !bytes.Equal(got, want) || "-"+facts.Algorithms[0] != cipher {
				t.Errorf("%s %v: %d bytes, %v", cipher, tt.args, len(got), err)
			}
		}
	}
}

func TestWeReadEveryCipherAndSizeOfOpenSSL(t *testing.T) {
	t.Parallel()
	whom := everybody().rsa
	for i, cipher := range []string{"-aes-128-cbc", "-aes-192-cbc", "-aes-256-cbc", "-aes-128-gcm", "-aes-192-gcm", "-aes-256-gcm"} {
		for _, size := range []int{1, 15 + i, 300_000} {
			for _, args := range [][]string{{cipher}, {cipher, "-stream"}} {
				want := random(size)
				message, err := opensslEncrypts(t, want, args, whom)
				if err != nil {
					t.Fatal(err)
				}
				if got, _, err := open(message, whom); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%v, %d bytes: %d, %v", args, size, len(got), err)
				}
			}
		}
	}
}

func opensslEncrypts(t *testing.T, content []byte, args []string, whom ...cms.Identity) ([]byte, error) {
	t.Helper()
	all := []string{"cms", "-encrypt", "-binary", "-outform", "DER"}
	for _, w := range whom {
		certificate, _ := files(t, w)
		all = append(all, "-recip", certificate)
	}
	return run(t, nil, content, program(t, "openssl"), append(all, args...)...)
}

func TestOtherCiphersOfOpenSSLAreNotRead(t *testing.T) {
	t.Parallel()
	openssl := program(t, "openssl")
	whom := everybody().rsa
	certificate, _ := files(t, whom)
	for _, args := range [][]string{{"-encrypt", "-des3", certificate}, {"-encrypt", "-camellia256", certificate}, {"-data_create"}, {"-digest_create"}} {
		message, err := run(t, nil, []byte("text"), openssl, append([]string{"cms", "-outform", "DER"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = open(message, whom)
		wantReason(t, err, crypt.ErrAlgorithm)
	}
}
