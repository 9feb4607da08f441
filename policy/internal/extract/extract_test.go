package extract

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(name, contentType, content string) File {
	return File{Name: name, ContentType: contentType, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

func TestTextOfEachFormat(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct {
		file File
		want []string
	}{
		"plain text stays as it is":      {file("a.txt", "text/plain", "Ada Day,\r\n HIV"), []string{"Ada Day,\r\n HIV"}},
		"a charset is decoded":           {file("a.txt", "text/plain; charset=iso-8859-1", "Zo\xeb"), []string{"Zoë"}},
		"UTF-16 with a mark":             {file("a.txt", "", "\xff\xfeA\x00d\x00a\x00"), []string{"Ada"}},
		"a mark of UTF-8 goes":           {file("a.csv", "", "\xef\xbb\xbfname;mrn\nDay;4711\n"), []string{"name: Day\nmrn: 4711\n"}},
		"CSV":                            {file("a.csv", "text/csv", "name,mrn\n\"Day, Ada\",4711\n"), []string{"name\tmrn\n", "name: Day, Ada\n", "mrn: 4711\n"}},
		"tabs":                           {file("a.tsv", "", "name\tmrn\nAda\t4711\n"), []string{"name: Ada\nmrn: 4711\n"}},
		"CSV that is none is text":       {file("a.csv", "", "a,\"b\nAda\" x,y"), []string{"Ada"}},
		"HTML":                           {file("a.html", "text/html", `<p title="t1">A<b>d</b>a&nbsp;D&#97;y<!-- c1 --><td>x</td><script>var s="s1"</script><img alt="a1">`), []string{"title: t1", "Ada\u00a0Day", "comment: c1", "s1", "alt: a1"}},
		"JSON":                           {file("a.json", "", `{"name":[{"family":"Day","given":["Ada"]}],"deceased":false,"n":1.50,"Bea":{}}`), []string{"name.family: Day\n", "name.given: Ada\n", "deceased: false", "n: 1.50", "Bea:"}},
		"JSON escapes":                   {file("a.json", "application/fhir+json", `{"name":"\u0041da"}`), []string{"name: Ada"}},
		"JSON lines":                     {file("a.ndjson", "", "{\"a\":\"1\"}\n{\"a\":\"2\"}\n"), []string{"a: 1", "a: 2"}},
		"FHIR narrative":                 {file("a.json", "", `{"text":{"div":"<div>A<i>d</i>a</div>"}}`), []string{"\nAda\n"}},
		"FHIR attachment with text":      {file("a.json", "", `{"attachment":{"contentType":"text/plain","data":"`+b64([]byte("Ada has HIV"))+`"}}`), []string{"Ada has HIV"}},
		"JSON as text/plain":             {file("export", "text/plain", ` {"name":"\u0041da"}`), []string{"name: Ada"}},
		"what only looks like JSON":      {file("a.txt", "text/plain", "[draft] Ada"), []string{"[draft] Ada"}},
		"C-CDA":                          {file("a.xml", "text/xml", `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><name><given>Ada</given></name><birthTime value="19700101"/><!--c1--><code displayName="HIV &amp; more"/></ClinicalDocument>`), []string{"name.given: Ada", "birthTime.value: 19700101", "comment: c1", "code.displayName: HIV & more"}},
		"text split by children":         {file("a.xml", "", "<p>Ada <b>x</b>Day</p>"), []string{"p: Ada Day"}},
		"XML in its own charset":         {file("a.xml", "", "<?xml version='1.0' encoding='ISO-8859-1'?><a>Zo\xeb</a>"), []string{"a: Zoë"}},
		"C-CDA with text inside":         {file("a.xml", "", `<a><text representation="B64">`+b64([]byte("Ada"))+`</text></a>`), []string{"\nAda\n"}},
		"HL7":                            {file("a.hl7", "", "MSH|^~\\&|LAB|X\rPID|1||4711^^^H||DAY^ADA||19700101\rOBX|1|TX|1^Note||HIV \\T\\ more~second\r"), []string{"PID-3 MRN: 4711", "PID-5 patient name: DAY ADA", "PID-7 date of birth: 19700101", "OBX-5 result: HIV & more\n", "OBX-5 result: second"}},
		"HL7 in a frame, as text/plain":  {file("a.txt", "text/plain", "MSH|^~\\&|LAB\nPID|1||4711\n"), []string{"PID-3 MRN: 4711"}},
		"HL7 with separators of its own": {file("a.hl7", "", "MSH#*~\\&#LAB\rPID#1##4711##DAY*ADA\r"), []string{"PID-5 patient name: DAY ADA"}},
		"HL7 with MLLP's bytes":          {file("a.hl7", "application/hl7-v2", "\x0bMSH|^~\\&|LAB\rPID|1||4711\r\x1c\r"), []string{"PID-3 MRN: 4711"}},
		"HL7 with encoded text":          {file("a.hl7", "", "MSH|^~\\&|LAB\rOBX|1|ED|x||S^TEXT^plain^Base64^"+b64([]byte("Ada"))+"\r"), []string{"\nAda\n"}},
		"a folded calendar":              {file("a.ics", "text/calendar", "SUMMARY:Visit of Ad\r\n a Day\r\n"), []string{"Visit of Ada Day"}},
		"text in base64 in text":         {file("a.txt", "text/plain", b64([]byte(strings.Repeat("Ada has HIV. ", 20)))), []string{"Ada has HIV."}},
		"digests are no files":           {file("a.txt", "text/plain", strings.Repeat("0123456789abcdef", 16)), []string{"0123"}},
	} {
		got, err := Read(t.Context(), c.file, Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing in %q", name, want, got)
			}
		}
	}
}

func TestWhatCanNotBeReadWholeIsRefused(t *testing.T) {
	t.Parallel()
	picture := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("\x89PNG\x00\xff\xfe"), 60))
	mail := picture
	for i := 76; i < len(mail); i += 78 {
		mail = mail[:i] + "\r\n" + mail[i:]
	}
	for name, c := range map[string]struct {
		file File
		want Reason
	}{
		"PDF":                        {file("a.pdf", "application/pdf", "%PDF-1.7"), ErrKind},
		"a zip":                      {file("a.zip", "application/zip", "PK\x03\x04"), ErrKind},
		"a zip named as text":        {file("a.txt", "text/plain", "PK\x03\x04"), ErrKind},
		"a PDF named as CSV":         {file("a.csv", "", "%PDF-1.7"), ErrKind},
		"RTF":                        {file("a.txt", "text/plain", `{\rtf1 Ada}`), ErrKind},
		"a picture":                  {file("a.svg", "image/svg+xml", "<svg/>"), ErrKind},
		"an unknown type":            {file("a.bin", "", "Ada"), ErrKind},
		"a type that is no type":     {file("a.txt", "text/;;", "Ada"), ErrKind},
		"no extension":               {file("a", "application/octet-stream", "Ada"), ErrKind},
		"control characters":         {file("a.txt", "", "Ada\x00"), ErrBinary},
		"no UTF-8":                   {file("a.txt", "", "Zo\xeb"), ErrCharset},
		"an unknown charset":         {file("a.txt", "text/plain; charset=utf-7", "+AGEAZABh-"), ErrCharset},
		"odd UTF-16":                 {file("a.txt", "", "\xff\xfeA"), ErrCharset},
		"XML that is none":           {file("a.xml", "", "<a>"), ErrMalformed},
		"elements that cross":        {file("a.xml", "", "<a><b></a></b>"), ErrMalformed},
		"a billion laughs":           {file("a.xml", "", `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><l>&b;</l>`), ErrMalformed},
		"an external entity":         {file("a.xml", "", `<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>`), ErrMalformed},
		"an entity without a type":   {file("a.xml", "", `<l>&a;</l>`), ErrMalformed},
		"deep XML":                   {file("a.xml", "", strings.Repeat("<a>", 10000)), ErrDepth},
		"deep JSON":                  {file("a.json", "", strings.Repeat("[", 100_000)), ErrDepth},
		"JSON that ends early":       {file("a.json", "", `{"a":`), ErrMalformed},
		"a cut JSON":                 {file("a.json", "", `{"a":1`), ErrMalformed},
		"HL7 that is none":           {file("a.hl7", "", "Ada"), ErrMalformed},
		"a picture in FHIR":          {file("a.json", "", `{"data":"`+base64.StdEncoding.EncodeToString([]byte("\x89PNG\x00\xff"))+`"}`), ErrEmbedded},
		"a long value in JSON":       {file("a.json", "", `{"x":"`+picture+`"}`), ErrEmbedded},
		"a picture in HTML":          {file("a.html", "", `<img src="data:image/png;base64,`+picture+`">`), ErrEmbedded},
		"a picture in C-CDA":         {file("a.xml", "", `<a><text representation="B64">iVBORw0KGgo=</text></a>`), ErrEmbedded},
		"a picture in HL7":           {file("a.hl7", "", "MSH|^~\\&|LAB\rOBX|1|ED|x||S^IM^png^Base64^iVBORw0KGgo=\r"), ErrEmbedded},
		"a pointer in HL7":           {file("a.hl7", "", "MSH|^~\\&|LAB\rOBX|1|RP|x||http://pacs.example/1\r"), ErrEmbedded},
		"a picture in a pasted mail": {file("a.txt", "text/plain", "see\n"+mail+"\nend"), ErrEmbedded},
		"a picture in one long line": {file("a.txt", "text/plain", "see\n"+picture+"\nend"), ErrEmbedded},
		"a zip in a cell":            {file("a.csv", "", "x,y\n1,"+picture+"\n"), ErrEmbedded},
		"what fails to open":         {File{Name: "a.txt", Open: func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }}, ErrSource},
		"what fails in the middle": {File{Name: "a.txt", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("Ada"), broken{})), nil
		}}, ErrSource},
		"what has no reader":          {File{Name: "a.txt"}, ErrKind},
		"text that grows too much":    {file("a.csv", "", strings.Repeat("h", 60)+"\n"+strings.Repeat("1\n", 1<<20)), ErrSize},
		"an attachment of 100 MB":     {File{Name: "a.txt", Open: func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros{}, 100<<20)), nil }}, ErrSize},
		"more than 8 MiB of real CSV": {file("a.csv", "", strings.Repeat("name,mrn\n", 1<<20)), ErrSize},
	} {
		text, err := Read(t.Context(), c.file, Limits{})
		if !errors.Is(err, c.want) || text != "" {
			t.Errorf("%s: %q, %v; want %v", name, text[:min(len(text), 60)], err, c.want)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("x") }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// A zip, gzip or XML bomb costs no more than its own bytes, and a file of 100 MB
// no more than the limit.
func TestMemoryIsBounded(t *testing.T) { //nolint:paralleltest // it measures what is allocated
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := io.Copy(w, io.LimitReader(zeros{}, 50<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]File{
		"100 MB":    {Name: "a.csv", Open: func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros{}, 100<<20)), nil }},
		"gzip bomb": file("a.txt", "text/plain", bomb.String()),
		"many tags": file("a.xml", "", "<a>"+strings.Repeat("<b c='d'/>", 80_000)+"</a>"),
		"many keys": file("a.json", "", "["+strings.Repeat(`{"k":1},`, 100_000)+"0]"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(t.Context(), f, Limits{})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
			t.Errorf("%s: %d MiB allocated, %v", name, n>>20, err)
		}
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, file("a.txt", "", "Ada"), Limits{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"MSH|^~\\&|LAB\rPID|1||4711^^^H||DAY^ADA\rOBX|1|ED|x||S^TEXT^plain^Base64^QWRh\r", `{"a":[1,{"b":"\u0041"}],"data":"QWRhIGhhcyBISVY="}`,
		"<a b='c'>d<e/>&amp;<!--x--></a>", "a,b\n\"c\nd\",e", "<p a=b>c</p><!-- d -->", "\xff\xfeA\x00", strings.Repeat("QWRhIGhhcyBISVY=", 20),
	} {
		for _, name := range []string{"a.txt", "a.csv", "a.html", "a.json", "a.xml", "a.hl7", "a.ics"} {
			f.Add(name, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		l := Limits{Input: 1 << 16, Text: 1 << 18, Depth: 20}
		text, err := Read(t.Context(), file(name, "", string(content)), l)
		if _, ok := errors.AsType[Reason](err); err != nil && !ok {
			t.Errorf("an untyped error: %v", err)
		}
		if len(text) > l.Text {
			t.Errorf("%d bytes of text", len(text))
		}
	})
}
