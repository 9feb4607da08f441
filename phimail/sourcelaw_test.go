package phimail_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const maxLines = 500

// unfinished finds what must not be left behind.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// verifiesItself is the one file that may tell crypto/tls to leave out its own
// verification: DANE trusts keys, not authorities (RFC 7672), and what stands
// there verifies all of it. Its tests show that nothing passes unverified.
const verifiesItself = "transport/internal/smtpclient/dane.go"

// sourceFaults checks one file at a time.
func sourceFaults(sources []*source) []string {
	var faults []string
	for _, s := range sources {
		if s.lines > maxLines && !s.test() {
			faults = append(faults, s.path+": longer than 500 lines")
		}
		if unfinished.Match(s.text) {
			faults = append(faults, s.path+": something is unfinished")
		}
		for _, spec := range s.file.Imports {
			// The benchmarks measure what a user would pick instead.
			if spec.Path.Value == `"net/smtp"` && !s.test() && !strings.HasPrefix(s.path, "phimail/internal/bench/") {
				faults = append(faults, s.at(spec)+": net/smtp takes an unterminated reply for success")
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					faults = append(faults, s.at(n)+": an init function has effects that nobody asked for")
				}
			case *ast.Ident:
				if n.Name == "Insecure"+"SkipVerify" && s.path != verifiesItself {
					faults = append(faults, s.at(n)+": nothing turns verification off")
				}
			}
			return true
		})
	}
	return faults
}

// emptyImporter stands for every imported package. The checker then reports
// errors, which don't matter here, but knows each name of the package itself.
type emptyImporter struct{}

func (emptyImporter) Import(name string) (*types.Package, error) {
	pkg := types.NewPackage(name, name[strings.LastIndexByte(name, '/')+1:])
	pkg.MarkComplete()
	return pkg, nil
}

// writtenVariables finds package-level variables that are changed after they
// are made: state that all users of a process would share.
func writtenVariables(sources []*source) []string {
	packages := map[string][]*source{}
	for _, s := range sources {
		if !s.test() {
			packages[s.dir()] = append(packages[s.dir()], s)
		}
	}
	var faults []string
	for dir, files := range packages {
		faults = append(faults, writtenIn(dir, files)...)
	}
	return faults
}

func writtenIn(dir string, sources []*source) []string {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: emptyImporter{}, Error: func(error) {}}
	var files []*ast.File
	for _, s := range sources {
		files = append(files, s.file)
	}
	pkg, _ := config.Check(dir, sources[0].fset, files, info) //nolint:errcheck // the imports are empty on purpose
	var faults []string
	for _, s := range sources {
		ast.Inspect(s.file, func(n ast.Node) bool {
			for _, target := range written(n) {
				v, ok := info.Uses[target].(*types.Var)
				if ok && v.Parent() == pkg.Scope() {
					faults = append(faults, s.at(target)+": the package variable "+target.Name+" is written to")
				}
			}
			return true
		})
	}
	return faults
}

// written returns the names that a node changes or hands out a pointer to.
func written(n ast.Node) []*ast.Ident {
	var targets []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			targets = n.Lhs
		}
	case *ast.IncDecStmt:
		targets = []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			targets = []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
			targets = n.Args[:1]
		}
	}
	var names []*ast.Ident
	for _, t := range targets {
		if name := rootOf(t); name != nil {
			names = append(names, name)
		}
	}
	return names
}

func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// undocumented finds public packages without a doc comment or without an
// example whose output is checked.
func undocumented(sources []*source) []string {
	type state struct{ public, doc, example bool }
	packages := map[string]*state{}
	for _, s := range sources {
		p := packages[s.dir()]
		if p == nil {
			p = &state{}
			packages[s.dir()] = p
		}
		p.public = p.public || s.public()
		p.doc = p.doc || !s.test() && s.file.Doc != nil
		p.example = p.example || s.test() && hasExample(s)
	}
	var faults []string
	for dir, p := range packages {
		if p.public && !p.doc {
			faults = append(faults, dir+": no package comment")
		}
		if p.public && !p.example {
			faults = append(faults, dir+": no example with an output")
		}
	}
	return faults
}

func hasExample(s *source) bool {
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Example") {
			continue
		}
		for _, c := range s.file.Comments {
			if f.Body.Pos() < c.Pos() && c.End() < f.Body.End() && strings.HasPrefix(strings.ToLower(c.Text()), "output:") {
				return true
			}
		}
	}
	return false
}

