package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// collector gathers what is known of each word and phrase.
type collector struct {
	entries  map[string]vocab.Entry // by words, joined by a space
	spelled  []string
	stems    []stem
	lexicon  []string // English words
	frequent map[string]bool
	borne    map[string]bool // common names
	zips     []int
	areas    []int
}

// stem is the beginning of a family of words.
type stem struct {
	text string
	set  vocab.Set
}

func newCollector() *collector {
	return &collector{entries: map[string]vocab.Entry{}, borne: map[string]bool{}, frequent: map[string]bool{}}
}

// fold lowers s and takes its accents off, as the detector does.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'ø':
			b.WriteByte('o')
		case r == 'ł':
			b.WriteByte('l')
		case r == 'đ':
			b.WriteByte('d')
		case r == 'ı':
			b.WriteByte('i')
		case r == 'ß':
			b.WriteString("ss")
		case r == 'æ':
			b.WriteString("ae")
		case r == '’':
			b.WriteByte('\'')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// words splits as the detector's reader does: an apostrophe inside a word
// belongs to it, all other signs part words.
func words(s string) []string {
	return strings.FieldsFunc(fold(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
	})
}

func (c *collector) add(term string, set vocab.Set, label vocab.Label) {
	w := words(term)
	if len(w) == 0 || len(w) > maxPhrase {
		return
	}
	c.mark(w, set, label)
	for n := 1; n < len(w); n++ {
		mark := vocab.Prefix
		if n == 1 {
			mark = vocab.Starts
		}
		c.mark(w[:n], mark, 0)
		c.mark(w[n:n+1], vocab.Follows, 0)
	}
}

// maxPhrase is the greatest number of words in a phrase.
const maxPhrase = 6

func (c *collector) mark(w []string, set vocab.Set, label vocab.Label) {
	key := strings.Join(w, " ")
	e := c.entries[key]
	e.Set |= set
	if e.Label == 0 {
		e.Label = label
	}
	c.entries[key] = e
}

// terms reads the files of the folder: a section begins with the kinds of its
// terms in brackets, the terms are parted by commas.
func (c *collector) terms(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no term files in %s", dir)
	}
	slices.Sort(files)
	for _, f := range files {
		if err := c.file(f); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(f), err)
		}
	}
	return nil
}

func (c *collector) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var set vocab.Set
	var label vocab.Label
	family := false
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			line, family = strings.CutPrefix(strings.Trim(line, "[]"), "stem ")
			if set, label, err = section(line); err != nil {
				return err
			}
		default:
			for t := range strings.SplitSeq(line, ",") {
				if t = strings.TrimSpace(t); family && t != "" {
					c.stems = append(c.stems, stem{t, set})
				} else {
					c.term(t, set, label)
				}
			}
		}
	}
	return in.Err()
}

func (c *collector) term(t string, set vocab.Set, label vocab.Label) {
	if t == "" {
		return
	}
	c.add(t, set, label)
	if w := words(t); len(w) == 1 && set&(vocab.Dx|vocab.Drug|vocab.Proc|vocab.Sym|vocab.Lab) != 0 && set&vocab.Weak == 0 {
		c.spelled = append(c.spelled, w[0])
	}
}

func section(s string) (set vocab.Set, label vocab.Label, err error) {
	for f := range strings.FieldsSeq(s) {
		if l, ok := strings.CutPrefix(f, "label="); ok {
			if label, ok = labelNames[l]; !ok {
				return 0, 0, fmt.Errorf("there is no label %q", l)
			}
			continue
		}
		k, ok := kindNames[f]
		if !ok {
			return 0, 0, fmt.Errorf("there is no kind %q", f)
		}
		set |= k
	}
	if label != 0 || set != 0 {
		return set, label, nil
	}
	return 0, 0, errors.New("an empty section")
}

func (c *collector) build() ([]byte, error) {
	s := &vocab.Source{Terms: map[uint64]vocab.Entry{}, Hot: map[uint64]bool{}, ZIPs: c.zips, Areas: c.areas, Phones: phoneLengths()}
	for key, e := range c.entries {
		w := strings.Split(key, " ")
		h := vocab.Hash(w[0])
		for _, next := range w[1:] {
			h = vocab.Join(h, vocab.Hash(next))
		}
		if _, twice := s.Terms[h]; twice {
			return nil, fmt.Errorf("%q has the hash of another", key)
		}
		s.Terms[h] = e
		// Words of health and of grammar, and the commonest of English.
		if e.Set&^(vocab.First|vocab.Last|vocab.City|vocab.Common|vocab.Starts|vocab.Prefix|vocab.Eponym|vocab.Follows) != 0 || e.Label != 0 || c.frequent[key] || len(w) > 1 && e.Set&vocab.City == 0 {
			s.Hot[h] = true
		}
	}
	for _, w := range c.spelled {
		if len(w) >= 7 {
			s.Spelled = append(s.Spelled, w)
		}
	}
	return vocab.Build(s)
}

var labelNames = map[string]vocab.Label{
	"name": vocab.Name, "patient": vocab.Patient, "provider": vocab.Provider, "dob": vocab.DOB, "mrn": vocab.MRN, "plan": vocab.Plan,
	"account": vocab.Account, "ssn": vocab.SSN, "phone": vocab.Phone, "fax": vocab.Fax, "email": vocab.Email, "address": vocab.Address,
	"city": vocab.Place, "license": vocab.License, "vehicle": vocab.Vehicle, "device": vocab.Device, "ip": vocab.IP, "url": vocab.URL,
	"other": vocab.Other, "age": vocab.Age, "date": vocab.Date,
	"bio": vocab.NoLabel, "photo": vocab.NoLabel,
}

var kindNames = map[string]vocab.Set{
	"common": vocab.Common, "city": vocab.City, "state": vocab.State, "stabbr": vocab.StateAb, "country": vocab.Country,
	"month": vocab.Month, "day": vocab.Day, "title": vocab.Title, "drtitle": vocab.DrTitle, "cred": vocab.Cred, "street": vocab.Street, "apt": vocab.Apt,
	"facility": vocab.Facility, "facname": vocab.FacName, "org": vocab.Org, "prep": vocab.Prep, "nonname": vocab.NonName,
	"dx": vocab.Dx, "sym": vocab.Sym, "drug": vocab.Drug, "proc": vocab.Proc, "lab": vocab.Lab, "vital": vocab.Vital, "spec": vocab.Spec,
	"anat": vocab.Anat, "care": vocab.Care, "ins": vocab.Ins, "route": vocab.Route, "unit": vocab.Unit, "weak": vocab.Weak,
	"mental": vocab.Mental, "sud": vocab.SUD, "hiv": vocab.HIV, "repro": vocab.Repro, "gen": vocab.Genetic, "minor": vocab.Minor, "opioid": vocab.Opioid, "elsewhere": vocab.Elsewhere, "visit": vocab.Visit,
	"he": vocab.He, "you": vocab.You, "me": vocab.Me, "we": vocab.Common, "genericpl": vocab.GenericPl, "article": vocab.Article, "kin": vocab.Kin,
	"gender": vocab.Gender, "agew": vocab.AgeWord, "evid": vocab.Evid, "clin": vocab.Clin, "event": vocab.Event, "salute": vocab.Salute,
	"closing": vocab.Closing, "staff": vocab.Staff, "disclaim": vocab.Disclaim, "reldate": vocab.RelDate, "code": vocab.Code,
	"bio": vocab.Bio, "photo": vocab.Photo, "eponym": vocab.Eponym,
}
