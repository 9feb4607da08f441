package extract

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// maxLabel is what of a column's heading stands before each of its values. The
// headings themselves are written whole.
const maxLabel = 64

// csv appends a table: the first row as it is, then each value with the heading
// of its column. What does not parse is kept as text.
func (l *lines) csv(text string) error {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = delimiter(text), -1, true
	var headings []string
	for row := 0; ; row++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			l.b.Reset()
			return l.plain(text)
		}
		if row == 0 {
			for _, c := range cells {
				headings = append(headings, cut(strings.TrimSpace(c)))
			}
			if err := l.line("", strings.Join(cells, "\t")); err != nil {
				return err
			}
			continue
		}
		if err := l.row(headings, cells); err != nil {
			return err
		}
	}
}

func (l *lines) row(headings, cells []string) error {
	for i, c := range cells {
		if c == "" {
			continue
		}
		label := ""
		if i < len(headings) {
			label = headings[i]
		}
		if err := l.line(label, c); err != nil {
			return err
		}
		if err := l.embedded(c, false); err != nil {
			return err
		}
	}
	return l.add("\n")
}

func cut(s string) string {
	if len(s) <= maxLabel {
		return s
	}
	return strings.ToValidUTF8(s[:maxLabel], "")
}

// delimiter is the candidate that stands most often in the first line.
func delimiter(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	best, most := ',', 0
	for _, d := range []rune{',', ';', '\t', '|'} {
		if n := strings.Count(first, string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}
