package policy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Term are words or a pattern of the organisation's own that say what a message
// holds.
type Term struct {
	// Name is its code: a message in which it is found has the code
	// "term-NAME".
	Name string
	// Words are found as whole words without regard to case.
	Words []string
	// Pattern is a regular expression (RE2, which takes linear time).
	Pattern string
	// Category is the specially protected category that it means, 0 if none.
	Category Category
	// Harmless says that finding it makes the message no PHI by itself; it
	// still has the code, for rules.
	Harmless bool
}

// Limits of terms.
const (
	maxTerms     = 1000
	maxTermWords = 1000
	maxPattern   = 1 << 10
	maxTermText  = 16 << 20 // bytes that are searched of one message
	maxFindings  = 1000
)

// Terms are a [Classifier] that looks for terms in the subject, the bodies, the
// host's fields, and names and text of attachments. To be joined with others: what
// has no term is free of PHI as far as it can tell.
type Terms struct {
	list       []compiledTerm
	extractors []Extractor
}

type compiledTerm struct {
	Term
	code    string
	pattern []*regexp.Regexp
}

// NewTerms checks and compiles terms. extractors read attachments that are not
// read as they are; see [Extract]. Its error lists every fault.
func NewTerms(terms []Term, extractors ...Extractor) (*Terms, error) {
	var errs []error
	t := &Terms{extractors: extractors}
	if len(terms) > maxTerms {
		return nil, fmt.Errorf("policy: more than %d terms", maxTerms)
	}
	for i := range terms {
		c, err := terms[i].compile()
		if err != nil {
			errs = append(errs, fmt.Errorf("policy: Terms[%d]: %w", i, err))
			continue
		}
		t.list = append(t.list, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// compile does not repeat the pattern in its error.
func (t *Term) compile() (compiledTerm, error) {
	c := compiledTerm{Term: *t, code: "term-" + t.Name}
	switch {
	case !isCode(t.Name):
		return c, errors.New("the field Name must be of letters, digits and hyphens, at most 64")
	case len(t.Words) == 0 && t.Pattern == "":
		return c, errors.New("it needs Words or a Pattern")
	case len(t.Words) > maxTermWords:
		return c, fmt.Errorf("more than %d words", maxTermWords)
	case len(t.Pattern) > maxPattern:
		return c, fmt.Errorf("the field Pattern is longer than %d bytes", maxPattern)
	case t.Category > Minors:
		return c, errors.New("the field Category is unknown")
	}
	var words []string
	for _, w := range t.Words {
		if w = strings.TrimSpace(w); w == "" || !utf8.ValidString(w) {
			return c, errors.New("the field Words has one that is empty or not UTF-8")
		}
		words = append(words, strings.Join(mapped(strings.Fields(w), regexp.QuoteMeta), `\s+`))
	}
	if words != nil {
		// The ends are looked at by hand: \b knows ASCII letters only.
		c.pattern = append(c.pattern, regexp.MustCompile(`(?i)(?:`+strings.Join(words, "|")+`)`))
	}
	if t.Pattern != "" {
		re, err := regexp.Compile(t.Pattern)
		if err != nil {
			return c, errors.New("the field Pattern is no regular expression")
		}
		if re.MatchString("") {
			return c, errors.New("the field Pattern matches the empty text, and so everything")
		}
		c.pattern = append(c.pattern, re)
	}
	return c, nil
}

func mapped(list []string, f func(string) string) []string {
	for i := range list {
		list[i] = f(list[i])
	}
	return list
}

// Classify looks for the terms. What can't be read is an error, and so is text
// beyond 16 MiB: then nobody knows.
func (t *Terms) Classify(ctx context.Context, c *Content) (Classification, error) {
	s := termSearch{terms: t.list, found: make([]bool, len(t.list)), left: maxTermText, out: Classification{NoPHI: true}}
	fields := []struct{ name, value string }{{"subject", c.Subject}, {"text", c.Text}, {"html", c.HTML}}
	for name, value := range c.Fields {
		fields = append(fields, struct{ name, value string }{"fields." + name, value})
	}
	for i, a := range c.Attachments {
		field := fmt.Sprintf("attachments[%d]", i)
		fields = append(fields, struct{ name, value string }{field + ".name", a.Name})
		text, err := Extract(ctx, a, t.extractors...)
		if err != nil {
			return Classification{}, err
		}
		fields = append(fields, struct{ name, value string }{field, text})
	}
	for _, f := range fields {
		if err := ctx.Err(); err != nil {
			return Classification{}, err
		}
		if s.left -= len(f.value); s.left < 0 {
			return Classification{}, errors.New("policy: more text than terms are looked for in")
		}
		s.search(f.name, f.value)
	}
	return s.out, nil
}

type termSearch struct {
	terms []compiledTerm
	found []bool
	left  int
	out   Classification
}

func (s *termSearch) search(field, value string) {
	for k := range s.terms {
		t := &s.terms[k]
		for n, re := range t.pattern {
			for _, at := range re.FindAllStringIndex(value, maxFindings) {
				if n == 0 && len(t.Words) > 0 && !wholeWord(value, at[0], at[1]) {
					continue
				}
				s.hit(k, Finding{Field: field, Type: "TERM", Start: at[0], End: at[1]})
			}
		}
	}
}

func (s *termSearch) hit(k int, f Finding) {
	t := &s.terms[k]
	if !s.found[k] {
		s.found[k] = true
		s.out.Codes = append(s.out.Codes, t.code)
		if t.Category != 0 && !slices.Contains(s.out.Special, t.Category) {
			s.out.Special = append(s.out.Special, t.Category)
		}
	}
	if t.Harmless {
		return
	}
	s.out.NoPHI, s.out.Score = false, 1
	if len(s.out.Findings) < maxFindings {
		s.out.Findings = append(s.out.Findings, f)
	}
}

// wholeWord reports whether no letter or digit goes on at either end.
func wholeWord(s string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:start])
	after, _ := utf8.DecodeRuneInString(s[end:])
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	first, _ := utf8.DecodeRuneInString(s[start:])
	last, _ := utf8.DecodeLastRuneInString(s[:end])
	return !(start > 0 && inWord(before) && inWord(first)) && !(end < len(s) && inWord(after) && inWord(last))
}
