package extract

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// longToken is a value in the alphabet of base64 that is no word, number or
	// code any more.
	longToken = 128
	// blockLines of at least blockWidth such characters are an encoded file.
	blockLines = 4
	blockWidth = 60
)

// embedded appends the text of value if it is an encoded file. sure says that
// the format marks it as one, however short it is. A file within that is no text
// means that not everything was read.
func (l *lines) embedded(value string, sure bool) error {
	if len(value) < longToken && !sure {
		return nil
	}
	compact := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, value)
	if compact == "" || !base64Only(compact) || !sure && (hexOnly(compact) || strings.ContainsAny(strings.TrimSpace(value), " \t")) {
		if sure && compact != "" {
			return ErrEmbedded
		}
		return nil
	}
	return l.decoded(compact)
}

// decoded appends what compact encodes, if that is text.
func (l *lines) decoded(compact string) error {
	std := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(compact, "="))
	raw, err := base64.RawStdEncoding.DecodeString(std)
	if err != nil || !utf8.Valid(raw) || magic(raw) {
		return ErrEmbedded
	}
	inner, err := text(raw, formatText)
	if err != nil {
		return ErrEmbedded
	}
	return l.line("", inner)
}

// dataURL appends the text that a data: URL holds (RFC 2397).
func (l *lines) dataURL(value string) error {
	value = strings.TrimSpace(value)
	if len(value) < 5 || !strings.EqualFold(value[:5], "data:") {
		return nil
	}
	head, body, ok := strings.Cut(value[5:], ",")
	if ok && !strings.HasPrefix(strings.ToLower(head), "text/") && head != "" {
		return ErrEmbedded
	}
	if strings.HasSuffix(strings.ToLower(head), ";base64") {
		return l.embedded(body, true)
	}
	return nil // the URL itself stands in the text
}

// blocks looks for encoded files that stand in text in lines, as in a pasted
// e-mail.
func (l *lines) blocks(text string) error {
	run, pending := 0, &strings.Builder{}
	flush := func() error {
		defer pending.Reset()
		if run < blockLines {
			return nil
		}
		return l.decoded(pending.String())
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if len(line) >= longToken && !strings.ContainsAny(line, " \t") {
			if err := l.embedded(line, false); err != nil {
				return err
			}
		}
		if full := len(line) >= blockWidth; base64Only(line) && !hexOnly(line) && (full || run > 0 && line != "") {
			pending.WriteString(line)
			if run++; full {
				continue
			}
		}
		if err := flush(); err != nil {
			return err
		}
		run = 0
	}
	return flush()
}

func base64Only(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		b := body[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '+' && b != '/' && b != '-' && b != '_' {
			return false
		}
	}
	return body != ""
}

// hexOnly: digests and ids in hex are in the alphabet of base64 too, and so are
// rules that people draw with one character.
func hexOnly(s string) bool {
	same := true
	for i := range len(s) {
		if s[i] != s[0] {
			same = false
			break
		}
	}
	if same {
		return true
	}
	for i := range len(s) {
		b := s[i]
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') && (b < 'A' || b > 'F') {
			return false
		}
	}
	return true
}
