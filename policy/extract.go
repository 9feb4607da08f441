package policy

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/phimail/sdk/policy/internal/extract"
)

// ErrUnread says that an attachment's text is not known, so that it counts as
// PHI. An [Extractor] returns it for files that are not of its kind.
var ErrUnread = errors.New("policy: the attachment can't be read")

// Extractor reads the text of attachments that the built-in formats do not
// cover, such as PDF. Implementations are safe for concurrent use, bound their
// time and memory, end with ctx, and return ErrUnread for files that they do
// not read whole.
type Extractor interface {
	Extract(ctx context.Context, a Attachment) (string, error)
}

// ExtractError is why an attachment was not read. It matches [ErrUnread].
type ExtractError struct {
	// Code is "attachment-" and "kind", "size", "depth", "malformed", "binary",
	// "charset", "embedded" (a file within it), "source" (it can't be opened),
	// "extractor" (a host's failed) or "timeout". It is made for
	// Classification.Codes.
	Code string
}

// Error gives the code.
func (e *ExtractError) Error() string { return "policy: the attachment counts as PHI: " + e.Code }

// Is matches ErrUnread.
func (e *ExtractError) Is(target error) bool { return target == ErrUnread }

// maxExtracted bounds the text of one attachment, in bytes.
const maxExtracted = 16 << 20

// Extract returns the text of a for a classifier: of text files as it stands,
// of CSV, HTML, JSON (FHIR), XML (C-CDA) and HL7 v2 one "label: value" a line.
// It reads at most 8 MiB, in bounded time and memory, and only what it can read
// whole: an archive, a drawing, a file encoded within another, or one that is
// not of the format that it claims, is an error. Then hosts are asked in turn.
//
// The error is an *ExtractError, and the attachment counts as PHI.
func Extract(ctx context.Context, a Attachment, hosts ...Extractor) (string, error) {
	if a.Text != "" {
		if len(a.Text) > maxExtracted || !utf8.ValidString(a.Text) {
			return "", &ExtractError{Code: "attachment-size"}
		}
		return a.Text, nil
	}
	text, err := readPlain(ctx, a)
	if err == nil {
		return text, nil
	}
	for _, h := range hosts {
		if ctx.Err() != nil {
			break
		}
		text, hostErr := guardExtract(ctx, h, a)
		switch {
		case hostErr == nil && len(text) <= maxExtracted && utf8.ValidString(text):
			return text, nil
		case !errors.Is(hostErr, ErrUnread):
			err = &ExtractError{Code: "attachment-extractor"}
		}
	}
	if ctx.Err() != nil {
		return "", &ExtractError{Code: "attachment-timeout"}
	}
	return "", err
}

// readPlain reads the built-in formats. A panic of the host's reader is an
// error.
func readPlain(ctx context.Context, a Attachment) (text string, err error) {
	defer func() {
		if recover() != nil {
			text, err = "", &ExtractError{Code: "attachment-source"}
		}
	}()
	text, err = extract.Read(ctx, extract.File{Name: a.Name, ContentType: a.ContentType, Open: a.Open}, extract.Limits{Text: maxExtracted})
	if err == nil {
		return text, nil
	}
	if reason, ok := errors.AsType[extract.Reason](err); ok {
		return "", &ExtractError{Code: "attachment-" + string(reason)}
	}
	return "", &ExtractError{Code: "attachment-timeout"}
}

func guardExtract(ctx context.Context, h Extractor, a Attachment) (text string, err error) {
	defer func() {
		if recover() != nil {
			text, err = "", errors.New("policy: the extractor panicked")
		}
	}()
	if h == nil {
		return "", ErrUnread
	}
	return h.Extract(ctx, a)
}
