package dkim

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// KeyFile names a PEM file that holds a [Key]'s private key, as
// [MarshalPrivateKey] writes it.
type KeyFile struct {
	Domain    string
	Selector  string
	Path      string
	NotBefore time.Time
	NotAfter  time.Time
}

// Files is a [KeySource] over key files. It looks at a file each time that its
// key is wanted and reads it again when it has changed, so that a key is
// replaced by renaming a new file over it. A file that is missing or malformed
// stops the messages of its domain with ErrKeySource; no old key is used
// instead. Files is safe for concurrent use.
type Files struct {
	files []*loadedFile
}

type loadedFile struct {
	KeyFile

	mu     sync.Mutex
	info   os.FileInfo
	signer crypto.Signer
}

// NewFiles reads all files once and reports every fault as a [*FieldError],
// joined. [New] checks the keys themselves.
func NewFiles(files ...KeyFile) (*Files, error) {
	source := &Files{}
	var faults []error
	for i, f := range files {
		loaded := &loadedFile{KeyFile: f}
		if _, err := loaded.key(); err != nil {
			faults = append(faults, &FieldError{
				Field:   fmt.Sprintf("Files[%d].Path", i),
				Problem: "not a readable file with a PKCS#8 private key in PEM, RSA of 2048 bits or more or Ed25519",
				Reason:  reasonOf(err),
			})
		}
		source.files = append(source.files, loaded)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return source, nil
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ErrPrivateKey
}

// Keys returns the keys of domain as their files hold them now.
func (s *Files) Keys(_ context.Context, domain string) ([]Key, error) {
	var keys []Key
	for _, f := range s.files {
		if d, ok := normalize(f.Domain); !ok || d != domain {
			continue
		}
		k, err := f.key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// known returns the keys as they were last read, for New.
func (s *Files) known() []Key {
	keys := make([]Key, 0, len(s.files))
	for _, f := range s.files {
		f.mu.Lock()
		keys = append(keys, f.with(f.signer))
		f.mu.Unlock()
	}
	return keys
}

func (f *loadedFile) with(signer crypto.Signer) Key {
	return Key{Domain: f.Domain, Selector: f.Selector, Signer: signer, NotBefore: f.NotBefore, NotAfter: f.NotAfter}
}

func (f *loadedFile) key() (Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.Path)
	if err != nil {
		return Key{}, fail(ErrPrivateKey)
	}
	if f.info != nil && os.SameFile(f.info, info) && f.info.ModTime().Equal(info.ModTime()) && f.info.Size() == info.Size() {
		return f.with(f.signer), nil
	}
	signer, err := readKeyFile(f.Path, info)
	if err != nil {
		f.info, f.signer = nil, nil
		return Key{}, err
	}
	f.info, f.signer = info, signer
	return f.with(signer), nil
}

func readKeyFile(path string, info os.FileInfo) (crypto.Signer, error) {
	if !info.Mode().IsRegular() { // a pipe would block
		return nil, fail(ErrPrivateKey)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fail(ErrPrivateKey)
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, fail(ErrPrivateKey)
	}
	return ParsePrivateKey(data)
}
