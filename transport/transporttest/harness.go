package transporttest

import (
	"crypto/x509"
	"time"

	"github.com/phimail/sdk/transport"
)

// Target is what [Harness.New] builds a transport for.
type Target struct {
	// Addr is the host:port of the server, empty for a transport that doesn't
	// speak SMTP.
	Addr string
	// ServerName is the name to verify, RootCAs the only trust anchors.
	ServerName string
	RootCAs    *x509.CertPool
	// ImplicitTLS says that the server starts TLS at once; else STARTTLS.
	ImplicitTLS bool
	// Username and Password are the credentials, empty for none.
	Username, Password string
	// Timeout is the limit of one command. The others follow from it.
	Timeout time.Duration
	// Attested says that a dated record of the server's TLS onward is to be
	// configured, in force now. For a transport with [Features].Direct it says
	// that the server is proven to be that of every recipient's domain.
	Attested bool
	// Provider is the name of the party that runs the server, for
	// [transport.Envelope.Providers]. Empty: none is to be configured.
	Provider string
	// Dir is an empty directory that a transport with local state may use.
	Dir string
}

// Harness tells the kit how to make the transport under test, and what it
// claims to do.
type Harness struct {
	// New makes a transport for t. The kit closes it, if it has a
	// Close(context.Context) error or a Close() error.
	New func(t Target) (transport.Transport, error)
	// Delivered returns what the transport's peer or store took so far. The kit
	// calls it before it closes tr. It is required unless Features.SMTP is set:
	// then the kit's own server knows.
	Delivered func(tr transport.Transport) ([]Message, error)
	// Features is what the transport claims. The kit tests no more than this
	// beyond what every transport must do.
	Features Features
}

// Features is what a transport claims. The zero value is a local store that
// takes sealed content only.
type Features struct {
	// SMTP: it speaks SMTP to Target.Addr, so that the hostile peer's tests
	// apply. It implies TLS.
	SMTP bool
	// TLS: it carries content that is not sealed, inside TLS that it verifies.
	TLS bool
	// Implicit: it can do Target.ImplicitTLS.
	Implicit bool
	// Auth: it uses Target.Username and Password.
	Auth bool
	// RequireTLS: it can ask for REQUIRETLS (RFC 8689).
	RequireTLS bool
	// Pipelining: it sends commands in groups where the peer offers it (RFC
	// 2920).
	Pipelining bool
	// SMTPUTF8 and EightBit: it carries such addresses and content where the
	// peer offers it (RFC 6531, RFC 6152).
	SMTPUTF8, EightBit bool
	// Providers: it honours Target.Provider.
	Providers bool
	// Direct: it delivers to the recipients' own servers. What is proven of them
	// is worth [transport.Recipient]; where nothing is, nothing travels in clear,
	// whatever the need.
	Direct bool
}
