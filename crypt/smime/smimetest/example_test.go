package smimetest_test

import (
	"crypto/x509"
	"fmt"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// A person's certificate, two authorities deep, and one that has ended.
func Example() {
	root := smimetest.NewAuthority()
	issuer := root.Intermediate()
	good := issuer.Issue(smimetest.P256, "dana@patient.example")
	old := issuer.Issue(smimetest.P256, "dana@patient.example", smimetest.Expired)

	intermediates := x509.NewCertPool()
	intermediates.AddCert(issuer.Certificate)
	for _, id := range []*smimetest.Identity{good, old} {
		_, err := id.Certificate.Verify(x509.VerifyOptions{
			Roots: smimetest.Pool(root), Intermediates: intermediates,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		})
		fmt.Println(err == nil)
	}
	// Output:
	// true
	// false
}
