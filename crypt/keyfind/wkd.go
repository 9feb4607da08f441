package keyfind

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the names in a Web Key Directory, no protection
	"encoding/base32"
	"net/http"
	"net/url"
	"strings"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/internal/fault"
	"github.com/phimail/sdk/crypt/internal/mailbox"
)

// maxDirectoryKey is the longest answer of a directory, in bytes.
const maxDirectoryKey = 256 << 10

// Types of DNS records.
const (
	typeA          = 1
	typeAAAA       = 28
	typeSMIMEA     = 53
	typeOPENPGPKEY = 61
)

// zBase32 is the encoding of RFC 6189 section 5.1.6.
const zBase32 = "ybndrfg8ejkmcpqxot1uwisza345h769"

// directoryName is the name of an address in a directory: section 3.1.
func directoryName(local string) string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' { // of ASCII only
			return r + 'a' - 'A'
		}
		return r
	}, local)
	sum := sha1.Sum([]byte(lower)) //nolint:gosec // as above
	return base32.NewEncoding(zBase32).EncodeToString(sum[:])
}

// directoryURL is where the key of an address is: section 3.1, by the advanced
// method in a domain of its own, or by the direct one.
func directoryURL(m mailbox.Mailbox, advanced bool) string {
	host, path := m.Domain, "/.well-known/openpgpkey/hu/"
	if advanced {
		host, path = advancedHost(m), "/.well-known/openpgpkey/"+m.Domain+"/hu/"
	}
	return "https://" + host + path + directoryName(m.Local) + "?l=" + strings.ReplaceAll(url.QueryEscape(m.Local), "+", "%20")
}

func advancedHost(m mailbox.Mailbox) string { return "openpgpkey." + m.Domain }

// wkd asks the Web Key Directory of a domain. The direct method counts only where
// the other's domain does not exist, so that an attacker who stops the one can't
// offer the other.
func (f *Finder) wkd(ctx context.Context, m mailbox.Mailbox) (answer, error) {
	advanced, err := f.exists(ctx, advancedHost(m))
	if err != nil {
		return answer{}, err
	}
	if !advanced {
		direct, err := f.exists(ctx, m.Domain)
		if err != nil || !direct {
			return answer{}, err
		}
	}
	status, _, body, err := f.cfg.HTTPS.Get(ctx, directoryURL(m, advanced), maxDirectoryKey)
	switch {
	case err != nil:
		return answer{}, fault.Foreign(crypt.ErrSource, err)
	case status == http.StatusNotFound || status == http.StatusGone:
		return answer{}, nil
	case status != http.StatusOK: // a redirect, a failure
		return answer{}, &crypt.Error{Reason: crypt.ErrSource, Retry: true}
	case !binaryKey(body):
		return answer{}, fault.New(crypt.ErrBadKey)
	}
	return answer{found: []Found{{Data: body, Source: "wkd"}}}, nil
}

// exists reports whether a host has an address.
func (f *Finder) exists(ctx context.Context, host string) (bool, error) {
	var failure error
	for _, t := range []uint16{typeAAAA, typeA} {
		records, _, _, err := f.cfg.Resolver.Raw(ctx, host, t)
		if err != nil {
			failure = err
		}
		if len(records) > 0 {
			return true, nil
		}
	}
	if failure != nil {
		return false, fault.Foreign(crypt.ErrSource, failure)
	}
	return false, nil
}

// binaryKey reports whether data begins with a public key packet (RFC 9580 section
// 4.2): armor, a private key or a web page do not.
func binaryKey(data []byte) bool {
	const newPublicKey, oldPublicKey = 0xc0 | 6, 0x80 | 6<<2
	return len(data) > 1 && (data[0] == newPublicKey || data[0]&^3 == oldPublicKey) && !bytes.Contains(data[:min(len(data), 64)], []byte("-----BEGIN"))
}
