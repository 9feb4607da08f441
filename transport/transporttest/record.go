package transporttest

import (
	"slices"
	"strings"
	"sync"
)

// Session is what a [Server] saw of one connection.
type Session struct {
	// Wire holds the bytes as they came over the wire, up to 1 MiB: clear text
	// before TLS, and TLS records from then on.
	Wire []byte
	// TLS says that a handshake was completed; Version and Suite are its
	// numbers, and ServerName is the name that the client asked for.
	TLS            bool
	Version, Suite uint16
	ServerName     string
	// Commands are the lines that the client sent outside of content.
	Commands []Command
	// Pipelined says that the client sent a command before it had the reply to
	// the one before.
	Pipelined bool
	// Auth says that the client authenticated, as Username.
	Auth     bool
	Username string
	// Content counts the bytes of content that came in, taken or not.
	Content int64
}

// Command is a line that the client sent.
type Command struct {
	Line string
	TLS  bool // inside TLS
}

// Verb returns the first word of the line in upper case.
func (c Command) Verb() string {
	verb, _, _ := strings.Cut(c.Line, " ")
	return strings.ToUpper(verb)
}

// Saw reports whether the client sent a command of this verb.
func (s Session) Saw(verb string) bool { return s.Count(verb) > 0 }

// Count returns how many commands of this verb the client sent.
func (s Session) Count(verb string) int {
	n := 0
	for _, c := range s.Commands {
		if c.Verb() == verb {
			n++
		}
	}
	return n
}

// Message is a message that a [Server], or the transport under test, took.
type Message struct {
	// From and To are the bare addresses of the envelope, To in the order of
	// arrival. A transport that keeps no envelope leaves them empty.
	From string
	To   []string
	// MailArgs and RcptArgs are the ESMTP parameters of MAIL and of each RCPT,
	// "" where there were none.
	MailArgs string
	RcptArgs []string
	// Data is the content, with dot-stuffing undone.
	Data []byte
	// TLS says that it came through TLS, Auth that the client had
	// authenticated. Session is the index of its connection.
	TLS, Auth bool
	Session   int
}

// journal collects what the sessions of a server see.
type journal struct {
	mu       sync.Mutex
	sessions []*Session
	messages []Message
	reached  map[Point]chan struct{}
}

func (j *journal) open() (*Session, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &Session{}
	j.sessions = append(j.sessions, s)
	return s, len(j.sessions) - 1
}

// note changes the record under the lock.
func (j *journal) note(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
}

func (j *journal) keep(m Message) {
	j.note(func() { j.messages = append(j.messages, m) })
}

func (j *journal) signal(p Point) chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reached == nil {
		j.reached = make(map[Point]chan struct{})
	}
	if j.reached[p] == nil {
		j.reached[p] = make(chan struct{})
	}
	return j.reached[p]
}

func (j *journal) arrive(p Point) {
	ch := j.signal(p)
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case <-ch:
	default:
		close(ch)
	}
}

func (j *journal) copySessions() []Session {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Session, len(j.sessions))
	for i, s := range j.sessions {
		out[i] = *s
		out[i].Wire = slices.Clone(s.Wire)
		out[i].Commands = slices.Clone(s.Commands)
	}
	return out
}

func (j *journal) copyMessages() []Message {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.messages)
}
