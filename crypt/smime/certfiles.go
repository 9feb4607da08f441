package smime

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"net/mail"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt/internal/mailbox"
	"github.com/phimail/sdk/crypt/internal/watch"
)

// maxCertificateFile is the greatest size of a file with certificates, in bytes.
const maxCertificateFile = 16 << 20

// maxChain bounds the way from a certificate towards its anchor.
const maxChain = 8

// CertificateFilesConfig configures [NewCertificateFiles].
type CertificateFilesConfig struct {
	// Paths are files with certificates in PEM, DER or PKCS#7 bundles, and
	// directories of such files. Other files in a directory are passed over, as
	// are directories below it and names that begin with a dot. Authorities'
	// certificates among them serve as intermediates. A file may have 16 MiB.
	//
	// With Password, PKCS#12 files are read too.
	Paths []string
	// Password returns that of PKCS#12 files, each time that one is read, and ""
	// for those without. They have one private key, which is not kept, or trusted
	// certificates alone, as Java's keytool writes. Most are protected in ways that
	// are not allowed where FIPS 140-3 is enforced. How long it takes to try the
	// password such a file says itself, so none may be a stranger's. Nil reads no
	// such file.
	Password func() (string, error)
	// Every is how long a look at the files is good for, to spare looking at
	// thousands of files for each message. Defaults to looking each time.
	Every time.Duration
	// Clock says what time it is, for Every. Defaults to time.Now.
	Clock func() time.Time
}

// CertificateFiles is a [KeySource] over files. It looks at them each time that
// it is asked, reads those that changed, and then says what it holds; without a
// file that is named in Paths it can't say, and nothing is sent. It is safe for
// concurrent use.
type CertificateFiles struct {
	files watch.Files[*certificateIndex]
}

// NewCertificateFiles reads the files once. Each path that is missing, and each
// file among them without a certificate, is a [*FieldError], joined.
func NewCertificateFiles(cfg CertificateFilesConfig) (*CertificateFiles, error) {
	f := &CertificateFiles{files: watch.Files[*certificateIndex]{
		Paths: slices.Clone(cfg.Paths), Limit: maxCertificateFile, Every: cfg.Every, Clock: cfg.Clock, Merge: mergeIndexes,
		Parse: func(name string, data []byte) (*certificateIndex, bool) { return indexFile(name, data, cfg.Password) },
	}}
	if cfg.Clock == nil {
		f.files.Clock = time.Now
	}
	if len(cfg.Paths) == 0 {
		return f, &FieldError{Field: "Paths", Problem: "empty; name the files that hold recipients' certificates"}
	}
	kinds := "PEM, DER or PKCS#7"
	if cfg.Password != nil {
		kinds = "PEM, DER, PKCS#7, or PKCS#12 with this password"
	}
	return f, pathFaults(&f.files, "a readable file with certificates in "+kinds+", or a directory")
}

// Certificates returns those that name the address: as a subject's alternative
// name, in the subject itself, where it doesn't count but explains itself, or in
// the name of their file.
func (f *CertificateFiles) Certificates(ctx context.Context, address mail.Address) ([]Candidate, error) {
	index, err := f.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	m, ok := mailbox.Parse(address.Address)
	if !ok {
		return nil, nil
	}
	var list []Candidate
	for _, c := range index.people[m.Near()] {
		list = append(list, Candidate{Certificate: c, Intermediates: index.above(c), Source: "file"})
	}
	return list, nil
}

// Addresses returns all addresses that certificates of the files name, each once
// and in order: for a look at whether they may be used, by [Sealer.Find].
func (f *CertificateFiles) Addresses(ctx context.Context) ([]mail.Address, error) {
	index, err := f.files.Get(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for near, list := range index.people {
		found := false
		for _, c := range list {
			for _, m := range namesOf(c) {
				if m.Near() == near {
					names, found = append(names, m.Local+"@"+m.Domain), true
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
	for i, name := range names {
		addresses[i].Address = name
	}
	return addresses, nil
}

// certificateIndex finds certificates by address, and authorities by name.
type certificateIndex struct {
	people      map[mailbox.Mailbox][]*x509.Certificate
	authorities map[string][]*x509.Certificate
}

func newCertificateIndex() *certificateIndex {
	return &certificateIndex{people: map[mailbox.Mailbox][]*x509.Certificate{}, authorities: map[string][]*x509.Certificate{}}
}

func indexFile(name string, data []byte, password func() (string, error)) (*certificateIndex, bool) {
	certificates := parseCertificates(data)
	if password != nil && len(certificates) == 0 && isPKCS12(data) {
		certificates = parsePKCS12Certificates(data, password)
	}
	index := newCertificateIndex()
	stem, named := mailbox.Parse(strings.TrimSuffix(name, filepath.Ext(name)))
	for _, c := range certificates {
		if c.IsCA {
			index.authorities[string(c.RawSubject)] = append(index.authorities[string(c.RawSubject)], c)
		}
		names := namesOf(c)
		if named && !c.IsCA {
			names = append(names, stem)
		}
		for _, m := range names {
			index.add(m.Near(), c)
		}
	}
	return index, len(certificates) > 0
}

func (x *certificateIndex) add(m mailbox.Mailbox, c *x509.Certificate) {
	if !slices.ContainsFunc(x.people[m], c.Equal) {
		x.people[m] = append(x.people[m], c)
	}
}

func mergeIndexes(files []*certificateIndex) *certificateIndex {
	all := newCertificateIndex()
	for _, f := range files {
		for m, list := range f.people {
			for _, c := range list {
				all.add(m, c)
			}
		}
		for name, list := range f.authorities {
			all.authorities[name] = append(all.authorities[name], list...)
		}
	}
	return all
}

// above returns what may lead c to an anchor: the issuers by name, their issuers,
// and so on.
func (x *certificateIndex) above(c *x509.Certificate) []*x509.Certificate {
	list, level := []*x509.Certificate(nil), []*x509.Certificate{c}
	for range maxChain {
		var next []*x509.Certificate
		for _, below := range level {
			for _, issuer := range x.authorities[string(below.RawIssuer)] {
				if len(list) < maxIntermediates && !slices.ContainsFunc(list, issuer.Equal) {
					list, next = append(list, issuer), append(next, issuer)
				}
			}
		}
		level = next
	}
	return list
}

var oidEmailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1} // RFC 2985 section 5.2.1

// namesOf returns the addresses under which a certificate is looked for.
func namesOf(c *x509.Certificate) []mailbox.Mailbox {
	names := mailboxesOf(c)
	texts := []string{c.Subject.CommonName}
	for _, n := range c.Subject.Names {
		if s, ok := n.Value.(string); ok && n.Type.Equal(oidEmailAddress) {
			texts = append(texts, s)
		}
	}
	for _, s := range texts {
		if m, ok := mailbox.Parse(s); ok && !slices.Contains(names, m) {
			names = append(names, m)
		}
	}
	return names
}

func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

var _ KeySource = (*CertificateFiles)(nil)
