package escrow

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/phimail/sdk/crypt"
)

// fragmentPrefix begins the fragment of a link: the version of what follows, S
// in base64url. A letter and a dot survive every rewriter that survives at all.
const fragmentPrefix = "s1."

// Link is what a notification leads to:
//
//	https://mail.clinic.example/m/0123456789abcdef0123456789abcdef#s1.BASE64URL
//
// The path names the item; the fragment has the secret, which a browser does not
// send. No printed form shows the secret: String is for the notification only.
type Link struct {
	ID     string
	Secret Secret
}

// Text is the link below a base URL: the notification's.
func (l Link) Text(base string) string {
	return strings.TrimRight(base, "/") + "/" + l.ID + "#" + fragmentPrefix + encode(l.Secret[:])
}

// ParseLink reads a link as people have it: also with a fragment that was
// percent-encoded, with a query or slash that was added, or wrapped as the value
// of a query parameter by a service that checks links. What it can't read is
// crypt.ErrMalformed.
func ParseLink(text string) (Link, error) {
	const depth = 4 // wrapped, and wrapped again
	for range depth {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			break
		}
		if before, after, ok := strings.Cut(u.Path, "#"); ok && u.Fragment == "" {
			u.Path, u.Fragment = before, after // it was percent-encoded into the path
		}
		if l, ok := linkOf(u); ok {
			return l, nil
		}
		inner := ""
		for _, values := range u.Query() {
			for _, v := range values {
				if strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://") {
					inner = v
				}
			}
		}
		if inner == "" {
			break
		}
		if u.Fragment != "" && !strings.Contains(inner, "#") {
			inner += "#" + u.Fragment // the browser carries the fragment over
		}
		text = inner
	}
	return Link{}, &crypt.Error{Reason: crypt.ErrMalformed}
}

func linkOf(u *url.URL) (Link, bool) {
	path := strings.TrimSuffix(u.Path, "/")
	id := path[strings.LastIndexByte(path, '/')+1:]
	fragment, ok := strings.CutPrefix(u.Fragment, fragmentPrefix)
	if !ok && strings.HasPrefix(u.Fragment, "s1%2E") {
		fragment, ok = u.Fragment[len("s1%2E"):], true
	}
	// What click tracking appends to a fragment begins with one of these.
	if i := strings.IndexAny(fragment, "?&"); i >= 0 {
		fragment = fragment[:i]
	}
	secret, err := decode(fragment, secretSize)
	if !ok || err != nil || !ValidID(id) {
		return Link{}, false
	}
	return Link{ID: id, Secret: Secret(secret)}, true
}

// CheckBaseURL returns what is wrong with the URL below which links lie: it must
// be https, or http on this machine, without query and fragment.
func CheckBaseURL(base string) error {
	u, err := url.Parse(base)
	problem := ""
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		problem = "not a URL with a host; write one such as https://mail.clinic.example/m"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(base, "#"):
		problem = "must have no user, query or fragment"
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		problem = "must begin with https:// (http:// only for this machine, such as http://127.0.0.1:8080/m)"
	case strings.ContainsFunc(base, func(r rune) bool { return r <= ' ' || r > '~' }):
		problem = "must be of printable ASCII characters; write the host in its xn-- form"
	case u.Path != "" && strings.Contains(u.EscapedPath(), "%"), strings.Contains(u.Path, "//"), strings.Contains(u.Path, ".."):
		problem = "must have a plain path"
	}
	if problem == "" {
		return nil
	}
	return &FieldError{Field: "BaseURL", Problem: problem}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// LoopbackListener reports whether addr, a host and port to listen on, is of this
// machine only.
func LoopbackListener(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && loopback(host)
}
