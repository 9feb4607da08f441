package pgp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

// keybox is a keybox of GnuPG with keys and a blob that is none.
func keybox(keys ...*pgptest.Key) []byte {
	blob := func(kind byte, data []byte) []byte {
		b := make([]byte, 20, 20+len(data))
		binary.BigEndian.PutUint32(b, uint32(len(b)+len(data)))
		b[4], b[5] = kind, 1
		binary.BigEndian.PutUint32(b[8:], 20)
		binary.BigEndian.PutUint32(b[12:], uint32(len(data)))
		return append(b, data...)
	}
	head := [32]byte{3: 32, 4: 1, 5: 1}
	copy(head[8:], "KBXf")
	out := bytes.Clone(head[:])
	for _, k := range keys {
		out = append(out, blob(2, k.Binary())...)
		out = append(out, blob(3, []byte("a certificate"))...)
	}
	return out
}

func TestKeysAreReadInEveryFormat(t *testing.T) {
	t.Parallel()
	a, b := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.Curve25519, lee, pgptest.Options{})
	for name, c := range map[string]struct {
		data []byte
		n    int
	}{
		"armor":                {pgptest.Armored(a), 1},
		"two blocks":           {pgptest.Armored(a, b), 2},
		"words around":         {slices.Concat([]byte("Hello,\n\n"), pgptest.Armored(a), []byte("and\n"), pgptest.Armored(b), []byte("bye")), 2},
		"binary":               {a.Binary(), 1},
		"a keyring":            {slices.Concat(a.Binary(), b.Binary()), 2},
		"a keybox":             {keybox(a, b), 2},
		"a private key":        {a.Secret("secret"), 1},
		"half a block":         {slices.Concat(pgptest.Armored(a), pgptest.Armored(b)[:300]), 1},
		"half a key":           {slices.Concat(a.Binary(), b.Binary()[:60]), 1},
		"CRLF":                 {bytes.ReplaceAll(pgptest.Armored(a), []byte("\n"), []byte("\r\n")), 1},
		"nothing":              {nil, 0},
		"text":                 {[]byte("no key"), 0},
		"a keybox of nothing":  {keybox(), 0},
		"a message":            {[]byte(armoredMessage(t, other(t, text, a, nil, nil))), 0},
		"a keybox that is cut": {keybox(a, b)[:100], 0},
	} {
		list, err := pgp.ParsePublicKeys(c.data)
		if len(list) != c.n || (c.n == 0) != errors.Is(err, crypt.ErrMalformed) {
			t.Errorf("%s: %d keys, %v", name, len(list), err)
		}
	}
	if _, err := pgp.ParseBinaryKeys(pgptest.Armored(a)); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("armor is not binary")
	}
	if list, err := pgp.ParseBinaryKeys(a.Binary()); err != nil || list[0].Fingerprint() != a.Fingerprint() {
		t.Error(err)
	}
	var out bytes.Buffer
	if n, err := a.Public().WriteTo(&out); err != nil || n == 0 || !bytes.Equal(out.Bytes(), a.Public().Data()) {
		t.Error("a key is not written as it is")
	}
}

func TestKeyFilesAreReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.P256, lee, pgptest.Options{})
	put(t, filepath.Join(dir, "notes.txt"), []byte("no key"))
	put(t, filepath.Join(dir, "a.asc"), pgptest.Armored(a))
	named := put(t, filepath.Join(t.TempDir(), kim+".gpg"), pgptest.New(pgptest.P256, "other@x.example", pgptest.Options{}).Binary())
	files, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{Paths: []string{dir, named}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSealer(t, pgp.Config{Keys: files})
	want := func(to string, reason error) {
		t.Helper()
		if _, err := s.Find(t.Context(), address(clinic), address(to)); !errors.Is(err, reason) {
			t.Errorf("%s: %v, want %v", to, err, reason)
		}
	}
	want(dana, nil)
	want(lee, crypt.ErrNotFound)
	want("DANA@patient.example", crypt.ErrWrongAddress)
	want(kim, crypt.ErrWrongAddress) // the file's name says so, its key doesn't
	put(t, filepath.Join(dir, "b.asc"), pgptest.Armored(b))
	want(lee, nil)
	list, err := files.Addresses(t.Context())
	if err != nil || len(list) != 4 || list[0].Address != dana {
		t.Errorf("%d addresses, %v", len(list), err)
	}
	if all, err := files.PublicKeys(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("%d keys, %v", len(all), err)
	}
	if err := os.Remove(named); err != nil {
		t.Fatal(err)
	}
	want(dana, crypt.ErrSource)
	if _, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{Paths: []string{dir, named, filepath.Join(dir, "notes.txt")}}); !slices.Equal(fields(err), []string{"Paths[1]", "Paths[2]"}) {
		t.Errorf("faults: %v", err)
	}
}

func TestARevocationInAnotherFileCounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	put(t, filepath.Join(dir, "a.asc"), pgptest.Armored(k))
	files, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSealer(t, pgp.Config{Keys: files})
	find(t, s, dana)
	k.Revoke()
	put(t, filepath.Join(dir, "b.asc"), pgptest.Armored(k))
	if _, err := s.Find(t.Context(), address(clinic), address(dana)); !errors.Is(err, crypt.ErrRevoked) {
		t.Error(err)
	}
}

// TestARevocationCountsForWhomItDoesNotName: the copy that is revoked has the user
// IDs of somebody's export, and a reader has the key once.
func TestARevocationCountsForWhomItDoesNotName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	us := pgptest.New(pgptest.P256, clinic, pgptest.Options{Others: []string{dana}})
	s, err := pgp.NewSigner(pgp.SignerConfig{Keys: pgp.PrivateKeys{us.Private()}})
	if err != nil {
		t.Fatal(err)
	}
	message := whole(t, s, text)
	put(t, filepath.Join(dir, "a.asc"), pgptest.Armored(us))
	files, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, pgp.ReaderConfig{Senders: files})
	if opened, err := r.Read(t.Context(), strings.NewReader(message)); err != nil || !opened.SignedBy(address(clinic)) {
		t.Fatal(err)
	}
	other := entityOf(t, us)
	for id := range other.Identities {
		if strings.Contains(id, clinic) {
			delete(other.Identities, id)
		}
	}
	var revoked bytes.Buffer
	if err := errors.Join(other.Revoke(packet.KeyCompromised, "", nil), other.Serialize(&revoked)); err != nil || len(other.Identities) != 1 {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "b.gpg"), revoked.Bytes())
	if opened, err := r.Read(t.Context(), strings.NewReader(message)); !errors.Is(err, crypt.ErrSignature) {
		t.Errorf("a revoked key signs: %v, %v", opened, err)
	}
	sealer := newSealer(t, pgp.Config{Keys: files})
	if _, err := sealer.Find(t.Context(), address(clinic), address(clinic)); !errors.Is(err, crypt.ErrRevoked) {
		t.Errorf("a revoked key is used: %v", err)
	}
	if all, err := files.PublicKeys(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d keys, %v", len(all), err)
	}
}

func TestSignerFilesNeedTheirPassphrase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	us := pgptest.New(pgptest.Curve25519, clinic, pgptest.Options{})
	locked, open := put(t, filepath.Join(dir, "locked.asc"), us.Secret("secret")), put(t, filepath.Join(dir, "open.asc"), us.Secret(""))
	public := put(t, filepath.Join(dir, "public.asc"), pgptest.Armored(us))
	say := func(s string, err error) func() (string, error) { return func() (string, error) { return s, err } }
	for name, c := range map[string]struct {
		file pgp.SignerFile
		good bool
	}{
		"right":       {pgp.SignerFile{Key: locked, Passphrase: say("secret", nil)}, true},
		"not needed":  {pgp.SignerFile{Key: open, Passphrase: say("secret", nil)}, true},
		"open":        {pgp.SignerFile{Key: open}, true},
		"wrong":       {pgp.SignerFile{Key: locked, Passphrase: say("Secret", nil)}, false},
		"none":        {pgp.SignerFile{Key: locked}, false},
		"no answer":   {pgp.SignerFile{Key: locked, Passphrase: say("", errors.New("x"))}, false},
		"public only": {pgp.SignerFile{Key: public}, false},
		"no file":     {pgp.SignerFile{Key: filepath.Join(dir, "gone")}, false},
	} {
		files, err := pgp.NewSignerFiles(c.file)
		if c.good != (err == nil) || !c.good && !slices.Equal(fields(err), []string{"Files[0]"}) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.good {
			continue
		}
		if list, err := files.SignersFor(t.Context(), address(clinic)); err != nil || len(list) != 1 || list[0].Public().Fingerprint() != us.Fingerprint() {
			t.Errorf("%s: %d keys, %v", name, len(list), err)
		}
	}
}
