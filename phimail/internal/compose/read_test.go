package compose_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
)

// leaf is a part that holds content, as a reader finds it.
type leaf struct {
	path        string // such as "mixed/alternative"
	mediaType   string
	disposition string
	fileName    string
	contentID   string
	content     string
}

// readLeaves reads a message with the standard library and with go-message, and
// fails if they differ.
func readLeaves(tb testing.TB, raw string) []leaf {
	tb.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		tb.Fatalf("net/mail: %v", err)
	}
	leaves := readStandard(tb, "", textproto.MIMEHeader(msg.Header), msg.Body)
	other := readGoMessage(tb, raw)
	if len(other) != len(leaves) {
		tb.Fatalf("the standard library reads %d parts, go-message %d", len(leaves), len(other))
	}
	for i := range leaves {
		if leaves[i].content != other[i] {
			tb.Errorf("part %d: the standard library reads %q, go-message %q", i, leaves[i].content, other[i])
		}
	}
	return leaves
}

func readStandard(tb testing.TB, path string, h textproto.MIMEHeader, body io.Reader) []leaf {
	tb.Helper()
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		tb.Fatalf("Content-Type %q: %v", h.Get("Content-Type"), err)
	}
	if sub, ok := strings.CutPrefix(mediaType, "multipart/"); ok {
		var leaves []leaf
		mr := multipart.NewReader(body, params["boundary"])
		for {
			p, err := mr.NextRawPart()
			if err == io.EOF {
				return leaves
			}
			if err != nil {
				tb.Fatalf("mime/multipart: %v", err)
			}
			leaves = append(leaves, readStandard(tb, strings.TrimPrefix(path+"/"+sub, "/"), p.Header, p)...)
		}
	}
	switch h.Get("Content-Transfer-Encoding") {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		tb.Fatalf("content of %s: %v", mediaType, err)
	}
	l := leaf{path: path, mediaType: mediaType, content: string(content),
		contentID: strings.Trim(h.Get("Content-Id"), "<>")}
	if d := h.Get("Content-Disposition"); d != "" {
		disposition, params, err := mime.ParseMediaType(d)
		if err != nil {
			tb.Fatalf("Content-Disposition %q: %v", d, err)
		}
		l.disposition, l.fileName = disposition, params["filename"]
	}
	return []leaf{l}
}

// readGoMessage returns the contents of all leaves. Charsets other than UTF-8
// are undone, to compare bytes.
func readGoMessage(tb testing.TB, raw string) []string {
	tb.Helper()
	e, err := gomessage.Read(strings.NewReader(raw))
	if err != nil && !gomessage.IsUnknownCharset(err) {
		tb.Fatalf("go-message: %v", err)
	}
	var out []string
	err = e.Walk(func(_ []int, e *gomessage.Entity, err error) error {
		if err != nil && !gomessage.IsUnknownCharset(err) {
			return err
		}
		if e.MultipartReader() != nil {
			return nil
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(e.Body)
		out = append(out, b.String())
		return err
	})
	if err != nil {
		tb.Fatalf("go-message: %v", err)
	}
	return out
}
