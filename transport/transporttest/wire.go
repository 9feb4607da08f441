package transporttest

import (
	"io"
	"net"
	"strings"
	"time"
)

const wireLimit = 1 << 20

// tap is a connection that keeps a copy of the bytes that come in.
type tap struct {
	net.Conn

	journal *journal
	rec     *Session
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.journal.note(func() {
		if room := wireLimit - len(t.rec.Wire); room > 0 {
			t.rec.Wire = append(t.rec.Wire, p[:min(n, room)]...)
		}
	})
	return n, err
}

// write sends text as the step wants it, and reports whether the connection
// took it.
func (c *session) write(step Step) bool {
	if step.Endless {
		return step.Say == "" || c.repeat(step)
	}
	if step.Pace > 0 {
		return c.trickle(step.Say, step.Pace)
	}
	if _, err := io.WriteString(c.conn, step.Say); err != nil {
		return false
	}
	return step.Fill == 0 || c.fill(step.Fill)
}

// fill writes a line of n bytes.
func (c *session) fill(n int) bool {
	block := strings.Repeat("x", 64<<10)
	for ; n > 0; n -= len(block) {
		if _, err := io.WriteString(c.conn, block[:min(n, len(block))]); err != nil {
			return false
		}
	}
	_, err := io.WriteString(c.conn, "\r\n")
	return err == nil
}

func (c *session) repeat(step Step) bool {
	for {
		if step.Pace > 0 {
			if !c.trickle(step.Say, step.Pace) {
				return false
			}
			continue
		}
		if _, err := io.WriteString(c.conn, step.Say); err != nil {
			return false
		}
	}
}

func (c *session) trickle(text string, pace time.Duration) bool {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := range len(text) {
		if _, err := io.WriteString(c.conn, text[i:i+1]); err != nil {
			return false
		}
		select {
		case <-tick.C:
		case <-c.server.done:
			return false
		}
	}
	return true
}

// end does what comes after a step's words, and reports whether the session
// goes on.
func (c *session) end(how Ending) bool {
	switch how {
	case GoOn:
		return true
	case Close:
		_ = c.conn.Close()
	case Cut:
		_ = c.tap.Close()
	case Reset:
		if tcp, ok := c.tap.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.tap.Close()
	case Mute:
		// Reading on notices when the peer gives up, and keeps what it sends.
		_, _ = io.Copy(io.Discard, c.reader)
	case Stall:
		c.server.stalled.Add(1)
		defer c.server.stalled.Add(-1)
		<-c.server.done
	}
	return false
}
