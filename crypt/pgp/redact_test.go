package pgp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

func TestPrintedFormsHoldNothing(t *testing.T) {
	t.Parallel()
	k, us := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.P256, clinic, pgptest.Options{})
	path := put(t, filepath.Join(t.TempDir(), dana+".asc"), pgptest.Armored(k))
	files, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := pgp.NewSignerFiles(pgp.SignerFile{Key: put(t, filepath.Join(t.TempDir(), clinic+".asc"), us.Secret(""))})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := pgp.NewSigner(pgp.SignerConfig{Keys: secrets})
	if err != nil {
		t.Fatal(err)
	}
	s := newSealer(t, pgp.Config{Keys: having(k), Signer: pgp.PrivateKeys{us.Private()}, Forms: []pgp.FormRule{{For: dana, Form: pgp.AEAD}}})
	out, _ := seal(t, s, job(t, s, text, dana))
	r := readerOf(t, k, us)
	opened, err := r.Read(t.Context(), bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	var none *pgp.PublicKey
	for _, v := range []any{
		k.Public(), us.Private(), pgp.Candidate{Key: k.Public(), Source: "file"}, pgp.FormRule{For: dana}, files, secrets, signer, s, r,
		opened, *opened, opened.Signers, none, pgp.PrivateKeys{us.Private()},
	} {
		asJSON, err := json.Marshal(v)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", v, v, v, v, v, v), string(asJSON), log.String()} {
			if err != nil || strings.Contains(printed, "dana") || strings.Contains(printed, "no-reply") || strings.Contains(printed, "midnight") || strings.Contains(printed, "64616e61") {
				t.Errorf("%T prints %s, %v", v, printed, err)
			}
		}
	}
}

// Keys are shared by all who seal and read; the race detector looks on.
func TestManySealAndReadAtOnce(t *testing.T) {
	t.Parallel()
	k, us := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{}), pgptest.New(pgptest.Curve25519, clinic, pgptest.Options{})
	s := newSealer(t, pgp.Config{Keys: having(k), Signer: pgp.PrivateKeys{us.Private()}})
	r := readerOf(t, k, us)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				out, _ := seal(t, s, job(t, s, text, dana))
				if opened, err := r.Read(t.Context(), bytes.NewReader(out)); err != nil || !opened.SignedBy(address(clinic)) {
					t.Error(opened, err)
				}
			}
		})
	}
	group.Wait()
}
