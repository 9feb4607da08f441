package dkim_test

import (
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/dkim/dkimtest"
)

func writeKey(tb testing.TB, path string, key crypto.Signer) {
	tb.Helper()
	data, err := dkim.MarshalPrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

func TestAChangedKeyFileIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dkim.pem")
	writeKey(t, path, rsaKey())
	files, err := dkim.NewFiles(dkim.KeyFile{Domain: "clinic.example", Selector: "s1", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	s := newSigner(t, dkim.Config{Keys: files})
	passes := func(key crypto.Signer) {
		t.Helper()
		signed, ids := sign(t, s, "clinic.example", message)
		records := recordsOf(t, dkim.Key{Domain: "clinic.example", Selector: "s1", Signer: key})
		if got := dkimtest.Passed(dkimtest.Msgauth(t, signed, records)); len(got) != 1 || got[0] != ids[0] {
			t.Fatalf("passed %v, ids are %v", got, ids)
		}
	}
	stopped := func() {
		t.Helper()
		if _, _, err := s.Sign(t.Context(), "clinic.example", open(message)); !errors.Is(err, dkim.ErrKeySource) {
			t.Fatalf("the error is %v", err)
		}
	}
	passes(rsaKey())
	writeKey(t, path, otherRSA())
	passes(otherRSA())
	writeKey(t, path, edKey())
	passes(edKey())
	if err := os.WriteFile(path, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	stopped()
	writeKey(t, path, edKey())
	passes(edKey())
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	stopped()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	stopped()
}

func TestNewFilesListsEveryFault(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dkim.pem")
	writeKey(t, path, edKey())
	_, err := dkim.NewFiles(dkim.KeyFile{Path: "/nonexistent"}, dkim.KeyFile{Path: path}, dkim.KeyFile{Path: filepath.Dir(path)})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 2 || !errors.Is(err, dkim.ErrPrivateKey) {
		t.Fatalf("the error is %v", err)
	}
	files, err := dkim.NewFiles(dkim.KeyFile{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	var fault *dkim.FieldError
	if _, err := dkim.New(dkim.Config{Keys: files}); !errors.As(err, &fault) || fault.Field != "Keys[0].Domain" {
		t.Fatalf("New says %v", err)
	}
	if !printed(err, "Keys[0].Selector") && err != nil {
		t.Fatalf("the error doesn't name the selector: %v", err)
	}
}
