package dkim_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/phimail/sdk/dkim"
)

func TestAMalformedMessageIsNotSigned(t *testing.T) {
	t.Parallel()
	s := newSigner(t, dkim.Config{})
	from := "From: a@clinic.example\r\n"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":                   {"", dkim.ErrMessage},
		"no header":               {"\r\nbody", dkim.ErrMessage},
		"no From":                 {"To: a@b.example\r\n\r\n", dkim.ErrMessage},
		"two From":                {from + from + "\r\n", dkim.ErrMessage},
		"two Subject":             {from + "Subject: a\r\nsubject: b\r\n\r\n", dkim.ErrMessage},
		"two Content-Type":        {from + "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n", dkim.ErrMessage},
		"LF line ends":            {"From: a@clinic.example\nTo: b@c.example\n\nbody", dkim.ErrMessage},
		"one LF line end":         {from + "X: a\nTo: b@c.example\r\n\r\n", dkim.ErrMessage},
		"bare CR":                 {from + "X: a\rSubject: b\r\n\r\n", dkim.ErrMessage},
		"NUL":                     {from + "X: a\x00\r\n\r\n", dkim.ErrMessage},
		"no colon":                {from + "X\r\n\r\n", dkim.ErrMessage},
		"no name":                 {from + ": x\r\n\r\n", dkim.ErrMessage},
		"space before the colon":  {from + "Subject : x\r\n\r\n", dkim.ErrMessage},
		"folded first line":       {" x\r\n" + from + "\r\n", dkim.ErrMessage},
		"endless header":          {from + "X: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", dkim.ErrMessage},
		"another From domain":     {"From: a@evil.example\r\n\r\n", dkim.ErrAlignment},
		"a subdomain":             {"From: a@mail.clinic.example\r\n\r\n", dkim.ErrAlignment},
		"two authors":             {"From: a@clinic.example, b@evil.example\r\n\r\n", dkim.ErrAlignment},
		"domain in the name only": {"From: \"a@clinic.example\" <a@evil.example>\r\n\r\n", dkim.ErrAlignment},
		"no address":              {"From: clinic.example\r\n\r\n", dkim.ErrAlignment},
		"an empty From":           {"From: \r\n\r\n", dkim.ErrAlignment},
	} {
		fields, _, err := s.Sign(t.Context(), "clinic.example", open(c.text))
		if !errors.Is(err, c.want) || fields != nil {
			t.Errorf("%s: %q, %v", name, fields, err)
		}
		if err != nil && printed(err, "evil") {
			t.Errorf("%s: the error shows the message: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"two authors of the domain": "From: a@clinic.example,\r\n b@Clinic.Example\r\n\r\n",
		"a quoted local part":       "From: \"a b@evil.example\"@clinic.example\r\n\r\n",
		"a folded From":             "From:\r\n =?x-unknown?Q?=FF?=\r\n <a@clinic.example>\r\n\r\n",
	} {
		if _, _, err := s.Sign(t.Context(), "clinic.example", open(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
