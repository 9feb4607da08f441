package keyfind

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

const (
	// hashBytes of SHA-256 name an address: RFC 7929 section 3, RFC 8162
	// section 3.
	hashBytes = 28
	// maxRecords of a name are looked at, maxRecordBytes in all.
	maxRecords     = 16
	maxRecordBytes = 256 << 10
)

// recordName is where the DNS has what belongs to an address.
func recordName(m mailbox.Mailbox, label string) string {
	sum := sha256.Sum256([]byte(m.Local))
	return hex.EncodeToString(sum[:hashBytes]) + "." + label + "." + m.Domain
}

// records asks for records that DNSSEC must prove. Without that proof it is no
// answer, not even that there are none: but then there is no key either.
func (f *Finder) records(ctx context.Context, m mailbox.Mailbox, label string, rrtype uint16) ([][]byte, answer, error) {
	list, secure, until, err := f.cfg.Resolver.Raw(ctx, recordName(m, label), rrtype)
	if err != nil {
		return nil, answer{}, fault.Foreign(crypt.ErrSource, err)
	}
	if len(list) > 0 && !secure {
		return nil, answer{}, fault.New(crypt.ErrUnproven)
	}
	total := 0
	for _, r := range list {
		total += len(r)
	}
	if len(list) > maxRecords || total > maxRecordBytes {
		return nil, answer{}, fault.New(crypt.ErrBadKey)
	}
	return list, answer{until: until}, nil
}

// openPGPKey asks for OPENPGPKEY records: RFC 7929 section 2. Each is a key in
// binary.
func (f *Finder) openPGPKey(ctx context.Context, m mailbox.Mailbox) (answer, error) {
	list, a, err := f.records(ctx, m, "_openpgpkey", typeOPENPGPKEY)
	if err != nil {
		return answer{}, err
	}
	for _, data := range list {
		if binaryKey(data) {
			a.found = append(a.found, Found{Data: data, Source: "openpgpkey"})
		}
	}
	return a.unless(len(list))
}

// smimea asks for SMIMEA records: RFC 8162 section 2. Those that hold a whole
// certificate of a recipient are used; hashes and authorities tell of nothing that
// could be encrypted to.
func (f *Finder) smimea(ctx context.Context, m mailbox.Mailbox) (answer, error) {
	list, a, err := f.records(ctx, m, "_smimecert", typeSMIMEA)
	if err != nil {
		return answer{}, err
	}
	for _, data := range list {
		if found, ok := association(data); ok {
			a.found = append(a.found, found)
		}
	}
	return a.unless(len(list))
}

// unless makes it an error that there are records, and no key among them.
func (a answer) unless(records int) (answer, error) {
	if records > 0 && len(a.found) == 0 {
		return answer{}, fault.New(crypt.ErrBadKey)
	}
	return a, nil
}

// association reads an SMIMEA record, which is a TLSA record in form (RFC 6698
// section 2.1).
func association(data []byte) (Found, bool) {
	const (
		head                 = 3
		pkixEE, daneEE       = 1, 3 // certificate usage
		wholeCert, exactData = 0, 0 // selector and matching type
	)
	if len(data) <= head || data[1] != wholeCert || data[2] != exactData || data[0] != pkixEE && data[0] != daneEE {
		return Found{}, false
	}
	if _, err := x509.ParseCertificate(data[head:]); err != nil {
		return Found{}, false
	}
	return Found{Data: data[head:], Source: "smimea", Proven: data[0] == daneEE}, true
}
