package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestManyProcessesAtOnceAgreeOnOneNewKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "host.key")
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], _, err = loadOrCreate(path, newSecret); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if !bytes.Equal(k, keys[0]) || len(k) != 65 {
			t.Fatal("two keys, or a torn one")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, want 1 (%v)", len(entries), err)
	}
}

func TestSecretFileFaultsNameTheKeyAndTheRemedy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		content string
		perm    fs.FileMode
		want    string
	}{
		"too short":     {"hunter2\n", 0o600, "x.yaml:7: host_secret_file: the key file holds fewer than 32 bytes"},
		"open to write": {strings.Repeat("k", 64), 0o666, "anybody may write to it; chmod 600 it"},
		"too large":     {strings.Repeat("k", maxKeyFile+1), 0o600, "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "k")
			writeFile(t, path, tt.content, tt.perm)
			if err := os.Chmod(path, tt.perm); err != nil {
				t.Fatal(err)
			}
			c := &config{file: "x.yaml", dir: dir}
			_, err := c.secretFile(value[string]{"k", 7, "host_secret_file"})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want it to hold %q", err, tt.want)
			}
		})
	}
}

func TestSecretFileInAMissingDirectoryIsAFault(t *testing.T) {
	t.Parallel()
	c := &config{file: "x.yaml", dir: t.TempDir()}
	if _, err := c.secretFile(value[string]{"no/such/k", 7, "host_secret_file"}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v", err)
	}
}
