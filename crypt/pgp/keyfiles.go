package pgp

import (
	"context"
	"errors"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/internal/watch"
)

// KeyFilesConfig configures [NewKeyFiles].
type KeyFilesConfig struct {
	// Paths are files with public keys, in armor or binary, keyrings and
	// keyboxes of GnuPG, and directories of such files. Other files in a
	// directory are passed over, as are directories below it and names that
	// begin with a dot. A file may have 64 MiB.
	Paths []string
	// Every is how long a look at the files is good for, to spare looking at
	// thousands of files for each message. Defaults to looking each time.
	Every time.Duration
	// Clock says what time it is, for Every. Defaults to time.Now.
	Clock func() time.Time
}

// KeyFiles is a [KeySource] over files. It looks at them each time that it is
// asked, reads those that changed, and then says what it holds; without a file
// that is named in Paths it can't say, and nothing is sent. It is safe for
// concurrent use.
type KeyFiles struct {
	files watch.Files[*keyIndex]
}

// NewKeyFiles reads the files once. Each path that is missing, and each file among
// them without a key, is a [*FieldError], joined.
func NewKeyFiles(cfg KeyFilesConfig) (*KeyFiles, error) {
	f := &KeyFiles{files: watch.Files[*keyIndex]{
		Paths: slices.Clone(cfg.Paths), Limit: maxKeyBytes, Every: cfg.Every, Clock: cfg.Clock, Parse: indexFile, Merge: mergeIndexes,
	}}
	if cfg.Clock == nil {
		f.files.Clock = time.Now
	}
	if len(cfg.Paths) == 0 {
		return f, &FieldError{Field: "Paths", Problem: "empty; name the files that hold recipients' keys"}
	}
	var faults []error
	for _, i := range f.files.Faults() {
		faults = append(faults, &FieldError{Field: indexed("Paths", i), Problem: "not a readable file with OpenPGP public keys, or a directory"})
	}
	return f, errors.Join(faults...)
}

// Keys returns those that name the address, in a user ID or in the name of their
// file.
func (f *KeyFiles) Keys(ctx context.Context, address mail.Address) ([]Candidate, error) {
	index, err := f.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	m, ok := mailbox.Parse(address.Address)
	if !ok {
		return nil, nil
	}
	var list []Candidate
	for _, k := range index.people[m.Near()] {
		list = append(list, Candidate{Key: k, Source: "file"})
	}
	return list, nil
}

// PublicKeys returns all keys as their files hold them now, each once, for a
// [Reader].
func (f *KeyFiles) PublicKeys(ctx context.Context) ([]*PublicKey, error) {
	index, err := f.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	return index.all, nil
}

// Addresses returns all addresses that keys of the files name, each once and in
// order: for a look at whether they may be used, by [Sealer.Find].
func (f *KeyFiles) Addresses(ctx context.Context) ([]mail.Address, error) {
	index, err := f.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for near, list := range index.people {
		found := false
		for _, k := range list {
			for _, n := range k.names {
				if n.mailbox.Near() == near {
					names, found = append(names, n.mailbox.Local+"@"+n.mailbox.Domain), true
				}
			}
		}
		if !found { // only the name of a file says so
			names = append(names, near.Local+"@"+near.Domain)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	addresses := make([]mail.Address, len(names))
	for i, n := range names {
		addresses[i].Address = n
	}
	return addresses, nil
}

// keyIndex finds keys by address. That of one file has only its keys, and the
// address that its name is, if it is one.
type keyIndex struct {
	people map[mailbox.Mailbox][]*PublicKey
	all    []*PublicKey
	stem   mailbox.Mailbox
	named  bool
}

func indexFile(file string, data []byte) (*keyIndex, bool) {
	keys, err := ParsePublicKeys(data)
	if err != nil {
		return nil, false
	}
	index := &keyIndex{all: keys}
	index.stem, index.named = mailbox.Parse(strings.TrimSuffix(file, filepath.Ext(file)))
	return index, true
}

// mergeIndexes makes one of the copies of a key that stand in several files, whoever
// they name: one may have the revocation that the others have not.
func mergeIndexes(files []*keyIndex) *keyIndex {
	x := &keyIndex{people: map[mailbox.Mailbox][]*PublicKey{}}
	at := map[string]int{} // in all, by fingerprint
	for _, f := range files {
		for _, k := range f.all {
			i, ok := at[k.fingerprint]
			if !ok {
				at[k.fingerprint] = len(x.all)
				x.all = append(x.all, k)
				continue
			}
			x.all[i] = merged(x.all[i], k)
		}
	}
	for _, k := range x.all {
		for _, n := range k.names {
			x.add(n.mailbox.Near(), k)
		}
	}
	for _, f := range files {
		for i := 0; f.named && i < len(f.all); i++ {
			x.add(f.stem.Near(), x.all[at[f.all[i].fingerprint]])
		}
	}
	return x
}

func (x *keyIndex) add(m mailbox.Mailbox, k *PublicKey) {
	if !slices.Contains(x.people[m], k) {
		x.people[m] = append(x.people[m], k)
	}
}

// merged joins two copies of a key. A revocation in either counts.
func merged(a, b *PublicKey) *PublicKey {
	if string(a.data) == string(b.data) {
		return a
	}
	if k, ok := joined(a, b); ok {
		return k
	}
	return a
}

var _ KeySource = (*KeyFiles)(nil)
