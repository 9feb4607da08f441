package smime_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// lists writes lists into a directory and returns the source over it.
func lists(tb testing.TB, list ...[]byte) *smime.RevocationFiles {
	tb.Helper()
	dir := tb.TempDir()
	write(tb, filepath.Join(dir, "README"), []byte("lists of our authorities"))
	for i, der := range list {
		write(tb, filepath.Join(dir, string(rune('a'+i))+".crl"), der)
	}
	files, err := smime.NewRevocationFiles(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// extension builds one of a list.
func extension(id asn1.ObjectIdentifier, critical bool, value string) pkix.Extension {
	return pkix.Extension{Id: id, Critical: critical, Value: []byte(value)}
}

func TestRevocationListsCountOnlyWhenTheyProveSomething(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthorityOf(smimetest.RSA2048)
	middle := root.Intermediate()
	stranger := smimetest.NewAuthority()
	// The same name with another key.
	impostor := &smimetest.Authority{Certificate: middle.Certificate, Key: smimetest.Key(smimetest.P256)}
	points := func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://crl.example/7.crl"} }
	id := middle.Issue(smimetest.RSA2048, dana, points)
	other := middle.Issue(smimetest.RSA2048, lee)
	now := time.Now()
	fresh, stale := now.Add(-time.Hour), now.Add(-48*time.Hour)
	good := root.RevocationList(fresh)
	issuing := asn1.ObjectIdentifier{2, 5, 29, 28}
	with := func(e ...pkix.Extension) *x509.RevocationList {
		return &x509.RevocationList{ThisUpdate: fresh, NextUpdate: now.Add(time.Hour), ExtraExtensions: e}
	}
	point := func(uri string) string {
		inner := string(append([]byte{0x86, byte(len(uri))}, uri...))
		inner = string(append([]byte{0xa0, byte(len(inner))}, inner...))
		inner = string(append([]byte{0xa0, byte(len(inner))}, inner...))
		return string(append([]byte{0x30, byte(len(inner))}, inner...))
	}
	critical := with()
	critical.RevokedCertificateEntries = []x509.RevocationListEntry{{
		SerialNumber: other.Certificate.SerialNumber, RevocationTime: fresh,
		ExtraExtensions: []pkix.Extension{extension(asn1.ObjectIdentifier{2, 5, 29, 29}, true, "\x30\x00")},
	}}
	for name, c := range map[string]struct {
		lists [][]byte
		want  crypt.Reason
	}{
		"good":                                {[][]byte{good, middle.RevocationList(fresh)}, ""},
		"another is revoked":                  {[][]byte{good, middle.RevocationList(fresh, other.Certificate)}, ""},
		"revoked":                             {[][]byte{good, middle.RevocationList(fresh, id.Certificate)}, crypt.ErrRevoked},
		"revoked, in PEM":                     {[][]byte{good, smimetest.RevocationListPEM(middle.RevocationList(fresh, other.Certificate, id.Certificate))}, crypt.ErrRevoked},
		"revoked by a list that has ended":    {[][]byte{good, middle.RevocationList(stale, id.Certificate)}, crypt.ErrRevoked},
		"revoked, the other list missing":     {[][]byte{middle.RevocationList(fresh, id.Certificate)}, crypt.ErrRevoked},
		"the intermediate is revoked":         {[][]byte{root.RevocationList(fresh, middle.Certificate), middle.RevocationList(fresh)}, crypt.ErrRevoked},
		"ended":                               {[][]byte{good, middle.RevocationList(stale)}, crypt.ErrRevocation},
		"not begun":                           {[][]byte{good, middle.RevocationList(now.Add(time.Hour))}, crypt.ErrRevocation},
		"no list of the issuer":               {[][]byte{good}, crypt.ErrRevocation},
		"no list of the root":                 {[][]byte{middle.RevocationList(fresh)}, crypt.ErrRevocation},
		"no list at all":                      {nil, crypt.ErrRevocation},
		"a list of a stranger":                {[][]byte{good, stranger.RevocationList(fresh)}, crypt.ErrRevocation},
		"signed by another key":               {[][]byte{good, forged(t, impostor, fresh)}, crypt.ErrRevocation},
		"altered":                             {[][]byte{good, altered(middle.RevocationList(fresh))}, crypt.ErrRevocation},
		"the newer says good":                 {[][]byte{good, middle.RevocationList(now.Add(-2*time.Hour), id.Certificate), middle.RevocationList(fresh)}, ""},
		"the newer says revoked":              {[][]byte{good, middle.RevocationList(now.Add(-2 * time.Hour)), middle.RevocationList(fresh, id.Certificate)}, crypt.ErrRevoked},
		"signed with SHA-1":                   {[][]byte{good, middle.RevocationListOf(&x509.RevocationList{ThisUpdate: fresh, NextUpdate: now.Add(time.Hour), SignatureAlgorithm: x509.SHA1WithRSA})}, crypt.ErrRevocation},
		"a list of changes":                   {[][]byte{good, middle.RevocationListOf(with(extension(asn1.ObjectIdentifier{2, 5, 29, 27}, true, "\x02\x01\x01")))}, crypt.ErrRevocation},
		"a critical extension":                {[][]byte{good, middle.RevocationListOf(with(extension(asn1.ObjectIdentifier{1, 2, 3}, true, "\x05\x00")))}, crypt.ErrRevocation},
		"an extension":                        {[][]byte{good, middle.RevocationListOf(with(extension(asn1.ObjectIdentifier{1, 2, 3}, false, "\x05\x00")))}, ""},
		"an entry with a critical extension":  {[][]byte{good, middle.RevocationListOf(critical)}, crypt.ErrRevocation},
		"only about people":                   {[][]byte{good, middle.RevocationListOf(with(extension(issuing, true, "\x30\x03\x81\x01\xff")))}, ""},
		"only about authorities":              {[][]byte{good, middle.RevocationListOf(with(extension(issuing, true, "\x30\x03\x82\x01\xff")))}, crypt.ErrRevocation},
		"only about people, for an authority": {[][]byte{root.RevocationListOf(with(extension(issuing, true, "\x30\x03\x81\x01\xff"))), middle.RevocationList(fresh)}, crypt.ErrRevocation},
		"some reasons":                        {[][]byte{good, middle.RevocationListOf(with(extension(issuing, true, "\x30\x04\x83\x02\x01\x02")))}, crypt.ErrRevocation},
		"indirect":                            {[][]byte{good, middle.RevocationListOf(with(extension(issuing, true, "\x30\x03\x84\x01\xff")))}, crypt.ErrRevocation},
		"a scope that can't be read":          {[][]byte{good, middle.RevocationListOf(with(extension(issuing, true, "\x30\x03\x81")))}, crypt.ErrRevocation},
		"of its part":                         {[][]byte{good, middle.RevocationListOf(with(extension(issuing, true, point("http://crl.example/7.crl"))))}, ""},
		"of another part":                     {[][]byte{good, middle.RevocationListOf(with(extension(issuing, true, point("http://crl.example/8.crl"))))}, crypt.ErrRevocation},
	} {
		s := newSealer(t, smime.Config{
			Certificates: having(id), Trust: smimetest.Pool(root), Revocation: []smime.Revocation{lists(t, c.lists...)},
		})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.want != "" {
			wantReason(t, name, err, c.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListsOfVersion1Count(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	impostor := &smimetest.Authority{Certificate: root.Certificate, Key: smimetest.Key(smimetest.P256)}
	id, other := root.Issue(smimetest.P256, dana), root.Issue(smimetest.P256, lee)
	now := time.Now()
	for name, c := range map[string]struct {
		list []byte
		want crypt.Reason
	}{
		"good":                    {root.RevocationListV1(now.Add(-time.Hour)), ""},
		"another is revoked":      {root.RevocationListV1(now.Add(-time.Hour), other.Certificate), ""},
		"revoked":                 {root.RevocationListV1(now.Add(-time.Hour), other.Certificate, id.Certificate), crypt.ErrRevoked},
		"ended":                   {root.RevocationListV1(now.Add(-48 * time.Hour)), crypt.ErrRevocation},
		"altered":                 {altered(root.RevocationListV1(now.Add(-time.Hour))), crypt.ErrRevocation},
		"signed by another key":   {impostor.RevocationListV1(now.Add(-time.Hour)), crypt.ErrRevocation},
		"with something after it": {append(root.RevocationListV1(now.Add(-time.Hour)), 0), crypt.ErrRevocation},
		"signed with SHA-1":       {bytes.ReplaceAll(root.RevocationListV1(now.Add(-time.Hour)), []byte("\x2a\x86\x48\xce\x3d\x04\x03\x02"), []byte("\x2a\x86\x48\xce\x3d\x04\x03\x01")), crypt.ErrRevocation},
	} {
		s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Revocation: []smime.Revocation{lists(t, c.list)}})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.want != "" {
			wantReason(t, name, err, c.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARevokedCertificateGivesWayToAnOlderOne(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	now := time.Now()
	from := func(d time.Duration) smimetest.Edit { return smimetest.Between(now.Add(d), now.AddDate(1, 0, 0)) }
	older, newer := root.Issue(smimetest.P256, dana, from(-3*time.Hour)), root.Issue(smimetest.P256, dana, from(-2*time.Hour))
	s := newSealer(t, smime.Config{
		Certificates: having(newer, older), Trust: smimetest.Pool(root), Revocation: []smime.Revocation{lists(t, root.RevocationList(now.Add(-time.Hour), newer.Certificate))},
	})
	if key := find(t, s, dana); key.Fingerprint != fingerprint(older.Certificate) {
		t.Error("the revoked one is used")
	}
}

// forged is a list in the name of an authority, by a key that is not its own.
func forged(tb testing.TB, a *smimetest.Authority, at time.Time) []byte {
	tb.Helper()
	c := *a.Certificate
	c.PublicKey, c.SubjectKeyId = a.Key.Public(), []byte{1}
	return (&smimetest.Authority{Certificate: &c, Key: a.Key}).RevocationList(at)
}

func altered(der []byte) []byte {
	der = append([]byte(nil), der...)
	der[len(der)-1] ^= 1
	return der
}

type answer func(c *x509.Certificate) (smime.Status, error)

func (a answer) Check(_ context.Context, c, _ *x509.Certificate, _ time.Time) (smime.Status, error) {
	return a(c)
}

func TestAnotherSourceMayAnswerForAList(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	now := time.Now()
	says := func(s smime.Status, err error) smime.Revocation {
		return answer(func(*x509.Certificate) (smime.Status, error) { return s, err })
	}
	failing := errors.New("marker4711")
	good, revoked := lists(t, root.RevocationList(now.Add(-time.Hour))), lists(t, root.RevocationList(now.Add(-time.Hour), id.Certificate))
	for name, c := range map[string]struct {
		sources []smime.Revocation
		want    crypt.Reason
	}{
		"nobody asked":             {nil, ""},
		"good":                     {[]smime.Revocation{says(smime.Good, nil)}, ""},
		"revoked":                  {[]smime.Revocation{says(smime.Revoked, nil)}, crypt.ErrRevoked},
		"unknown":                  {[]smime.Revocation{says(smime.Unknown, nil)}, crypt.ErrRevocation},
		"an error":                 {[]smime.Revocation{says(smime.Good, failing)}, crypt.ErrRevocation},
		"a panic":                  {[]smime.Revocation{answer(func(*x509.Certificate) (smime.Status, error) { panic("marker4711") })}, crypt.ErrRevocation},
		"an answer and an error":   {[]smime.Revocation{says(smime.Unknown, failing), good}, ""},
		"good and unknown":         {[]smime.Revocation{good, says(smime.Unknown, nil)}, ""},
		"good and revoked":         {[]smime.Revocation{good, says(smime.Revoked, nil)}, crypt.ErrRevoked},
		"revoked by list and good": {[]smime.Revocation{revoked, says(smime.Good, nil)}, crypt.ErrRevoked},
	} {
		s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Revocation: c.sources})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.want != "" {
			wantReason(t, name, err, c.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAnchorIsNotAskedFor(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	never := answer(func(*x509.Certificate) (smime.Status, error) { return smime.Revoked, nil })
	s := newSealer(t, smime.Config{Certificates: having(id), Trust: pool(id.Certificate), Revocation: []smime.Revocation{never}})
	find(t, s, dana)
}

func TestARevocationCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	ctx, cancel := context.WithCancel(t.Context())
	slow := answer(func(*x509.Certificate) (smime.Status, error) { cancel(); return smime.Unknown, ctx.Err() })
	s := newSealer(t, smime.Config{
		Certificates: having(root.Issue(smimetest.P256, dana), root.Issue(smimetest.P256, dana)), Trust: smimetest.Pool(root), Revocation: []smime.Revocation{slow},
	})
	_, err := s.Find(ctx, address(clinic), address(dana))
	wantReason(t, "canceled", err, crypt.ErrCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Error("the cause is lost")
	}
}

func TestRevocationFilesNoticeANewList(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	now := time.Now()
	path := write(t, filepath.Join(t.TempDir(), "root.crl"), root.RevocationList(now.Add(-2*time.Hour)))
	files, err := smime.NewRevocationFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, want smime.Status) {
		t.Helper()
		got, err := files.Check(t.Context(), id.Certificate, root.Certificate, now)
		if got != want || (err != nil) != (want == smime.Unknown) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	check("at first", smime.Good)
	replace(t, path, root.RevocationList(now.Add(-time.Hour), id.Certificate))
	check("replaced", smime.Revoked)
	replace(t, path, []byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"))
	check("damaged", smime.Unknown)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	check("gone", smime.Unknown)
	replace(t, path, root.RevocationList(now.Add(-time.Minute)))
	check("back", smime.Good)
}

func TestFilesWithoutListsAreFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := write(t, filepath.Join(dir, "bad.pem"), []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	_, err := smime.NewRevocationFiles(dir, bad, filepath.Join(dir, "missing"))
	faults := fields(err)
	if len(faults) != 2 || faults[0] != "Paths[1]" || faults[1] != "Paths[2]" || !errors.Is(err, crypt.ErrConfig) {
		t.Errorf("faults are %v, %v", faults, err)
	}
}

// fields are those that a configuration error names.
func fields(err error) []string {
	var list []string
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, fields(e)...)
		}
		return list
	}
	if f, ok := errors.AsType[*smime.FieldError](err); ok {
		list = append(list, f.Field)
	}
	return list
}

func TestStatusesHaveNames(t *testing.T) {
	t.Parallel()
	if got := smime.Unknown.String() + smime.Good.String() + smime.Revoked.String(); got != "unknowngoodrevoked" {
		t.Error(got)
	}
}
