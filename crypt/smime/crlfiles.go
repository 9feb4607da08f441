package smime

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"github.com/phimail/sdk/crypt/internal/watch"
)

// maxRevocationFile is the greatest size of a file with revocation lists, in
// bytes. Lists of a million entries have about 40 MB.
const maxRevocationFile = 64 << 20

// RevocationFiles is a [Revocation] by revocation lists in files, in DER or PEM
// (RFC 5280 section 5). It notices when a file changes. It is safe for concurrent
// use.
//
// A list counts if it is of the certificate's issuer, by name and signature, and
// not of a part of its certificates that this one is no part of. Of several the
// newest counts. It says Good only between thisUpdate and nextUpdate, and must
// have the latter. Lists that are indirect, partial or only about changes
// (delta lists) say nothing.
type RevocationFiles struct {
	files watch.Files[[]*revocationList]
}

// NewRevocationFiles reads files and directories. A path that is missing, or a
// file among the paths that has no list, is a [*FieldError]; other files in a
// directory are passed over. Afterwards a file that is missing or not a list
// makes every answer an error.
func NewRevocationFiles(paths ...string) (*RevocationFiles, error) {
	r := &RevocationFiles{files: watch.Files[[]*revocationList]{
		Paths: paths, Limit: maxRevocationFile, Parse: parseRevocationFile, Merge: joined[*revocationList],
	}}
	return r, pathFaults(&r.files, "a readable file with revocation lists in PEM or DER, or a directory")
}

// Check looks for the newest list that covers certificate.
func (r *RevocationFiles) Check(ctx context.Context, certificate, issuer *x509.Certificate, at time.Time) (Status, error) {
	lists, err := r.files.Get(ctx)
	if err != nil {
		return Unknown, err
	}
	var newest *revocationList
	for _, l := range lists {
		if newest != nil && !l.list.ThisUpdate.After(newest.list.ThisUpdate) || l.list.ThisUpdate.After(at) {
			continue
		}
		if l.covers(certificate, issuer) {
			newest = l
		}
	}
	if newest == nil {
		return Unknown, nil
	}
	return newest.says(certificate, at), nil
}

// NextUpdates returns when the newest list of each issuer ends, the first to end
// first: the zero time for an issuer all of whose lists say nothing.
func (r *RevocationFiles) NextUpdates(ctx context.Context) ([]time.Time, error) {
	lists, err := r.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	newest := map[string]*revocationList{}
	for _, l := range lists {
		issuer := string(l.list.RawIssuer)
		o := newest[issuer]
		if o == nil || l.usable && (!o.usable || l.list.ThisUpdate.After(o.list.ThisUpdate)) {
			newest[issuer] = l
		}
	}
	ends := make([]time.Time, 0, len(newest))
	for _, l := range newest {
		if !l.usable {
			ends = append(ends, time.Time{})
			continue
		}
		ends = append(ends, l.list.NextUpdate)
	}
	slices.SortFunc(ends, time.Time.Compare)
	return ends, nil
}

func parseRevocationFile(_ string, data []byte) (lists []*revocationList, ok bool) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		l, ok := parseRevocationList(data)
		if !ok {
			return nil, false
		}
		return []*revocationList{l}, true
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return lists, len(lists) > 0
		}
		if block.Type != "X509 CRL" {
			continue
		}
		// Half a file is not what its writer meant.
		l, ok := parseRevocationList(block.Bytes)
		if !ok {
			return nil, false
		}
		lists = append(lists, l)
	}
}

func joined[T any](files [][]T) []T {
	var all []T
	for _, f := range files {
		all = append(all, f...)
	}
	return all
}

// pathFaults returns a FieldError for each path that can't be used.
func pathFaults[T any](w *watch.Files[T], wanted string) error {
	var faults []error
	for _, i := range w.Faults() {
		faults = append(faults, &FieldError{Field: indexed("Paths", i), Problem: "not " + wanted})
	}
	return errors.Join(faults...)
}

var _ Revocation = (*RevocationFiles)(nil)
