package portal

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

//go:embed texts
var builtIn embed.FS

const (
	maxTexts     = 64 << 10 // bytes of a file
	maxLanguages = 50
)

// catalog is the wording of the page in one language.
type catalog struct {
	tag   language.Tag
	texts map[string]string
}

// catalogs are the built-in languages and those of the host, English first. What
// a file of the host leaves out is taken from the built-in language, or English.
func catalogs(host fs.FS) ([]catalog, error) {
	all, err := readTexts(builtIn, "texts", nil)
	if err != nil || len(all) == 0 || all[0].tag != language.English {
		return nil, fmt.Errorf("portal: the built-in texts are damaged: %w", err)
	}
	if host == nil {
		return all, nil
	}
	return readTexts(host, ".", all)
}

// readTexts reads each file of dir over what is known.
func readTexts(files fs.FS, dir string, known []catalog) ([]catalog, error) {
	names, err := fs.Glob(files, path.Join(dir, "*.json"))
	if err != nil || len(names) > maxLanguages {
		return nil, &FieldError{Field: "Texts", Problem: fmt.Sprintf("has more than %d files", maxLanguages)}
	}
	for _, name := range names {
		tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".json"))
		if err != nil {
			return nil, &FieldError{Field: "Texts", Problem: "a file's name is no language tag; use names such as fr.json"}
		}
		own, err := readCatalog(files, name)
		if err != nil {
			return nil, &FieldError{Field: "Texts", Problem: "the file for " + tag.String() + " " + err.Error()}
		}
		i := slices.IndexFunc(known, func(c catalog) bool { return c.tag == tag })
		if i < 0 {
			known = append(known, catalog{tag: tag})
			i = len(known) - 1
		}
		if err := known[i].take(own, known[0].texts, tag); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// take sets the texts of a file, and fills what is missing from base.
func (c *catalog) take(own, base map[string]string, tag language.Tag) error {
	if c.texts == nil {
		c.texts = map[string]string{}
		maps.Copy(c.texts, base)
	}
	for key, text := range own {
		if base != nil && base[key] == "" {
			return &FieldError{Field: "Texts", Problem: "the file for " + tag.String() +
				" has a key that the page does not know; see texts/en.json for those that it does"}
		}
		c.texts[key] = text
	}
	return nil
}

func readCatalog(files fs.FS, name string) (map[string]string, error) {
	info, err := fs.Stat(files, name)
	if err != nil || info.Size() > maxTexts {
		return nil, fmt.Errorf("can't be read, or is over %d bytes", maxTexts)
	}
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, errors.New("can't be read")
	}
	var texts map[string]string
	if json.Unmarshal(content, &texts) != nil {
		return nil, errors.New("is no JSON object of strings")
	}
	for _, text := range texts {
		if text == "" {
			return nil, errors.New("has an empty text; leave the key out instead")
		}
	}
	return texts, nil
}

// named puts the host's name into the texts.
func (c *catalog) named(name string) map[string]string {
	texts := make(map[string]string, len(c.texts))
	for key, text := range c.texts {
		texts[key] = strings.ReplaceAll(text, "{name}", name)
	}
	return texts
}

// spoken are the texts that the page's script fills in, as JSON.
func spoken(texts map[string]string) (string, error) {
	said := map[string]string{}
	for key, text := range texts {
		if name, ok := strings.CutPrefix(key, "say_"); ok {
			said[name] = text
		}
	}
	b, err := json.Marshal(said)
	return string(b), err
}
