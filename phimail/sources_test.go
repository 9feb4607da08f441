package phimail_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const modulePath = "github.com/phimail/sdk"

// source is one Go file of the repository, whatever its module.
type source struct {
	path  string // from the root, with slashes
	text  []byte
	file  *ast.File
	fset  *token.FileSet
	lines int
}

// dir is the package's folder from the root, "." for the root itself.
func (s *source) dir() string { return path.Dir(s.path) }

func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// external: a test that sees its package as users do.
func (s *source) external() bool { return s.test() && strings.HasSuffix(s.file.Name.Name, "_test") }

func (s *source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return s.path + ":" + strconv.Itoa(p.Line)
}

// public: a package that others may import.
func (s *source) public() bool {
	return s.file.Name.Name != "main" && !s.test() && !strings.Contains("/"+s.path, "/internal/") && !strings.HasPrefix(s.path, "examples/")
}

func parseSource(fset *token.FileSet, name string, text []byte) (*source, error) {
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{path: name, text: text, file: file, fset: fset, lines: strings.Count(string(text), "\n")}, nil
}

// repository reads every Go file. It is done in this process, since the test
// cache doesn't see what a child process reads.
var repository = sync.OnceValues(func() ([]*source, error) {
	var sources []*source
	fset := token.NewFileSet()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		s, err := parseSource(fset, name, text)
		sources = append(sources, s)
		return err
	})
	if err == nil && len(sources) < 100 {
		err = errors.New("the repository has too few files: the walk went wrong")
	}
	return sources, err
})

func mustRepository(t *testing.T) []*source {
	t.Helper()
	sources, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// planted parses made-up files, path by path.
func planted(t *testing.T, files map[string]string) []*source {
	t.Helper()
	var sources []*source
	fset := token.NewFileSet()
	for name, text := range files {
		s, err := parseSource(fset, name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
	}
	return sources
}
