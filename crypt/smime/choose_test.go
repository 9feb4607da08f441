package smime_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/mail"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func TestEachUnfitCertificateIsRefusedForItsOwnReason(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthorityOf(smimetest.RSA2048)
	middle := root.Intermediate()
	servers := root.Intermediate(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	past := root.Intermediate(smimetest.Expired)
	weak := root.Intermediate(smimetest.SHA1)
	small := smimetest.NewAuthorityOf(smimetest.RSA1024)
	strangers := smimetest.NewAuthority()
	usage := func(u x509.KeyUsage) smimetest.Edit { return func(c *x509.Certificate) { c.KeyUsage = u } }
	critical := func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = true }
	for name, c := range map[string]struct {
		id   *smimetest.Identity
		want crypt.Reason
	}{
		"RSA-2048":                          {middle.Issue(smimetest.RSA2048, dana), ""},
		"RSA-3072":                          {middle.Issue(smimetest.RSA3072, dana), ""},
		"P-256":                             {middle.Issue(smimetest.P256, dana), ""},
		"P-384 below the root":              {root.Issue(smimetest.P384, dana), ""},
		"the domain in another case":        {middle.Issue(smimetest.P256, "dana@Patient.EXAMPLE"), ""},
		"one address of several":            {middle.Issue(smimetest.P256, "", smimetest.Mailboxes([]string{lee, dana})), ""},
		"encryption only":                   {middle.Issue(smimetest.RSA2048, dana, smimetest.EncryptOnly), ""},
		"wrong address":                     {middle.Issue(smimetest.P256, lee), crypt.ErrWrongAddress},
		"the local part in another case":    {middle.Issue(smimetest.P256, "Dana@patient.example"), crypt.ErrWrongAddress},
		"no address":                        {middle.Issue(smimetest.P256, "", func(c *x509.Certificate) { c.EmailAddresses = nil }), crypt.ErrWrongAddress},
		"the address as the common name":    {middle.Issue(smimetest.P256, lee, func(c *x509.Certificate) { c.Subject.CommonName = dana }), crypt.ErrWrongAddress},
		"an ASCII address as international": {middle.Issue(smimetest.P256, "", smimetest.Mailboxes(nil, dana)), crypt.ErrWrongAddress},
		"P-521":                             {middle.Issue(smimetest.P521, dana), crypt.ErrUnsupported},
		"Ed25519":                           {middle.Issue(smimetest.Ed25519, dana), crypt.ErrUnsupported},
		"RSA-1024":                          {middle.Issue(smimetest.RSA1024, dana), crypt.ErrWeak},
		"RSA-1024 of a root":                {small.Issue(smimetest.RSA2048, dana), crypt.ErrWeak},
		"SHA-1":                             {middle.Issue(smimetest.RSA2048, dana, smimetest.SHA1), crypt.ErrWeak},
		"SHA-1 above":                       {weak.Issue(smimetest.RSA2048, dana), crypt.ErrUntrusted},
		"for servers":                       {middle.Issue(smimetest.P256, dana, smimetest.NotForEmail), crypt.ErrPurpose},
		"for no purpose named":              {middle.Issue(smimetest.P256, dana, smimetest.AnyPurpose), crypt.ErrPurpose},
		"issuer is for servers":             {servers.Issue(smimetest.P256, dana), crypt.ErrPurpose},
		"RSA to sign only":                  {middle.Issue(smimetest.RSA2048, dana, smimetest.SignOnly), crypt.ErrUsage},
		"EC to sign only":                   {middle.Issue(smimetest.P256, dana, smimetest.SignOnly), crypt.ErrUsage},
		"RSA to agree":                      {middle.Issue(smimetest.RSA2048, dana, usage(x509.KeyUsageKeyAgreement)), crypt.ErrUsage},
		"EC to encipher keys":               {middle.Issue(smimetest.P256, dana, usage(x509.KeyUsageKeyEncipherment)), crypt.ErrUsage},
		"EC to encipher only":               {middle.Issue(smimetest.P256, dana, usage(x509.KeyUsageKeyAgreement|x509.KeyUsageEncipherOnly)), crypt.ErrUsage},
		"no usage named":                    {middle.Issue(smimetest.RSA2048, dana, usage(0)), crypt.ErrUsage},
		"expired":                           {middle.Issue(smimetest.P256, dana, smimetest.Expired), crypt.ErrExpired},
		"not yet valid":                     {middle.Issue(smimetest.P256, dana, smimetest.NotYetValid), crypt.ErrNotYetValid},
		"issuer expired":                    {past.Issue(smimetest.P256, dana), crypt.ErrUntrusted},
		"untrusted":                         {strangers.Issue(smimetest.P256, dana), crypt.ErrUntrusted},
		"intermediate missing":              {&smimetest.Identity{Certificate: middle.Issue(smimetest.P256, dana).Certificate}, crypt.ErrUntrusted},
		"issued by a person": {(&smimetest.Authority{
			Certificate: middle.Issue(smimetest.P256, lee).Certificate, Key: smimetest.Key(smimetest.P256), Chain: []*x509.Certificate{middle.Certificate},
		}).Issue(smimetest.P256, dana), crypt.ErrUntrusted},
		"a critical name of an unknown kind": {middle.Issue(smimetest.P256, "", smimetest.Mailboxes([]string{dana}), critical, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, c.ExtraExtensions[0])
			c.ExtraExtensions[1].Id = []int{1, 2, 3, 4}
		}), crypt.ErrUntrusted},
		"two faults, the first is told": {middle.Issue(smimetest.RSA1024, lee, smimetest.Expired), crypt.ErrWrongAddress},
	} {
		s := newSealer(t, smime.Config{Certificates: having(c.id), Trust: smimetest.Pool(root, small)})
		key, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.want != "" {
			wantReason(t, name, err, c.want)
			if !errors.Is(err, crypt.ErrNoKey) || key.Fingerprint != "" {
				t.Errorf("%s: no-key %t, key %v", name, errors.Is(err, crypt.ErrNoKey), key)
			}
			continue
		}
		if err != nil || key.Fingerprint != fingerprint(c.id.Certificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInternationalAddressesMatchAfterRFC9598(t *testing.T) {
	t.Parallel()
	const who = "gr\u00e9ta@b\u00fccher.example"
	const coded = "gr\u00e9ta@xn--bcher-kva.example"
	root := smimetest.NewAuthority()
	critical := func(c *x509.Certificate) {
		c.Subject.CommonName, c.Subject.Names = "", nil
		c.ExtraExtensions[0].Critical = true
	}
	limited := func(edit func(*x509.Certificate)) *smimetest.Authority {
		return root.Intermediate(func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical = true
			edit(c)
		})
	}
	permits := func(what ...string) *smimetest.Authority {
		return limited(func(c *x509.Certificate) { c.PermittedEmailAddresses = what })
	}
	excludes := func(what ...string) *smimetest.Authority {
		return limited(func(c *x509.Certificate) { c.ExcludedEmailAddresses = what })
	}
	international := func(a *smimetest.Authority, names ...string) *smimetest.Identity {
		return a.Issue(smimetest.P256, "", smimetest.Mailboxes(nil, names...))
	}
	for name, c := range map[string]struct {
		to   string
		id   *smimetest.Identity
		want crypt.Reason
	}{
		"as it is":               {who, international(root, who), ""},
		"the domain coded there": {who, international(root, coded), ""},
		"the domain coded here":  {coded, international(root, who), ""},
		"critical, no subject":   {who, root.Issue(smimetest.P256, "", smimetest.Mailboxes(nil, who), critical), ""},
		"another case":           {who, international(root, "GR\u00c9TA@b\u00fccher.example"), crypt.ErrWrongAddress},
		"without the accent":     {who, international(root, "greta@b\u00fccher.example"), crypt.ErrWrongAddress},
		"an ASCII local part":    {"greta@b\u00fccher.example", root.Issue(smimetest.P256, "greta@xn--bcher-kva.example"), ""},
		"permitted by host":      {who, international(permits("xn--bcher-kva.example"), who), ""},
		"permitted below":        {"gr\u00e9ta@a.x.example", international(permits(".x.example"), "gr\u00e9ta@a.x.example"), ""},
		"not permitted":          {who, international(permits("other.example"), who), crypt.ErrUntrusted},
		"only one other":         {who, international(permits("greta@xn--bcher-kva.example"), who), crypt.ErrUntrusted},
		"excluded":               {who, international(excludes("xn--bcher-kva.example"), who), crypt.ErrUntrusted},
		"another excluded":       {who, international(excludes("other.example"), who), ""},
	} {
		s := newSealer(t, smime.Config{Certificates: having(c.id), Trust: smimetest.Pool(root)})
		_, err := s.Find(t.Context(), address(clinic), address(c.to))
		if c.want != "" {
			wantReason(t, name, err, c.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddressesOfUnusualFormsMatch(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	for name, c := range map[string]struct {
		to, in string
		ok     bool
	}{
		"quoted in the certificate": {"dana x@patient.example", `"dana x"@patient.example`, true},
		"escaped in it":             {`a"b@patient.example`, `"a\"b"@patient.example`, true},
		"a literal":                 {"dana@[192.0.2.1]", "dana@[192.0.2.1]", true},
		"no domain":                 {"dana", dana, false},
		"nothing":                   {"", dana, false},
		"a domain that is none":     {"dana@-.example", dana, false},
	} {
		s := newSealer(t, smime.Config{Certificates: having(root.Issue(smimetest.P256, c.in)), Trust: smimetest.Pool(root)})
		if _, err := s.Find(t.Context(), address(clinic), address(c.to)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheNewestValidCertificateWins(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	now := time.Now()
	from := func(d time.Duration) smimetest.Edit { return smimetest.Between(now.Add(d), now.AddDate(1, 0, 0)) }
	oldest := root.Issue(smimetest.RSA2048, dana, from(-10*time.Hour))
	newest := root.Issue(smimetest.P256, dana, from(-5*time.Hour))
	unfit := root.Issue(smimetest.P256, dana, from(-time.Hour), smimetest.SignOnly)
	later := root.Issue(smimetest.P256, dana, from(time.Hour))
	for name, list := range map[string][]*smimetest.Identity{
		"in order": {oldest, newest, unfit, later}, "reversed": {later, unfit, newest, oldest},
	} {
		s := newSealer(t, smime.Config{Certificates: having(list...), Trust: smimetest.Pool(root)})
		if key := find(t, s, dana); key.Fingerprint != fingerprint(newest.Certificate) {
			t.Errorf("%s: another one", name)
		}
	}
}

func TestTheNewestOfVeryManyIsFound(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	now := time.Now()
	var list []*smimetest.Identity
	for i := range 100 {
		list = append(list, root.Issue(smimetest.P256, dana, smimetest.Between(now.Add(-time.Duration(200-i)*time.Minute), now.AddDate(1, 0, 0))))
	}
	s := newSealer(t, smime.Config{Certificates: having(list...), Trust: smimetest.Pool(root)})
	if key := find(t, s, dana); key.Fingerprint != fingerprint(list[99].Certificate) {
		t.Error("another one")
	}
}

func TestOfSeveralUnfitCertificatesTheClosestIsExplained(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	strangers := smimetest.NewAuthority()
	other := root.Issue(smimetest.P256, lee)
	expired := root.Issue(smimetest.P256, dana, smimetest.Expired)
	purpose := root.Issue(smimetest.P256, dana, smimetest.NotForEmail)
	untrusted := strangers.Issue(smimetest.P256, dana)
	for _, c := range []struct {
		list []*smimetest.Identity
		want crypt.Reason
	}{
		{nil, crypt.ErrNotFound},
		{[]*smimetest.Identity{other}, crypt.ErrWrongAddress},
		{[]*smimetest.Identity{other, purpose}, crypt.ErrPurpose},
		{[]*smimetest.Identity{expired, purpose, other}, crypt.ErrExpired},
		{[]*smimetest.Identity{purpose, untrusted, expired}, crypt.ErrUntrusted},
	} {
		s := newSealer(t, smime.Config{Certificates: having(c.list...), Trust: smimetest.Pool(root)})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		wantReason(t, string(c.want), err, c.want)
	}
}

func TestASourceThatFailsIsNoMissingKey(t *testing.T) {
	t.Parallel()
	const marker = "marker4711"
	root := smimetest.NewAuthority()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	meanwhile, stop := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		ctx    context.Context //nolint:containedctx // of one row
		source smime.KeySourceFunc
		want   crypt.Reason
	}{
		"an error": {t.Context(), func(context.Context, mail.Address) ([]smime.Candidate, error) { return nil, errors.New(marker) }, crypt.ErrSource},
		"a panic":  {t.Context(), func(context.Context, mail.Address) ([]smime.Candidate, error) { panic(marker) }, crypt.ErrSource},
		"a deadline of its own": {t.Context(), func(context.Context, mail.Address) ([]smime.Candidate, error) {
			return nil, context.DeadlineExceeded
		}, crypt.ErrSource},
		"canceled meanwhile": {meanwhile, func(ctx context.Context, _ mail.Address) ([]smime.Candidate, error) {
			stop()
			return nil, ctx.Err()
		}, crypt.ErrCanceled},
		"canceled before": {canceled, func(context.Context, mail.Address) ([]smime.Candidate, error) { panic("asked") }, crypt.ErrCanceled},
		"an empty candidate": {t.Context(), func(context.Context, mail.Address) ([]smime.Candidate, error) {
			return make([]smime.Candidate, 1), nil
		}, crypt.ErrNotFound},
	} {
		s := newSealer(t, smime.Config{Certificates: c.source, Trust: smimetest.Pool(root)})
		_, err := s.Find(c.ctx, address(clinic), address(dana))
		wantReason(t, name, err, c.want)
	}
}

func TestDatesFollowTheClock(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	id := root.Issue(smimetest.P256, dana)
	for name, c := range map[string]struct {
		now  time.Time
		want crypt.Reason
	}{
		"the first second": {id.Certificate.NotBefore, ""},
		"before":           {id.Certificate.NotBefore.Add(-time.Nanosecond), crypt.ErrNotYetValid},
		"the last second":  {id.Certificate.NotAfter, ""},
		"after":            {id.Certificate.NotAfter.Add(time.Nanosecond), crypt.ErrExpired},
	} {
		s := newSealer(t, smime.Config{Certificates: having(id), Trust: smimetest.Pool(root), Clock: at(c.now)})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.want != "" {
			wantReason(t, name, err, c.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
