package smime

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"slices"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/watch"
)

// AnchorSource has the trust anchors of now, where they may change while the
// process runs: files ([AnchorFiles]), a database. Implementations are safe for
// concurrent use.
type AnchorSource interface {
	// Anchors returns them. As long as they are the same it returns the same
	// pool, which is not changed any more: what was verified against it is
	// remembered. An error means that nobody can say now, and nothing is sent.
	Anchors(ctx context.Context) (*x509.CertPool, error)
}

// fixedAnchors are those of Config.Trust.
type fixedAnchors struct{ pool *x509.CertPool }

func (f fixedAnchors) Anchors(context.Context) (*x509.CertPool, error) { return f.pool, nil }

// trusted makes one source of the two fields that a configuration may have.
func trusted(pool *x509.CertPool, source AnchorSource) (AnchorSource, *FieldError) {
	switch {
	case pool != nil && source != nil:
		return nil, &FieldError{Field: "Anchors", Problem: "excludes Trust; leave one of them out"}
	case source != nil:
		return source, nil
	case pool != nil && !pool.Equal(x509.NewCertPool()):
		return fixedAnchors{pool.Clone()}, nil
	}
	return nil, nil //nolint:nilnil // nobody is trusted; whether that is a fault the caller says
}

// anchorsOf asks a source.
func anchorsOf(ctx context.Context, source AnchorSource) (pool *x509.CertPool, err error) {
	defer fault.Guard(crypt.ErrSource, &err)
	pool, err = source.Anchors(ctx)
	switch {
	case err != nil:
		return nil, fault.Source(ctx, crypt.ErrSource, err)
	case pool == nil:
		return x509.NewCertPool(), nil // never the system's, which nil is to crypto/x509
	}
	return pool, nil
}

// AnchorFiles is an [AnchorSource] over files. It looks at them each time that it
// is asked and reads those that changed. It is safe for concurrent use.
type AnchorFiles struct {
	files watch.Files[*anchors]
}

type anchors struct {
	pool *x509.CertPool
	list []*x509.Certificate
}

// NewAnchorFiles reads files with certificates in PEM or DER, and directories of
// such files. A path that is missing, and a file among the paths that has no
// certificate, or one that can't be read, is a [*FieldError]: the others might not
// be all that was meant. Other files in a directory are passed over. Afterwards
// such a fault stops every message.
func NewAnchorFiles(paths ...string) (*AnchorFiles, error) {
	f := &AnchorFiles{files: watch.Files[*anchors]{
		Paths: slices.Clone(paths), Limit: maxIdentityFile, Parse: parseAnchors, Merge: mergeAnchors,
	}}
	if len(paths) == 0 {
		return f, &FieldError{Field: "Paths", Problem: "empty; name the files that hold the authorities' certificates"}
	}
	return f, pathFaults(&f.files, "a readable file with certificates in PEM or DER, each of them whole, or a directory")
}

// Anchors returns those that the files hold now.
func (f *AnchorFiles) Anchors(ctx context.Context) (*x509.CertPool, error) {
	a, err := f.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	return a.pool, nil
}

// Certificates returns the anchors one by one, for a look at when they end.
func (f *AnchorFiles) Certificates(ctx context.Context) ([]*x509.Certificate, error) {
	a, err := f.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(a.list), nil
}

func parseAnchors(_ string, data []byte) (*anchors, bool) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		list, err := x509.ParseCertificates(data)
		return &anchors{list: list}, err == nil && len(list) > 0
	}
	a := &anchors{}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return a, len(a.list) > 0
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, false
		}
		a.list = append(a.list, one)
	}
}

func mergeAnchors(files []*anchors) *anchors {
	all := &anchors{pool: x509.NewCertPool()}
	for _, f := range files {
		for _, c := range f.list {
			all.pool.AddCert(c)
			all.list = append(all.list, c)
		}
	}
	return all
}

var _ AnchorSource = (*AnchorFiles)(nil)