// topLevel is all that the root holds beside dot-files.
var topLevel = []string{
	"LICENSE", "README.md", "audit", "crypt", "dkim", "examples", "go.mod", "go.sum", "go.work", "go.work.sum", "phimail", "policy", "transport",
}

func TestTheTopLevelHoldsNothingElse(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s does not belong there", name)
		}
	}
}

func TestSourceLaw(t *testing.T) {
	t.Parallel()
	sources := mustRepository(t)
	for _, check := range []func([]*source) []string{sourceFaults, writtenVariables, undocumented} {
		for _, fault := range check(sources) {
			t.Error(fault)
		}
	}
}

func TestSourceLawFindsPlantedViolations(t *testing.T) {
	t.Parallel()
	all := func(s []*source) []string { return append(sourceFaults(s), writtenVariables(s)...) }
	for name, c := range map[string]struct {
		path, text string
		faults     int
	}{
		"clean":                        {"audit/x.go", "package audit\n\nvar table = [...]int{1}\n\nfunc f() int { table := 1; table++; return table }\n", 0},
		"init":                         {"audit/x.go", "package audit\n\nfunc init() {}\n", 1},
		"a method named init":          {"audit/x.go", "package audit\n\nfunc (t) init() {}\n", 0},
		"net/smtp":                     {"transport/x.go", "package transport\n\nimport _ \"net/smtp\"\n", 1},
		"net/smtp in a test":           {"transport/x_test.go", "package transport\n\nimport _ \"net/smtp\"\n", 0},
		"no verification":              {"transport/x.go", "package transport\n\nvar c = tls.Config{Insecure" + "SkipVerify: true}\n", 1},
		"no verification, beside DANE": {"transport/internal/smtpclient/identity.go", "package smtpclient\n\nvar c = tls.Config{Insecure" + "SkipVerify: true}\n", 1},
		"DANE's own verification":      {"transport/internal/smtpclient/dane.go", "package smtpclient\n\nvar c = tls.Config{Insecure" + "SkipVerify: true}\n", 0},
		"DANE's name elsewhere":        {"transport/mx/dane.go", "package mx\n\nvar c = tls.Config{Insecure" + "SkipVerify: true}\n", 1},
		"unfinished":                   {"audit/x.go", "package audit\n\n// TO" + "DO: later\n", 1},
		"too long":                     {"audit/x.go", "package audit\n" + strings.Repeat("\n", 500), 1},
		"a long test":                  {"audit/x_test.go", "package audit\n" + strings.Repeat("\n", 500), 0},
		"a variable assigned":          {"audit/x.go", "package audit\n\nvar n int\n\nfunc f() { n = 1 }\n", 1},
		"a variable counted":           {"audit/x.go", "package audit\n\nvar n int\n\nfunc f() { n++ }\n", 1},
		"an element assigned":          {"audit/x.go", "package audit\n\nvar m = map[int]int{}\n\nfunc f() { m[1] = 2 }\n", 1},
		"an element deleted":           {"audit/x.go", "package audit\n\nvar m = map[int]int{}\n\nfunc f() { delete(m, 1) }\n", 1},
		"a field assigned":             {"audit/x.go", "package audit\n\nvar v struct{ n int }\n\nfunc f() { v.n = 2 }\n", 1},
		"a pointer handed out":         {"audit/x.go", "package audit\n\nvar n int\n\nfunc f() *int { return &n }\n", 1},
		"a test's own variable":        {"audit/x_test.go", "package audit\n\nvar n int\n\nfunc f() { n = 1 }\n", 0},
	} {
		if got := all(planted(t, map[string]string{c.path: c.text})); len(got) != c.faults {
			t.Errorf("%s: faults are %v", name, got)
		}
	}
	bare := planted(t, map[string]string{
		"audit/x.go": "package audit\n", "audit/internal/y/y.go": "package y\n", "examples/a/main.go": "package main\n",
		"dkim/d.go": "// Package dkim is documented.\npackage dkim\n", "dkim/d_test.go": "package dkim_test\n\nfunc Example() {\n\t// Output: 1\n}\n",
	})
	if got := undocumented(bare); len(got) != 2 {
		t.Errorf("faults are %v", got)
	}
}
