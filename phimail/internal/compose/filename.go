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
	if t, ok := extensionTypes[strings.ToLower(name[dot+1:])]; ok && dot >= 0 {
		return t
	}
	return octetStream
}

var extensionTypes = map[string]string{
	"pdf":  "application/pdf",
	"txt":  "text/plain",
	"text": "text/plain",
	"log":  "text/plain",
	"htm":  "text/html",
	"html": "text/html",
	"csv":  "text/csv",
	"ics":  "text/calendar",
	"vcf":  "text/vcard",
	"png":  "image/png",
	"jpg":  "image/jpeg",
	"jpeg": "image/jpeg",
	"gif":  "image/gif",
	"webp": "image/webp",
	"tif":  "image/tiff",
	"tiff": "image/tiff",
	"svg":  "image/svg+xml",
	"json": "application/json",
	"xml":  "application/xml",
	"rtf":  "application/rtf",
	"zip":  "application/zip",
	"gz":   "application/gzip",
	"dcm":  "application/dicom",
	"doc":  "application/msword",
	"xls":  "application/vnd.ms-excel",
	"ppt":  "application/vnd.ms-powerpoint",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"odt":  "application/vnd.oasis.opendocument.text",
	"mp3":  "audio/mpeg",
	"mp4":  "video/mp4",
}
