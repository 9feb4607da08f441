package extract

import (
	"mime"
	"path"
	"strings"
)

// format is how a file is read.
type format uint8

const (
	formatNone format = iota
	formatText
	formatFolded // iCalendar and vCard: lines are folded
	formatCSV
	formatHTML
	formatJSON
	formatXML
	formatHL7
	// Text that looks so.
	formatLikeJSON
	formatLikeXML
)

var byType = map[string]format{
	"text/plain": formatText, "text/markdown": formatText, "text/x-log": formatText,
	"text/calendar": formatFolded, "text/vcard": formatFolded, "text/x-vcard": formatFolded,
	"text/csv": formatCSV, "application/csv": formatCSV, "text/tab-separated-values": formatCSV,
	"text/html": formatHTML, "application/xhtml+xml": formatHTML,
	"application/json": formatJSON, "text/json": formatJSON, "application/fhir+json": formatJSON,
	"application/x-ndjson": formatJSON, "application/fhir+ndjson": formatJSON,
	"application/xml": formatXML, "text/xml": formatXML, "application/fhir+xml": formatXML, "application/cda+xml": formatXML,
	"application/hl7-cda+xml": formatXML, "application/hl7-sda+xml": formatXML,
	"application/hl7-v2": formatHL7, "application/edi-hl7": formatHL7, "x-application/hl7-v2+er7": formatHL7, "text/hl7": formatHL7,
}

var byExtension = map[string]format{
	".txt": formatText, ".text": formatText, ".log": formatText, ".md": formatText,
	".ics": formatFolded, ".vcf": formatFolded,
	".csv": formatCSV, ".tsv": formatCSV, ".tab": formatCSV,
	".html": formatHTML, ".htm": formatHTML, ".xhtml": formatHTML,
	".json": formatJSON, ".ndjson": formatJSON, ".jsonl": formatJSON,
	".xml": formatXML, ".cda": formatXML, ".ccda": formatXML, ".ccd": formatXML,
	".hl7": formatHL7, ".er7": formatHL7,
}

// formatOf says how to read a file by its media type, and by the extension of
// its name where the type says little. A type or an extension that is not known
// means that the file is not read.
func formatOf(name, contentType string) (format, string) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		return formatNone, ""
	}
	charset := strings.ToLower(params["charset"])
	extension := strings.ToLower(path.Ext(name))
	switch media {
	case "", "application/octet-stream":
		return byExtension[extension], charset
	case "text/plain":
		if f := byExtension[extension]; f != formatNone {
			return f, charset
		}
		return formatText, charset
	}
	if f := byType[media]; f != formatNone {
		return f, charset
	}
	switch {
	case strings.HasSuffix(media, "+json"):
		return formatJSON, charset
	case strings.HasSuffix(media, "+xml") && !strings.HasPrefix(media, "image/"):
		// A drawing can show what its text doesn't say.
		return formatXML, charset
	}
	return formatNone, ""
}

// refine looks at what plain text begins with: exports are often sent as
// text/plain.
func refine(f format, text string) format {
	if f != formatText {
		return f
	}
	head := strings.TrimLeft(text[:min(len(text), 512)], "\ufeff \t\r\n\v")
	lower := strings.ToLower(head)
	switch {
	case isHL7(head):
		return formatHL7
	case strings.HasPrefix(head, "{"), strings.HasPrefix(head, "["):
		return formatLikeJSON
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"):
		return formatHTML
	case strings.HasPrefix(lower, "<?xml"), strings.HasPrefix(lower, "<clinicaldocument"):
		return formatLikeXML
	}
	return f
}

// unfold joins the folded lines of iCalendar and vCard (RFC 5545 section 3.1).
func unfold(text string) string {
	return strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(text)
}
