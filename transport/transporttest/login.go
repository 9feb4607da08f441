package transporttest

import (
	"encoding/base64"
	"strings"
)

// auth takes PLAIN (RFC 4616), LOGIN and XOAUTH2, also in clear: that a client
// uses it there is what the kit wants to see.
func (c *session) auth(args string) bool {
	mechanism, initial, _ := strings.Cut(args, " ")
	if c.scripted(AtAuth) {
		said, ok := c.say(AtAuth, "")
		for ok && strings.HasPrefix(said, "334") {
			if _, ok = c.readLine(); !ok {
				return false
			}
			said, ok = c.say(AtAuthNext, "535 5.7.8 no\r\n")
		}
		return ok && c.authDone(said, "")
	}
	c.server.journal.arrive(AtAuth)
	user, pass, ok := c.credentials(strings.ToUpper(mechanism), initial)
	if !ok {
		return false
	}
	reply := "235 2.7.0 welcome\r\n"
	if c.script.Username != "" && (user != c.script.Username || pass != c.script.Password) {
		reply = "535 5.7.8 no\r\n"
	}
	c.out.WriteString(reply)
	return c.authDone(reply, user)
}

// scripted reports whether the script has a step for the next time at p.
func (c *session) scripted(p Point) bool {
	for _, s := range c.script.At[p] {
		if s.Nth == 0 || s.Nth == c.times[p]+1 {
			return true
		}
	}
	return false
}

func (c *session) authDone(said, user string) bool {
	if strings.HasPrefix(said, "235") {
		c.server.journal.note(func() { c.rec.Auth, c.rec.Username = true, user })
	}
	return true
}

func (c *session) credentials(mechanism, initial string) (user, pass string, ok bool) {
	switch mechanism {
	case "PLAIN":
		if initial == "" {
			if initial, ok = c.challenge(""); !ok {
				return "", "", false
			}
		}
		parts := strings.SplitN(decode(initial), "\x00", 3)
		if len(parts) != 3 {
			return "", "", true
		}
		return parts[1], parts[2], true
	case "LOGIN":
		if initial == "" {
			if initial, ok = c.challenge("Username:"); !ok {
				return "", "", false
			}
		}
		secret, ok := c.challenge("Password:")
		return decode(initial), decode(secret), ok
	case "XOAUTH2":
		fields := strings.Split(decode(initial), "\x01")
		for _, f := range fields {
			if v, ok := strings.CutPrefix(f, "user="); ok {
				user = v
			}
			if v, ok := strings.CutPrefix(f, "auth=Bearer "); ok {
				pass = v
			}
		}
		return user, pass, true
	}
	return "", "", true
}

func (c *session) challenge(text string) (string, bool) {
	c.out.WriteString("334 " + base64.StdEncoding.EncodeToString([]byte(text)) + "\r\n")
	return c.readLine()
}

// decode undoes base64; what is not base64 can't match any credentials.
func decode(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}
