package smtpclient

import (
	"bytes"
	"strings"
)

// Extensions are what the peer offered in its latest EHLO reply. Only known
// keywords are kept: the rest is a peer's text.
type Extensions struct {
	StartTLS      bool // RFC 3207
	Pipelining    bool // RFC 2920
	Chunking      bool // RFC 3030
	EightBitMIME  bool // RFC 6152
	SMTPUTF8      bool // RFC 6531
	RequireTLS    bool // RFC 8689
	DSN           bool // RFC 3461
	EnhancedCodes bool // RFC 2034
	Size          bool // RFC 1870
	// SizeLimit is the largest message in bytes, 0 if the peer names none.
	SizeLimit int64
	// RcptMax and MailMax are the recipients a transaction and transactions a
	// session, 0 if the peer names none (RFC 9422).
	RcptMax, MailMax int
	// Plain, Login and XOAuth2 are the SASL mechanisms that we know.
	Plain, Login, XOAuth2 bool
}

// Names lists the extensions in a fixed order and spelling.
func (e *Extensions) Names() []string {
	var names []string
	for _, x := range []struct {
		on   bool
		name string
	}{
		{e.StartTLS, "STARTTLS"}, {e.Pipelining, "PIPELINING"}, {e.Chunking, "CHUNKING"}, {e.EightBitMIME, "8BITMIME"},
		{e.SMTPUTF8, "SMTPUTF8"}, {e.RequireTLS, "REQUIRETLS"}, {e.DSN, "DSN"}, {e.EnhancedCodes, "ENHANCEDSTATUSCODES"},
		{e.Size, "SIZE"}, {e.RcptMax > 0 || e.MailMax > 0, "LIMITS"},
		{e.Plain, "AUTH PLAIN"}, {e.Login, "AUTH LOGIN"}, {e.XOAuth2, "AUTH XOAUTH2"},
	} {
		if x.on {
			names = append(names, x.name)
		}
	}
	return names
}

// add takes in one line of an EHLO reply, without the code.
func (e *Extensions) add(line []byte) {
	keyword, args, _ := bytes.Cut(line, []byte(" "))
	switch strings.ToUpper(string(keyword)) {
	case "STARTTLS":
		e.StartTLS = true
	case "PIPELINING":
		e.Pipelining = true
	case "CHUNKING":
		e.Chunking = true
	case "8BITMIME":
		e.EightBitMIME = true
	case "SMTPUTF8":
		e.SMTPUTF8 = true
	case "REQUIRETLS":
		e.RequireTLS = true
	case "DSN":
		e.DSN = true
	case "ENHANCEDSTATUSCODES":
		e.EnhancedCodes = true
	case "SIZE":
		e.Size = true
		e.SizeLimit = decimal(bytes.TrimSpace(args), 1<<56)
	case "AUTH":
		e.addMechanisms(args)
	case "LIMITS":
		e.addLimits(args)
	}
}

func (e *Extensions) addMechanisms(args []byte) {
	for name := range bytes.FieldsSeq(args) {
		switch strings.ToUpper(string(name)) {
		case "PLAIN":
			e.Plain = true
		case "LOGIN":
			e.Login = true
		case "XOAUTH2":
			e.XOAuth2 = true
		}
	}
}

func (e *Extensions) addLimits(args []byte) {
	for limit := range bytes.FieldsSeq(args) {
		name, value, _ := bytes.Cut(limit, []byte("="))
		switch strings.ToUpper(string(name)) {
		case "RCPTMAX":
			e.RcptMax = int(decimal(value, 1<<30))
		case "MAILMAX":
			e.MailMax = int(decimal(value, 1<<30))
		}
	}
}

// decimal reads a plain decimal number, 0 if it is none, limit if it is more.
// A limit under 1<<58 can't overflow.
func decimal(s []byte, limit int64) int64 {
	if len(s) == 0 {
		return 0
	}
	var n int64
	for _, b := range s {
		if b < '0' || b > '9' {
			return 0
		}
		n = min(n*10+int64(b-'0'), limit)
	}
	return n
}
