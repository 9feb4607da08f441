// Package consent lets people say themselves what they want: links that end
// marketing mail with one click (RFC 8058), and links that confirm an opt-in, with
// the http.Handlers behind them.
//
// A link holds a token: tenant, address, what it is for, when it was made and when
// it ends, sealed with AES-256-GCM under a key that is derived for the tenant. So
// nobody can read an address in a link or a server's log, and nobody can make or
// change one. Tokens need no store.
//
// No GET or HEAD changes anything, since scanners follow links: they show a page
// with a button. Only a POST does, and one that comes twice does no more.
package consent

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/phimail/sdk/policy"
)

// Config sets up [Links].
type Config struct {
	// Secret keys the tokens: at least 16 random bytes, the same in every
	// process and over time. Links made with another are not valid.
	Secret []byte
	// UnsubscribeURL and OptInURL are where the handlers are reached, by https,
	// without a query. The one that is empty makes no links.
	UnsubscribeURL string
	OptInURL       string
	// UnsubscribeFor is how long a link to unsubscribe works: 400 days by
	// default, at least the 30 days of CAN-SPAM (15 U.S.C. 7704(a)(3)(A)(ii)).
	UnsubscribeFor time.Duration
	// OptInFor is how long an opt-in can be confirmed, 7 days by default.
	OptInFor time.Duration
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

const (
	minSecret     = 16
	day           = 24 * time.Hour
	defaultUnsub  = 400 * day
	leastUnsub    = 30 * day
	defaultOptIn  = 7 * day
	maxToken      = 2048
	keyInfo       = "phimail consent link v1\x00"
	sealedData    = "phimail consent token v1"
	paddedTo      = 64
	maxWording    = 256
	forUnsub      = "unsubscribe"
	forOptIn      = "opt-in"
	tokenParam    = "t"
	clockSkew     = 5 * time.Minute
	maxTenantName = 128
)

// Links makes links and the handlers for them. It is safe for concurrent use.
type Links struct {
	cfg Config
	// derive returns a tenant's AEAD. It is a closure, so that no printer gets
	// at the secret.
	derive func(tenant string) (cipher.AEAD, error)
}

// New checks cfg. Its error lists every fault.
func New(cfg Config) (*Links, error) {
	var errs []error
	if len(cfg.Secret) < minSecret {
		errs = append(errs, fmt.Errorf("consent: Secret is too short; use at least %d random bytes", minSecret))
	}
	for name, u := range map[string]string{"UnsubscribeURL": cfg.UnsubscribeURL, "OptInURL": cfg.OptInURL} {
		if p, err := url.Parse(u); u != "" && (err != nil || p.Scheme != "https" || p.Host == "" || p.RawQuery != "" || p.Fragment != "" || p.User != nil) {
			errs = append(errs, errors.New("consent: "+name+" must be an https URL without user, query and fragment"))
		}
	}
	if cfg.UnsubscribeFor == 0 {
		cfg.UnsubscribeFor = defaultUnsub
	}
	if cfg.UnsubscribeFor < leastUnsub {
		errs = append(errs, errors.New("consent: UnsubscribeFor must be 30 days or more (15 U.S.C. 7704(a)(3))"))
	}
	if cfg.OptInFor == 0 {
		cfg.OptInFor = defaultOptIn
	}
	if cfg.OptInFor < 0 {
		errs = append(errs, errors.New("consent: OptInFor is negative; leave it zero for the default"))
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	secret := append([]byte(nil), cfg.Secret...)
	cfg.Secret = nil
	return &Links{cfg: cfg, derive: func(tenant string) (cipher.AEAD, error) {
		key, err := hkdf.Key(sha256.New, secret, nil, keyInfo+tenant, 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCMWithRandomNonce(block)
	}}, nil
}

// Unsubscribe returns the link by which the person at an address ends a tenant's
// marketing mail. It is what a marketing rule asks for.
func (l *Links) Unsubscribe(tenant string, to mail.Address) (string, error) {
	return l.link(l.cfg.UnsubscribeURL, tenant, token{For: forUnsub, Address: policy.AddressKey(to)}, l.cfg.UnsubscribeFor)
}

// OptIn returns the link by which the person at an address confirms that they
// want a tenant's marketing mail. Mail it to that address only: who opens it has
// shown that they read it. Wording names the text that they agreed to, such as
// "newsletter form, version 2".
func (l *Links) OptIn(tenant string, to mail.Address, wording string) (string, error) {
	if wording == "" || len(wording) > maxWording {
		return "", fmt.Errorf("consent: the wording is missing or longer than %d bytes", maxWording)
	}
	return l.link(l.cfg.OptInURL, tenant, token{For: forOptIn, Address: policy.AddressKey(to), Wording: wording}, l.cfg.OptInFor)
}

// token is what a link says.
type token struct {
	For     string `json:"f"`
	Address string `json:"a"`
	Wording string `json:"w,omitempty"`
	Made    int64  `json:"m"` // Unix seconds
	Ends    int64  `json:"e"`
	Pad     string `json:"p"` // hides the length of an address
}

func (l *Links) link(base, tenant string, t token, lasts time.Duration) (string, error) {
	at := strings.LastIndexByte(t.Address, '@')
	switch {
	case base == "":
		return "", errors.New("consent: no URL is configured for such links")
	case at < 1 || at == len(t.Address)-1 || len(t.Address) > 320:
		return "", errors.New("consent: not an address")
	case len(tenant) > maxTenantName:
		return "", errors.New("consent: the tenant's name is too long")
	}
	now := l.cfg.Clock()
	t.Made, t.Ends = now.Unix(), now.Add(lasts).Unix()
	plain, err := json.Marshal(&t)
	if err != nil {
		return "", err
	}
	t.Pad = strings.Repeat(".", (paddedTo-len(plain)%paddedTo)%paddedTo)
	if plain, err = json.Marshal(&t); err != nil {
		return "", err
	}
	aead, err := l.derive(tenant)
	if err != nil {
		return "", err
	}
	sealed := aead.Seal(nil, nil, plain, []byte(sealedData)) //nolint:gosec // the AEAD makes its own nonce
	return base + "?" + tokenParam + "=" + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Faults of a token, for the page. They say nothing of it.
var (
	errForged  = errors.New("consent: the link is not valid")
	errExpired = errors.New("consent: the link has ended")
)

// open returns what a token says, if a tenant's key sealed it for what it is used
// for and it has not ended.
func (l *Links) open(tenant, use, text string) (*token, error) {
	if len(text) > maxToken {
		return nil, errForged
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errForged
	}
	aead, err := l.derive(tenant)
	if err != nil {
		return nil, errForged
	}
	plain, err := aead.Open(nil, nil, sealed, []byte(sealedData))
	if err != nil {
		return nil, errForged
	}
	var t token
	if err := json.Unmarshal(plain, &t); err != nil || t.For != use || t.Address == "" {
		return nil, errForged
	}
	now := l.cfg.Clock()
	if now.Unix() >= t.Ends || t.made().After(now.Add(clockSkew)) {
		return nil, errExpired
	}
	return &t, nil
}

func (t *token) made() time.Time { return time.Unix(t.Made, 0).UTC() }

// Format prints nothing, whatever the verb.
func (l *Links) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "consent.Links{}") }

// Format prints no secret, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "consent.Config{}") }

// MarshalJSON encodes no secret.
func (c Config) MarshalJSON() ([]byte, error) { return []byte(`"consent.Config{}"`), nil }

// GobEncode encodes what MarshalJSON does. It can't be decoded.
func (c Config) GobEncode() ([]byte, error) { return c.MarshalJSON() }
