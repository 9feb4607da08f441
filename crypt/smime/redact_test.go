package smime_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestNothingPrintsAddressesKeysOrContent(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	us, id := root.Issue(smimetest.P256, clinic), root.Issue(smimetest.P256, dana)
	dir := t.TempDir()
	source := certificateFiles(t, write(t, filepath.Join(dir, dana+".pem"), smimetest.PEM(id.Certificate)))
	found(t, source, dana)
	keys, err := smime.NewIdentityFiles(smime.IdentityFile{
		Certificate: write(t, filepath.Join(dir, clinic+".pem"), smimetest.PEM(us.Certificate)), Key: write(t, filepath.Join(dir, "key"), smimetest.KeyPEM(us.Key)),
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := []smime.FormRule{{dana, smime.GCM}}
	s := newSealer(t, smime.Config{Certificates: source, Trust: smimetest.Pool(root), Signer: keys, Forms: rules})
	signer, err := smime.NewSigner(smime.SignerConfig{Keys: identities(us)})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := seal(t, s, job(t, s, text, dana))
	r := newReader(t, smime.ReaderConfig{Keys: identities(id), Trust: smimetest.Pool(root)})
	opened, err := r.Read(t.Context(), bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := us.Key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{clinic, dana, "midnight", "colonoscopy", "Test Person", hex.EncodeToString(scalar), fmt.Sprint(scalar)}
	for _, v := range []any{
		identities(us)[0], identities(us), smime.Candidate{Certificate: id.Certificate}, rules, rules[0], s, signer, r, source, keys,
		opened, *opened, opened.Signers, lists(t), smime.Identity{}, smime.Candidate{}, smime.Signature{},
	} {
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", v)
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		printed := fmt.Sprintf("%v %+v %#v %s %s %s", v, v, v, v, encoded, logged.String())
		for _, secret := range secrets {
			if strings.Contains(printed, secret) {
				t.Errorf("%T prints %s", v, secret)
			}
		}
	}
	if got := fmt.Sprint(identities(us)[0]); !strings.Contains(got, fingerprint(us.Certificate)) {
		t.Errorf("no fingerprint: %s", got)
	}
}
