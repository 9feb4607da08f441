package relay

import (
	"crypto/subtle"
	"io"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// session is one connection of a client.
type session struct {
	server     *Server
	conn       *smtp.Conn
	user       bool
	recipients int
}

// AuthMechanisms lists what the server offers inside TLS.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth checks the credentials.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		name := subtle.ConstantTimeCompare([]byte(username), []byte(Username))
		secret := subtle.ConstantTimeCompare([]byte(password), []byte(s.server.password))
		if name&secret != 1 {
			return smtp.ErrAuthFailed
		}
		s.user = true
		return nil
	}), nil
}

// Mail begins a message.
func (s *session) Mail(string, *smtp.MailOptions) error {
	if _, ok := s.conn.TLSConnectionState(); !ok {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Must issue a STARTTLS command first"}
	}
	if !s.user {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	return nil
}

// Rcpt takes any recipient.
func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	s.recipients++
	return nil
}

// Data takes the message.
func (s *session) Data(r io.Reader) error {
	message, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return s.server.receive(s.recipients, message)
}

// Reset forgets the message.
func (s *session) Reset() { s.recipients = 0 }

// Logout ends the session.
func (s *session) Logout() error { return nil }
