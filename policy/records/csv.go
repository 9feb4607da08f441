package records

import (
	"encoding/csv"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/phimail/sdk/policy"
)

// columns of CSV, in the order in which WriteCSV writes them.
var columns = [...]string{"id", "tenant", "kind", "withdrawn", "patient", "address", "modes", "by", "at", "wording", "source", "expires"}

// maxRows bounds an import.
const maxRows = 5_000_000

// formula begins a cell that a spreadsheet would execute (CWE-1236), and
// guard before it makes it text. The guard is also put before a guard, so that
// every value comes back as it was.
const (
	formula = "=+-@\t\r\n"
	guard   = "'"
)

// WriteCSV writes records with a line of headings. Cells that a spreadsheet
// would take for a formula get a "'" in front.
func WriteCSV(w io.Writer, records iter.Seq2[policy.Record, error]) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180 section 2
	if err := out.Write(columns[:]); err != nil {
		return err
	}
	for r, err := range records {
		if err != nil {
			return err
		}
		l := toLine(&r)
		withdrawn := ""
		if l.Withdrawn {
			withdrawn = "true"
		}
		cells := []string{l.ID, l.Tenant, l.Kind, withdrawn, l.Patient, l.Address, strings.Join(l.Modes, " "), l.By, l.At, l.Wording, l.Source, l.Expires}
		for i, c := range cells {
			if c != "" && strings.IndexByte(formula+guard, c[0]) >= 0 {
				cells[i] = guard + c
			}
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ReadCSV reads what WriteCSV writes, or a table with some of its columns in any
// order, of which kind and one of address and patient are needed. Empty cells
// are as if they were not there. The first error ends it: an *Error,
// whose Index is the row, from 0, that the table has after its headings.
func ReadCSV(r io.Reader) iter.Seq2[policy.Record, error] {
	return func(yield func(policy.Record, error) bool) {
		in := csv.NewReader(&stripBOM{r: r})
		in.ReuseRecord = true
		in.TrimLeadingSpace = true
		headings, err := readHeadings(in)
		if err != nil {
			yield(policy.Record{}, err)
			return
		}
		for row := 0; ; row++ {
			cells, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			rec, err := readRow(row, headings, cells, err)
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

func readHeadings(in *csv.Reader) ([]string, error) {
	cells, err := in.Read()
	if err != nil {
		return nil, &Error{Field: "headings", Reason: "no CSV with a line of headings"}
	}
	var headings []string
	for _, c := range cells {
		c = strings.ToLower(strings.TrimSpace(c))
		if !knownField(c) || slices.Contains(headings, c) {
			return nil, &Error{Field: "headings", Reason: "one is not known, or stands twice; use " + strings.Join(columns[:], ", ")}
		}
		headings = append(headings, c)
	}
	return headings, nil
}

func readRow(row int, headings, cells []string, err error) (policy.Record, error) {
	fault := func(field, reason string) (policy.Record, error) {
		return policy.Record{}, &Error{Index: row, Field: field, Reason: reason}
	}
	if err != nil {
		return fault("row", "not CSV, or with more or fewer cells than headings")
	}
	if row >= maxRows {
		return fault("row", "more rows than "+strconv.Itoa(maxRows))
	}
	var l line
	for i, c := range cells {
		if len(c) > MaxLine {
			return fault(headings[i], "longer than 16 KiB")
		}
		if len(c) > 1 && strings.HasPrefix(c, guard) && strings.IndexByte(formula+guard, c[1]) >= 0 {
			c = c[1:]
		}
		if !l.set(headings[i], c) {
			return fault(headings[i], `neither "true" nor "false"`)
		}
	}
	rec, err := l.record()
	if re, ok := errors.AsType[*Error](err); ok {
		re.Index = row
	}
	return rec, err
}

func (l *line) set(column, value string) bool {
	value = strings.Clone(value)
	switch column {
	case "withdrawn":
		b, err := strconv.ParseBool(strings.ToLower(value))
		l.Withdrawn = b
		return err == nil || value == ""
	case "modes":
		l.Modes = strings.Fields(value)
		return true
	}
	*map[string]*string{
		"id": &l.ID, "tenant": &l.Tenant, "kind": &l.Kind, "patient": &l.Patient, "address": &l.Address, "by": &l.By,
		"at": &l.At, "wording": &l.Wording, "source": &l.Source, "expires": &l.Expires,
	}[column] = value
	return true
}

// stripBOM leaves out the byte order mark that spreadsheets put before UTF-8.
type stripBOM struct {
	r       io.Reader
	checked bool
}

func (s *stripBOM) Read(p []byte) (int, error) {
	if s.checked {
		return s.r.Read(p)
	}
	s.checked = true
	const bom = "\xef\xbb\xbf"
	head := make([]byte, len(bom))
	n, err := io.ReadFull(s.r, head)
	if n == len(bom) && string(head) == bom {
		return s.r.Read(p)
	}
	s.r = io.MultiReader(strings.NewReader(string(head[:n])), s.r)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return s.r.Read(p)
}
