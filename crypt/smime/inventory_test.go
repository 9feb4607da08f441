package smime_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestAddressesAreThoseThatCertificatesName(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.pem"), smimetest.PEM(root.Issue(smimetest.P256, dana).Certificate, root.Certificate))
	write(t, filepath.Join(dir, "b.pem"), smimetest.PEM(root.Issue(smimetest.RSA2048, dana).Certificate))
	write(t, filepath.Join(dir, "c.pem"), smimetest.PEM(root.Issue(smimetest.P256, "x", smimetest.Mailboxes([]string{"Lee@Patient.example", dana})).Certificate))
	write(t, filepath.Join(dir, "kim@patient.example.pem"), smimetest.PEM(root.Issue(smimetest.P256, "x", smimetest.Mailboxes(nil)).Certificate))
	files := certificateFiles(t, dir)
	list, err := files.Addresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		got = append(got, a.Address)
	}
	if want := []string{"Lee@patient.example", dana, "kim@patient.example"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := files.Addresses(ctx); !errors.Is(err, crypt.ErrCanceled) {
		t.Errorf("got %v", err)
	}
}

func TestNextUpdatesAreThoseOfEachIssuersNewestList(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	middle, silent := root.Intermediate(), root.Intermediate(func(c *x509.Certificate) { c.Subject.CommonName = "another" })
	now := time.Now().Truncate(time.Second).UTC()
	// Of changes only (RFC 5280 section 5.2.4), so it says nothing by itself.
	delta := func(a *smimetest.Authority) []byte {
		return a.RevocationListOf(&x509.RevocationList{
			Number: big.NewInt(9), ThisUpdate: now, NextUpdate: now.Add(90 * 24 * time.Hour),
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}},
		})
	}
	files := lists(t, root.RevocationList(now.Add(-72*time.Hour)), root.RevocationList(now.Add(-time.Hour)),
		middle.RevocationList(now.Add(-48*time.Hour)), delta(middle), delta(silent))
	got, err := files.NextUpdates(t.Context())
	if want := []time.Time{{}, now.Add(-24 * time.Hour), now.Add(23 * time.Hour)}; err != nil || !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := files.NextUpdates(ctx); !errors.Is(err, crypt.ErrCanceled) {
		t.Errorf("got %v", err)
	}
}
