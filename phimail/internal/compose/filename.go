package compose

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const maxFileName = 255

// fileNameFault says what is wrong with a file name.
func fileNameFault(s string, optional bool) string {
	switch {
	case s == "" && optional:
		return ""
	case s == "":
		return "is empty; give a file name"
	case len(s) > 4*maxFileName:
		return "is too long"
	case strings.ContainsAny(s, "\r\n\x00"):
		return "has a line break or NUL"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	}
	clean := cleanFileName(s)
	if clean == "" {
		return "has nothing left without directories, control and bidi characters"
	}
	if len(clean) > maxFileName {
		return "is longer than 255 bytes"
	}
	return ""
}

// cleanFileName removes what a file name could deceive with: directories,
// control characters, characters that reverse its order ("exe.fdp" for
// "pdf.exe"), encoded words, leading dots and what Windows ignores at the end.
func cleanFileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == 0x2028 || r == 0x2029 || r == 0xFEFF || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	// Many clients decode encoded words here, although RFC 2047 section 5
	// forbids it: the name would turn into another.
	s = strings.ReplaceAll(s, "=?", "=_")
	return strings.TrimRight(strings.TrimLeft(s, ". "), ". ")
}

// asciiFileName returns a form of a clean name that any client can read, with
// accents removed and other characters replaced.
func asciiFileName(s string) string {
	var b strings.Builder
	replaced := false
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case r >= ' ' && r < 0x7F && r != '"' && r != '\\':
			b.WriteRune(r)
			replaced = false
		case !replaced:
			b.WriteByte('_')
			replaced = true
		}
	}
	return b.String()
}

// typeByExtension returns the media type that a file name's extension stands
// for. The table is ours, so that a message doesn't depend on the host's files.
func typeByExtension(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return octetStream
	}
	switch strings.ToLower(name[dot+1:]) {
	case "pdf":
		return "application/pdf"
	case "txt", "text", "log":
		return "text/plain"
	case "htm", "html":
		return "text/html"
	case "csv":
		return "text/csv"
	case "ics":
		return "text/calendar"
	case "vcf":
		return "text/vcard"
	case "png":
		return "image/png"
	case "jpg", "jpeg":
		return "image/jpeg"
	case "gif":
		return "image/gif"
	case "webp":
		return "image/webp"
	case "tif", "tiff":
		return "image/tiff"
	case "svg":
		return "image/svg+xml"
	case "json":
		return "application/json"
	case "xml":
		return "application/xml"
	case "rtf":
		return "application/rtf"
	case "zip":
		return "application/zip"
	case "gz":
		return "application/gzip"
	case "dcm":
		return "application/dicom"
	case "doc":
		return "application/msword"
	case "xls":
		return "application/vnd.ms-excel"
	case "ppt":
		return "application/vnd.ms-powerpoint"
	case "docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case "xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case "pptx":
		return "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	case "odt":
		return "application/vnd.oasis.opendocument.text"
	case "mp3":
		return "audio/mpeg"
	case "mp4":
		return "video/mp4"
	}
	return octetStream
}
