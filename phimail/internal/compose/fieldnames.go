package compose

import (
	"slices"
	"strings"
)

// Rules say what a message may carry beyond the built-in fields.
type Rules struct {
	// AllowHeaders are further names for Message.Header, in any case. Fields
	// that the library writes stay refused.
	AllowHeaders []string
}

// CheckAllowed says whether name may stand in [Rules].AllowHeaders. Its error is a
// [*FaultError].
func CheckAllowed(name string) error {
	if reason := nameOfFieldFault(name); reason != "" {
		return &FaultError{Field: "AllowHeaders", Reason: reason}
	}
	return nil
}

// nameOfFieldFault says what is wrong with the name of a further field, whatever
// the rules allow.
func nameOfFieldFault(name string) string {
	switch {
	case !isFieldName(name):
		return "has a name that is not valid; use letters, digits and hyphens, at most 60"
	case isOwned(name):
		return "is a field that the library or the mail system writes; use the message's own fields instead"
	}
	return ""
}

// allows reports whether a field of this name may be sent, apart from owned
// ones: X-*, the ones below and AllowHeaders.
func (r *Rules) allows(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(lower, "x-") || isKnownExtra(lower) ||
		slices.ContainsFunc(r.AllowHeaders, func(s string) bool { return strings.EqualFold(s, name) })
}

// isKnownExtra reports whether lower is a field that says nothing about who
// sends to whom and lowers no protection: RFC 2369, 2919 and 8058 (lists), 3834
// (automatic messages), 5322 section 3.6.5, 2156 (importance), 8098 (receipts),
// 7293 (the address must not have changed hands), 6758, 3458, 5064, 8460 (reports
// of TLS) and customary ones.
func isKnownExtra(lower string) bool {
	switch lower {
	case "list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe", "list-post",
		"list-owner", "list-archive",
		"auto-submitted", "precedence", "comments", "keywords",
		"importance", "priority", "sensitivity", "expires", "expiry-date", "reply-by", "supersedes",
		"disposition-notification-to", "disposition-notification-options", "original-message-id",
		"require-recipient-valid-since", "mt-priority", "message-context", "archived-at",
		"organization", "user-agent", "feedback-id", "thread-topic", "thread-index",
		"accept-language", "autocrypt", "openpgp", "bimi-selector",
		"tls-report-domain", "tls-report-submitter":
		return true
	}
	return false
}

// isStructured reports whether a field's value has a grammar, in which encoded
// words would be wrong.
func isStructured(name string) bool {
	lower := strings.ToLower(name)
	switch lower {
	case "comments", "keywords", "organization", "user-agent", "thread-topic":
		return false
	}
	return isKnownExtra(lower)
}

// isOwned reports whether only the library, a relay or a recipient's server
// writes this field. TLS-Required would lower the protection (RFC 8689 section
// 5); the fields of delivery would name Bcc recipients.
func isOwned(name string) bool {
	lower := strings.ToLower(name)
	for _, prefix := range []string{"content-", "resent-", "arc-", "received", "x-received"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	switch lower {
	case "from", "sender", "to", "cc", "bcc", "reply-to", "date", "subject", "message-id", "in-reply-to", "references",
		"mime-version", "return-path", "apparently-to", "delivered-to",
		"x-original-to", "x-delivered-to", "x-envelope-to", "x-envelope-from", "x-rcpt-to", "x-bcc", "envelope-to",
		"dkim-signature", "domainkey-signature", "authentication-results", "dkim2-signature",
		"tls-required", "hp-outer", "status", "x-status", "lines":
		return true
	}
	return false
}

// isTrace reports whether a field of a ready message is of its earlier way and
// is dropped.
func isTrace(name string) bool {
	lower := strings.ToLower(name)
	return isOwned(lower) && !strings.HasPrefix(lower, "resent-") && lower != "tls-required" && lower != "sender"
}

// isFieldName reports whether s is a field name of letters, digits, hyphens and
// underscores, at most 60 bytes. RFC 5322 section 3.6.8 allows more; nobody
// needs it.
func isFieldName(s string) bool {
	if s == "" || len(s) > 60 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
