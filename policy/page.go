package policy

import (
	"fmt"
	"strings"
)

// Page is the rules as a page in Markdown, for people who are no programmers: what
// each does, its source, its default and how to change it. Settings shows how they
// are set up here, too.
func Page(rules []Rule, settings bool) string {
	var b strings.Builder
	b.WriteString("| rule | in short |\n|---|---|\n")
	for _, r := range rules {
		d := r.Doc()
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", d.Name, anchor(d.Name), cell(d.Title))
	}
	for _, r := range rules {
		d := r.Doc()
		fmt.Fprintf(&b, "\n## %s\n\n", d.Name)
		for _, line := range []struct{ name, text string }{
			{"", d.Title}, {"What it does", d.What}, {"Source", d.Source}, {"By default", d.Default}, {"To change it", d.Change},
		} {
			switch {
			case line.text == "":
			case line.name == "":
				fmt.Fprintf(&b, "**%s.**\n\n", cell(strings.TrimSuffix(line.text, ".")))
			default:
				fmt.Fprintf(&b, "- *%s:* %s\n", line.name, cell(line.text))
			}
		}
		if settings && d.Setting != "" && d.Setting != "-" {
			fmt.Fprintf(&b, "- *Set up here:* `%s`\n", strings.ReplaceAll(cell(d.Setting), "`", "'"))
		}
	}
	return b.String()
}

// cell keeps a text on its line and in its cell.
func cell(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "|", "\\|").Replace(s)
}

func anchor(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
}
