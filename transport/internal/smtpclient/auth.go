package smtpclient

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"strings"

	"github.com/phimail/sdk/transport"
)

// maxChallenges bounds the rounds of one AUTH.
const maxChallenges = 4

// maxAuthLine is the longest AUTH command (RFC 4954 section 4).
const maxAuthLine = 12288

// Valid reports whether l can be used at all: no control characters, and a
// password or a token.
func (l *Login) Valid() bool {
	for _, s := range []string{l.Username, l.Password, l.Token} {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(s) > maxAuthLine/2 {
			return false
		}
	}
	return l.Username != "" && (l.Password != "") != (l.Token != "")
}

// auth proves who we are (RFC 4954). It runs only inside verified TLS: setup
// calls it after the second EHLO. Challenges are a peer's text and are not
// interpreted; the answers are fixed.
func (c *Conn) auth(ctx context.Context, l *Login) *transport.Error {
	line, answers := c.mechanism(l)
	if line == "" {
		return &transport.Error{Status: transport.Refused, Reason: transport.ErrAuth, Stage: transport.StageAuth, Retry: true}
	}
	defer func() { clear(c.out[:cap(c.out)]) }()
	r, err := c.exchange(ctx, transport.StageAuth, line)
	for range maxChallenges {
		if err != nil {
			return err
		}
		if r.code != 334 {
			break
		}
		if len(answers) == 0 || !isBase64(c.text) {
			// RFC 4954 section 4: a line with a single * gives up.
			if _, err = c.exchange(ctx, transport.StageAuth, "*\r\n"); err != nil {
				return err
			}
			c.dead = true
			return &transport.Error{Status: transport.Refused, Reason: transport.ErrAuth, Stage: transport.StageAuth, Retry: true}
		}
		r, err = c.exchange(ctx, transport.StageAuth, answers[0]+"\r\n")
		answers = answers[1:]
	}
	if err != nil {
		return err
	}
	if r.code == 235 {
		return nil
	}
	e := c.refusal(transport.StageAuth, r)
	if r.code >= 500 {
		e.Reason = transport.ErrAuth
	}
	return e
}

// mechanism is the AUTH command and the answers to the challenges after it,
// base64, "" if there is no mechanism in common.
func (c *Conn) mechanism(l *Login) (line string, answers []string) {
	b64 := base64.StdEncoding.EncodeToString
	switch {
	case l.Token != "" && c.ext.XOAuth2:
		// An error comes as a challenge, which an empty line acknowledges.
		return "AUTH XOAUTH2 " + b64([]byte("user="+l.Username+"\x01auth=Bearer "+l.Token+"\x01\x01")) + "\r\n", []string{""}
	case l.Token != "":
		return "", nil
	case c.ext.Plain: // RFC 4616
		return "AUTH PLAIN " + b64([]byte("\x00"+l.Username+"\x00"+l.Password)) + "\r\n", nil
	case c.ext.Login:
		return "AUTH LOGIN\r\n", []string{b64([]byte(l.Username)), b64([]byte(l.Password))}
	}
	return "", nil
}

// isBase64 reports a well-formed challenge. What was cut off to fit is not
// missed.
func isBase64(s []byte) bool {
	if len(s) >= maxPeerText {
		s = s[:maxPeerText/4*4]
	}
	_, err := base64.StdEncoding.DecodeString(string(s))
	return err == nil
}

// remoteAlert reports a TLS alert of the peer.
func remoteAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
