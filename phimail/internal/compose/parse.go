package compose

import (
	"io"
	"net/mail"
	"time"
)

// Limits bound what [Parse] accepts. Zero values are the defaults.
type Limits struct {
	// MaxBytes is the size of the message with CRLF line ends; 35 MiB. Reading
	// takes up to three times as much memory, the result once as much.
	MaxBytes int64
	// MaxHeaderBytes is the size of the message's header, and of each part's;
	// 256 KiB.
	MaxHeaderBytes int
	// MaxFields counts the fields of the message's header, and those of all
	// parts together; 1000 each.
	MaxFields int
	// MaxDepth is how deep multiparts may be nested; 20.
	MaxDepth int
	// MaxParts counts all parts; 1000.
	MaxParts int
}

func (l Limits) withDefaults() Limits {
	orDefault := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = 35 << 20
	}
	orDefault(&l.MaxHeaderBytes, 256<<10)
	orDefault(&l.MaxFields, 1000)
	orDefault(&l.MaxDepth, 20)
	orDefault(&l.MaxParts, 1000)
	return l
}

// Parsed is a ready message, taken apart. Addresses are normalised; what is not
// in the message is zero.
type Parsed struct {
	From    mail.Address
	To, Cc  []mail.Address
	Bcc     []mail.Address
	ReplyTo []mail.Address

	Subject    string
	Date       time.Time
	InReplyTo  []string
	References []string
	// Header holds all fields that are not ours, in order. Whether they may be
	// sent is for [Message.Check] to say.
	Header []Field
	Entity *Entity
}

// Parse reads a ready message (RFC 5322, MIME) as programs hand it to sendmail:
// with CRLF or LF line ends, 8-bit text, raw UTF-8 in the header (RFC 6532), and
// maybe a leading mbox line.
//
// Dropped are Message-ID, since the library makes its own, the fields of an
// earlier way (Received, Return-Path, DKIM-Signature, ARC-*,
// Authentication-Results, Delivered-To, …), a Sender that equals From, text
// before the first and after the last part of a multipart, and part fields other
// than Content-* and X-*. Refused are Resent-*, TLS-Required, another Sender,
// fields that occur twice and may not, NUL, a CR without LF, and whatever exceeds
// the limits.
//
// Parts that would not survive a relay (8-bit text, lines over 998 bytes) are
// encoded anew, and file names cleaned; everything else stays as it is. Signed
// and encrypted parts ([Entity.Protected]) stay byte for byte, with CRLF line ends;
// one that would not survive, or mixes line ends in what is signed, is refused.
//
// The error joins the faults found, each a [*FaultError].
func Parse(r io.Reader, limits Limits) (*Parsed, error) {
	limits = limits.withDefaults()
	header, body, err := readMessage(r, limits.MaxBytes)
	if err != nil {
		return nil, err
	}
	head, err := parseFields(header, limits.MaxHeaderBytes, limits.MaxFields)
	if err != nil {
		return nil, err
	}
	p, content, err := readHeader(head)
	if err != nil {
		return nil, err
	}
	b := &treeBuilder{limits: limits}
	root, err := b.node(content, body, plainText, 0)
	if err != nil {
		return nil, err
	}
	p.Entity = &Entity{root: root}
	return p, nil
}
