package mx

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/phimail/sdk/transport"
)

// tlsaText names a record as in [transport.Proof].TLSA. A whole certificate or
// key is named by its SHA-256.
func tlsaText(r transport.TLSARecord) string {
	data := r.Data
	if r.MatchingType == 0 {
		sum := sha256.Sum256(data)
		data = sum[:]
	}
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.MatchingType, hex.EncodeToString(data[:min(len(data), 8)]))
}

func join(by []string) string { return strings.Join(by, "+") }
