package smime_test

import (
	"bytes"
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

// openssl runs the program, or skips the test if it is missing, unless
// PHIMAIL_REAL_PEERS is 1.
func openssl(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("PHIMAIL_REAL_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, diagnostics.String())
	}
	return out.Bytes()
}

func TestOpenSSLDecryptsAndVerifiesWhatWeSeal(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	middle := root.Intermediate()
	us := middle.Issue(smimetest.RSA2048, clinic)
	dir := t.TempDir()
	anchor := write(t, filepath.Join(dir, "root.pem"), smimetest.PEM(root.Certificate))
	friend := middle.Issue(smimetest.P384, lee)
	for _, kind := range []smimetest.Kind{smimetest.RSA2048, smimetest.RSA3072, smimetest.P256, smimetest.P384} {
		id := middle.Issue(kind, dana)
		certificate := write(t, filepath.Join(dir, "cert.pem"), smimetest.PEM(id.Certificate))
		key := write(t, filepath.Join(dir, "key.pem"), smimetest.KeyPEM(id.Key))
		for _, form := range []smime.Form{smime.Default, smime.OAEP, smime.GCM} {
			s := newSealer(t, smime.Config{
				Certificates: having(id, friend), Trust: smimetest.Pool(root), Signer: identities(us), Forms: []smime.FormRule{{"patient.example", form}},
			})
			out, _ := seal(t, s, job(t, s, text, dana, lee))
			inside := openssl(t, out, "cms", "-decrypt", "-inform", "SMIME", "-recip", certificate, "-inkey", key)
			got := openssl(t, inside, "cms", "-verify", "-inform", "SMIME", "-CAfile", anchor, "-purpose", "smimesign")
			if !bytes.Contains(got, []byte("Please do not eat after midnight.")) || !bytes.Contains(got, []byte("Subject: "+subject)) {
				t.Errorf("%s, %q: %s", kind, form, got)
			}
		}
	}
}

func TestWeReadWhatOpenSSLSealed(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	us := root.Intermediate().Issue(smimetest.RSA2048, clinic)
	dir := t.TempDir()
	signer := write(t, filepath.Join(dir, "us.pem"), smimetest.PEM(us.Certificate))
	chain := write(t, filepath.Join(dir, "chain.pem"), smimetest.PEM(us.Chain...))
	ours := write(t, filepath.Join(dir, "us.key"), smimetest.KeyPEM(us.Key))
	entity := []byte("Content-Type: text/plain\r\n\r\nhello from another program\r\n")
	for _, opaque := range []bool{false, true} {
		args := []string{"cms", "-sign", "-md", "sha256", "-signer", signer, "-inkey", ours, "-certfile", chain, "-outform", "SMIME"}
		if opaque {
			args = append(args, "-nodetach")
		}
		signed := openssl(t, entity, args...)
		for _, kind := range []smimetest.Kind{smimetest.RSA2048, smimetest.P256} {
			id := root.Issue(kind, dana)
			certificate := write(t, filepath.Join(dir, "cert.pem"), smimetest.PEM(id.Certificate))
			for _, c := range [][]string{{"-aes-256-cbc"}, {"-aes-128-cbc", "-stream", "-keyid"}, {"-aes-256-gcm"}} {
				args := append([]string{"cms", "-encrypt", "-outform", "SMIME"}, c...)
				if kind == smimetest.P256 {
					args = append(args, "-recip", certificate, "-keyopt", "ecdh_kdf_md:sha256")
				} else {
					args = append(args, "-recip", certificate)
				}
				message := openssl(t, signed, args...)
				r := newReader(t, smime.ReaderConfig{Keys: identities(id), Trust: smimetest.Pool(root)})
				opened, err := r.Read(t.Context(), bytes.NewReader(message))
				if err != nil || !opened.SignedBy(address(clinic)) || !bytes.Contains(opened.Entity, []byte("hello from another program")) {
					t.Errorf("%s %v, opaque %t: %v, %v", kind, c, opaque, opened, err)
				}
			}
		}
	}
}

// openssl's own authority: certificates, a bundle and lists as it writes them.
func TestFilesOfOpenSSLAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("ca.cnf"), []byte("[ca]\ndefault_ca=a\n[a]\ndatabase="+in("index")+"\ndefault_md=sha256\ndefault_crl_days=7\ncertificate="+in("ca.pem")+
		"\nprivate_key="+in("ca.key")+"\nunique_subject=no\n[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=ca\n"))
	write(t, in("index"), nil)
	openssl(t, nil, "req", "-x509", "-config", in("ca.cnf"), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "10",
		"-keyout", in("ca.key"), "-out", in("ca.pem"), "-subj", "/CN=CA", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")
	openssl(t, nil, "req", "-x509", "-config", in("ca.cnf"), "-CA", in("ca.pem"), "-CAkey", in("ca.key"), "-newkey", "rsa:2048", "-nodes", "-days", "5",
		"-keyout", in("dana.key"), "-out", in("dana.pem"), "-subj", "/CN=Dana", "-addext", "basicConstraints=CA:FALSE", "-addext", "subjectAltName=email:"+dana,
		"-addext", "keyUsage=digitalSignature,keyEncipherment", "-addext", "extendedKeyUsage=emailProtection")
	openssl(t, nil, "crl2pkcs7", "-nocrl", "-certfile", in("dana.pem"), "-certfile", in("ca.pem"), "-outform", "DER", "-out", in("bundle.p7c"))
	openssl(t, nil, "pkcs12", "-export", "-in", in("dana.pem"), "-inkey", in("dana.key"), "-certfile", in("ca.pem"), "-passout", "pass:x", "-out", in("dana.p12"))
	openssl(t, nil, "ca", "-config", in("ca.cnf"), "-gencrl", "-out", in("good.crl")) // of version 1
	openssl(t, nil, "ca", "-config", in("ca.cnf"), "-revoke", in("dana.pem"))
	openssl(t, nil, "ca", "-config", in("ca.cnf"), "-gencrl", "-out", in("revoked.crl"))
	write(t, in("number"), []byte("01\n"))
	write(t, in("ca2.cnf"), []byte("[ca]\ndefault_ca=a\n[a]\ndatabase="+in("index")+"\ndefault_md=sha256\ndefault_crl_days=7\ncertificate="+in("ca.pem")+
		"\nprivate_key="+in("ca.key")+"\nunique_subject=no\ncrlnumber="+in("number")+"\n"))
	openssl(t, nil, "ca", "-config", in("ca2.cnf"), "-gencrl", "-out", in("revoked2.crl")) // of version 2

	source, err := smime.NewIdentityFiles(smime.IdentityFile{Certificate: in("dana.p12"), Password: password("x")})
	if err != nil {
		t.Fatal(err)
	}
	list, err := source.SignersFor(t.Context(), address(dana))
	if err != nil || len(list) != 1 {
		t.Fatalf("%d identities, %v", len(list), err)
	}
	data, err := os.ReadFile(in("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trust := pool()
	if !trust.AppendCertsFromPEM(data) {
		t.Fatal("no anchor")
	}
	for file, want := range map[string]crypt.Reason{"good.crl": "", "revoked.crl": crypt.ErrRevoked, "revoked2.crl": crypt.ErrRevoked} {
		revocation, err := smime.NewRevocationFiles(in(file))
		if err != nil {
			t.Fatal(err)
		}
		s := newSealer(t, smime.Config{
			Certificates: certificateFiles(t, in("bundle.p7c")), Trust: trust, Revocation: []smime.Revocation{revocation}, Clock: at(time.Now().Add(time.Minute)),
		})
		key, err := s.Find(t.Context(), address(clinic), address(dana))
		if want != "" {
			wantReason(t, file, err, want)
		} else if err != nil || key.Fingerprint != fingerprint(list[0].Certificate) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
