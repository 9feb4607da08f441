package phimail

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/phimail/internal/compose"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

const (
	defaultMaxSize         = 35 << 20
	defaultMaxRecipients   = 100
	defaultPlanLifetime    = 15 * time.Minute
	defaultClassifyTimeout = 10 * time.Second

	// minSecret is SP 800-131A's least strength for HMAC keys, rounded up.
	minSecret = 16
	maxToken  = 128
)

// configure checks c.cfg, sets its defaults and makes it the Client's own.
func (c *Client) configure() error {
	var errs []error
	fault := func(field, reason string) { errs = append(errs, &ConfigError{Field: field, Reason: reason}) }

	c.senders = make(map[string]bool, 1+len(c.cfg.Senders))
	from, err := compose.NormalizeAddress(c.cfg.From)
	if err != nil {
		fault("From", "not a valid address; set the address that recipients see")
	}
	c.cfg.From = from
	c.senders[senderKey(from)] = true
	c.cfg.Senders = slices.Clone(c.cfg.Senders)
	for i, a := range c.cfg.Senders {
		if a, err = compose.NormalizeAddress(a); err != nil {
			fault(fmt.Sprintf("Senders[%d]", i), "not a valid address")
		}
		c.senders[senderKey(a)] = true
	}
	if !isToken(c.cfg.Tenant) {
		fault("Tenant", tokenAdvice)
	}
	if n := len(c.cfg.HostSecret); n != 0 && n < minSecret {
		fault("HostSecret", fmt.Sprintf("too short; use at least %d random bytes", minSecret))
	}
	c.cfg.HostSecret = slices.Clone(c.cfg.HostSecret)
	if c.cfg.Transport == nil {
		fault("Transport", "missing; nothing can be sent without one, see transport/smtp")
	}
	if c.cfg.Audit == nil {
		fault("Audit", "missing; without a log there is no client, see audit/auditfile")
	}
	c.sealers = make(map[policy.Mode]crypt.Sealer, len(c.cfg.Sealers))
	for i, s := range c.cfg.Sealers {
		mode, ok := sealedMode(s)
		if !ok || c.sealers[mode] != nil {
			fault(fmt.Sprintf("Sealers[%d]", i), "nil, of no known mode, or the second of its mode")
			continue
		}
		c.sealers[mode] = s
	}
	c.checkHold(fault)
	if t, ok := c.cfg.Transport.(transport.LinkRewriter); ok && t.RewritesLinks() && c.sealers[policy.Escrow] != nil {
		fault("Transport", "rewrites links, and so can't carry those of escrow items; switch that off, or leave the escrow sealer out")
	}
	if c.cfg.OnPartial > Deliverable {
		fault("OnPartial", "unknown; use RefuseAll or Deliverable")
	}
	if c.cfg.MaxSize < 0 || c.cfg.MaxRecipients < 0 || c.cfg.PlanLifetime < 0 || c.cfg.ClassifyTimeout < 0 {
		fault("MaxSize, MaxRecipients, PlanLifetime, ClassifyTimeout", "negative; leave it zero for the default")
	}
	c.cfg.Parties = slices.Clone(c.cfg.Parties)
	c.cfg.AllowHeaders = slices.Clone(c.cfg.AllowHeaders)
	for i, name := range c.cfg.AllowHeaders {
		if err := compose.CheckAllowed(name); err != nil {
			fault(fmt.Sprintf("AllowHeaders[%d]", i), "not a header field that a message may set")
		}
	}
	if c.cfg.RequireFIPS && !c.fips {
		fault("RequireFIPS", "the process does not run in FIPS 140-3 mode; start it with GODEBUG=fips140=on")
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.setDefaults()
	c.configDigest = c.digestConfig()
	return nil
}

// sealedMode is the policy's word for what s does.
func sealedMode(s crypt.Sealer) (policy.Mode, bool) {
	if s == nil {
		return policy.Refuse, false
	}
	mode, err := policy.ParseMode(s.Mode())
	return mode, err == nil && mode != policy.TLS
}

func (c *Client) setDefaults() {
	if c.cfg.Policy == nil {
		c.cfg.Policy = policy.HIPAA()
	}
	if c.cfg.ClassifyTimeout == 0 {
		c.cfg.ClassifyTimeout = defaultClassifyTimeout
	}
	if c.cfg.MaxSize == 0 {
		c.cfg.MaxSize = defaultMaxSize
	}
	if c.cfg.MaxRecipients == 0 {
		c.cfg.MaxRecipients = defaultMaxRecipients
	}
	if c.cfg.PlanLifetime == 0 {
		c.cfg.PlanLifetime = defaultPlanLifetime
	}
	if c.cfg.Clock == nil {
		c.cfg.Clock = time.Now
	}
}

// digestConfig names what the configuration was when a record was written. Only
// what shapes a decision is in it; addresses are hashed with the rest.
func (c *Client) digestConfig() string {
	senders := make([]string, 0, len(c.senders))
	for s := range c.senders {
		senders = append(senders, s)
	}
	slices.Sort(senders)
	h := sha256.Sum256(fmt.Appendf(nil, "config v1 %q %q %t %t %t %d %d %d %s %s %q",
		c.cfg.Tenant, senders, c.cfg.Classifier != nil, c.cfg.DKIM != nil, c.cfg.RequireFIPS, c.cfg.OnPartial,
		c.cfg.MaxSize, c.cfg.MaxRecipients, c.cfg.PlanLifetime, c.cfg.ClassifyTimeout, c.cfg.AllowHeaders))
	return hex.EncodeToString(h[:16])
}

// senderKey compares senders without the case of ASCII letters: two mailboxes
// of the host that differ in nothing else do not exist in practice.
func senderKey(a mail.Address) string { return strings.ToLower(a.Address) }

const tokenAdvice = `use letters, digits and "._:/+-", at most 128 bytes`

// isToken reports whether s may stand in a record: an identifier, no prose and
// no address.
func isToken(s string) bool {
	if len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && strings.IndexByte("._:/+-", b) < 0 {
			return false
		}
	}
	return true
}
