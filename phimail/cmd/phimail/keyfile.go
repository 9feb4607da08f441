package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxKeyFile bounds a key, a password or a certificate file, in bytes.
const maxKeyFile = 1 << 20

// minSecret is the least length of a secret file's text: 32 hex digits hold
// 128 bits.
const minSecret = 32

// errOthersWrite: a key that anybody may replace protects nothing.
var errOthersWrite = errors.New("anybody may write to it; chmod 600 it")

// readSmall reads a file whose content is small by nature.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a directory")
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o002 != 0 {
		return nil, errOthersWrite
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = errors.New("it is larger than 1 MiB")
	}
	return data, err
}

// createFile puts data at path, mode perm, complete and durable, or fails with
// fs.ErrExist and leaves what is there. Of several processes at once one wins.
func createFile(path string, data []byte, perm fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".phimail-*") // created 0600
	if err != nil {
		return err
	}
	defer func() {
		_ = tmp.Close()
		_ = os.Remove(tmp.Name())
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Chmod(perm); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	// A link, unlike a rename, never replaces a file.
	if err = os.Link(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// loadOrCreate reads a key file, and makes it first if it is missing.
func loadOrCreate(path string, generate func() ([]byte, error)) (data []byte, created bool, err error) {
	data, err = readSmall(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, false, err
	}
	fresh, err := generate()
	if err != nil {
		return nil, false, err
	}
	switch err = createFile(path, fresh, 0o600); {
	case err == nil:
		return fresh, true, nil
	case errors.Is(err, fs.ErrExist): // another process was first
		data, err = readSmall(path)
		return data, false, err
	}
	return nil, false, err
}

// newSecret is the content of a fresh secret file: 256 random bits in hex.
func newSecret() ([]byte, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return append(hex.AppendEncode(nil, b[:]), '\n'), nil
}

// secretFile reads the secret of a key of the configuration, making it when it
// is missing. The secret is the text of the file without white space around it.
func (c *config) secretFile(v value[string]) ([]byte, error) {
	data, _, err := loadOrCreate(c.path(v), newSecret)
	return c.checkSecret(v, data, err)
}

// peekSecret is secretFile without a file being made: where it is missing, the
// secret is one of this call alone.
func (c *config) peekSecret(v value[string]) ([]byte, error) {
	data, err := readSmall(c.path(v))
	if errors.Is(err, fs.ErrNotExist) {
		data, err = newSecret()
	}
	return c.checkSecret(v, data, err)
}

func (c *config) checkSecret(v value[string], data []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, c.fault(v.line, v.key, reasonOf("the key file", err))
	}
	data = bytes.TrimSpace(data)
	if len(data) < minSecret {
		return nil, c.fault(v.line, v.key, fmt.Sprintf(
			"the key file holds fewer than %d bytes; delete it if it was never used, and a new one is made", minSecret))
	}
	return data, nil
}

// reasonOf says why a file that the configuration names could not be used.
func reasonOf(what string, err error) string {
	reason := pathReason(what, err)
	if errors.Is(err, fs.ErrNotExist) {
		reason += " (relative paths start at the configuration file)"
	}
	return reason
}

// pathReason says why a file could not be used, without the text of errors that
// may repeat its content.
func pathReason(what string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return what + " does not exist; check the path"
	case errors.Is(err, fs.ErrPermission):
		return what + " may not be accessed by this user; check owner and mode of the file and its directory"
	case errors.Is(err, fs.ErrExist):
		return what + " exists already and is not replaced; choose another name"
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		err = linkErr.Err
	}
	return what + " can't be used: " + err.Error()
}

// fileFault names a file that the caller named on the command line.
func fileFault(what, path string, err error) error {
	return fmt.Errorf("%s: %s", path, pathReason(what, err))
}
