package phimail_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeFaults finds code in a README that is not the code of the examples: its
// first block must be the whole of the program send, and each other one a run of
// lines in some file. The test is in this module, since the test cache doesn't
// look at files outside of the tested one.
func readmeFaults(readme string, sources []*source) []string {
	var faults []string
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(readme, -1)
	if len(blocks) < 5 {
		return []string{"fewer code blocks than there should be: the search went wrong"}
	}
	for i, b := range blocks {
		code, _, _ := strings.Cut(b[1], "\n")
		switch {
		case i == 0 && !isFile(sources, "examples/send/main.go", b[1]):
			faults = append(faults, "the first block is not examples/send/main.go")
		case i > 0 && !inExamples(sources, b[1]):
			faults = append(faults, "not in examples: the block that begins with "+code)
		}
	}
	return faults
}

func isFile(sources []*source, name, code string) bool {
	for _, s := range sources {
		if s.path == name {
			return bytes.Equal(s.text, []byte(code))
		}
	}
	return false
}

func inExamples(sources []*source, code string) bool {
	for _, s := range sources {
		if strings.HasPrefix(s.path, "examples/") && bytes.Contains(s.text, []byte("\n"+code)) {
			return true
		}
	}
	return false
}

func TestReadmeShowsCodeThatCompiles(t *testing.T) {
	t.Parallel()
	for _, fault := range readmeFaults(readReadme(t), mustRepository(t)) {
		t.Error(fault)
	}
}

func TestReadmeFaultsAreFound(t *testing.T) {
	t.Parallel()
	readme, sources := readReadme(t), mustRepository(t)
	for name, altered := range map[string]string{
		"the program":   strings.Replace(readme, "policy.Attested", "policy.Relay", 1),
		"another block": strings.Replace(readme, "return Later", "return Done", 1),
		"all blocks":    strings.ReplaceAll(readme, "```go\n", "```\n"),
	} {
		if altered == readme || len(readmeFaults(altered, sources)) == 0 {
			t.Errorf("%s: a drift was not found", name)
		}
	}
}

func TestReadmeLinksToWhatExists(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(readReadme(t), -1)
	if len(links) < 20 {
		t.Fatalf("only %d links: the search went wrong", len(links))
	}
	for _, l := range links {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(l[1]))); err != nil {
			t.Errorf("there is no %s", l[1])
		}
	}
}

// "go build DIR" writes to the last word of DIR, and fails where that is a folder.
func TestReadmeBuildsNothingWhereAFolderIs(t *testing.T) {
	t.Parallel()
	commands := regexp.MustCompile(`(?m)^go (\w+) (\./\S+)`).FindAllStringSubmatch(readReadme(t), -1)
	if len(commands) < 2 {
		t.Fatalf("only %d commands: the search went wrong", len(commands))
	}
	for _, c := range commands {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(c[2]))); err != nil {
			t.Errorf("%s: there is no such package", c[0])
		}
		if _, err := os.Stat(filepath.Join("..", filepath.Base(c[2]))); c[1] == "build" && err == nil {
			t.Errorf("%s: its output is a folder", c[0])
		}
	}
}

// The README says that the example of a sink is shorter than this.
const maxSinkLines = 60

func TestTheExampleOfASinkIsAsShortAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	if !strings.Contains(readReadme(t), "fewer than 60 lines of code") {
		t.Error("the README makes another claim")
	}
	for _, s := range mustRepository(t) {
		if s.path == "examples/auditsink/auditsink.go" {
			if n := codeLines(s); n == 0 || n >= maxSinkLines {
				t.Errorf("it has %d lines of code", n)
			}
			return
		}
	}
	t.Error("there is no such example")
}

// codeLines counts the lines after the imports that are neither empty nor a
// comment.
func codeLines(s *source) int {
	last := s.file.Imports[len(s.file.Imports)-1]
	_, code, _ := strings.Cut(string(s.text[s.fset.Position(last.End()).Offset:]), ")\n")
	n := 0
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

func readReadme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
