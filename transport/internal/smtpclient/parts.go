package smtpclient

import "github.com/phimail/sdk/transport"

// EachPart opens the content of env and hands it to take part by part, held
// against the same rules as on the wire: CRLF line ends, no bare CR or LF, no
// NUL, exactly env.Size bytes. The error is transport.ErrOpen,
// transport.ErrContent or take's, which ends the reading. A part is valid until
// take returns.
func EachPart(env *transport.Envelope, take func(part []byte) error) error {
	var body source
	defer func() {
		body.close()
		clear(body.buf)
	}()
	if err := body.start(env); err != nil {
		return err
	}
	for body.left > 0 {
		if err := body.next(); err != nil {
			return err
		}
		if err := take(body.part); err != nil {
			return err
		}
	}
	return nil
}
