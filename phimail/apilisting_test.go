package phimail_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listing is the public API as it was agreed on, one declaration a line.
const listing = "../.ci/api.txt"

var update = flag.Bool("update", false, "write .ci/api.txt instead of comparing with it")

// TestPublicAPI compares the public packages of all modules with the listing.
// A change on purpose is written to it by
//
//	go test ./phimail -run TestPublicAPI -update
func TestPublicAPI(t *testing.T) {
	t.Parallel()
	got := publicAPI(mustRepository(t))
	if *update {
		if err := os.WriteFile(filepath.FromSlash(listing), []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(filepath.FromSlash(listing))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(want) < 100 {
		t.Fatalf("the listing has %d lines only", len(want))
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("new: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("gone: %s", line)
		}
	}
	if t.Failed() {
		t.Log("if this is on purpose: go test ./phimail -run TestPublicAPI -update")
	}
}

// publicAPI returns every exported declaration, sorted.
func publicAPI(sources []*source) []string {
	var lines []string
	for _, s := range sources {
		if !s.public() {
			continue
		}
		l := &lister{prefix: s.dir() + ": ", fset: s.fset}
		for _, d := range s.file.Decls {
			l.declaration(d)
		}
		lines = append(lines, l.lines...)
	}
	slices.Sort(lines)
	return slices.Compact(lines) // one name for several platforms
}

type lister struct {
	prefix string
	fset   *token.FileSet
	lines  []string
}

func (l *lister) add(parts ...string) { l.lines = append(l.lines, l.prefix+strings.Join(parts, "")) }

func (l *lister) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		l.function(d)
	case *ast.GenDecl:
		var typ ast.Expr // of the constants above, which iota repeats
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				l.typeOf(spec)
			case *ast.ValueSpec:
				if spec.Type != nil || spec.Values != nil {
					typ = spec.Type
				}
				l.values(d.Tok.String(), spec, typ)
			}
		}
	}
}

func (l *lister) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil {
		l.add("func ", d.Name.Name, l.signature(d.Type))
		return
	}
	receiver := l.text(d.Recv.List[0].Type)
	if ast.IsExported(strings.TrimLeft(receiver, "*")) {
		l.add("method (", receiver, ") ", d.Name.Name, l.signature(d.Type))
	}
}

func (l *lister) values(kind string, spec *ast.ValueSpec, typ ast.Expr) {
	for i, name := range spec.Names {
		if !name.IsExported() {
			continue
		}
		line := kind + " " + name.Name
		if typ != nil {
			line += " " + l.text(typ)
		}
		// The text of an error is no promise; the value of a constant is.
		if kind == "const" && i < len(spec.Values) {
			line += " = " + l.text(spec.Values[i])
		}
		l.add(line)
	}
}

func (l *lister) typeOf(spec *ast.TypeSpec) {
	if !spec.Name.IsExported() {
		return
	}
	name := "type " + spec.Name.Name + l.typeParameters(spec.TypeParams)
	switch t := spec.Type.(type) {
	case *ast.StructType:
		l.add(name, " struct")
		l.members(name, t.Fields, " ")
	case *ast.InterfaceType:
		l.add(name, " interface")
		l.members(name, t.Methods, "")
	default:
		if spec.Assign.IsValid() {
			name += " ="
		}
		l.add(name, " ", l.text(t))
	}
}

// members lists the fields of a struct or the methods of an interface.
func (l *lister) members(name string, fields *ast.FieldList, space string) {
	for _, f := range fields.List {
		if len(f.Names) == 0 {
			l.add(name, ", embeds ", l.text(f.Type))
		}
		for _, n := range f.Names {
			if !n.IsExported() {
				continue
			}
			if method, ok := f.Type.(*ast.FuncType); ok && space == "" {
				l.add(name, ", ", n.Name, l.signature(method))
				continue
			}
			l.add(name, ", ", n.Name, space, l.text(f.Type))
		}
	}
}

// signature leaves out the names of parameters, which callers don't use.
func (l *lister) signature(t *ast.FuncType) string {
	s := l.typeParameters(t.TypeParams) + "(" + l.types(t.Params) + ")"
	switch results := l.types(t.Results); {
	case results == "":
		return s
	case strings.Contains(results, ","):
		return s + " (" + results + ")"
	default:
		return s + " " + results
	}
}

func (l *lister) types(fields *ast.FieldList) string {
	if fields == nil {
		return ""
	}
	var list []string
	for _, f := range fields.List {
		for range max(1, len(f.Names)) {
			list = append(list, l.text(f.Type))
		}
	}
	return strings.Join(list, ", ")
}

func (l *lister) typeParameters(fields *ast.FieldList) string {
	if fields == nil {
		return ""
	}
	return "[" + l.types(fields) + "]"
}

// text prints a type or a value in one line.
func (l *lister) text(e ast.Expr) string {
	var b bytes.Buffer
	config := printer.Config{Mode: printer.RawFormat}
	if err := config.Fprint(&b, l.fset, e); err != nil {
		return "(" + err.Error() + ")"
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestPublicAPIListsEachKindOfDeclaration(t *testing.T) {
	t.Parallel()
	sources := planted(t, map[string]string{
		"audit/x.go": `package audit
type T struct { A, b int; C func(x, y int) (n int, err error); *E }
type I interface { M(ctx context.Context, s []byte) error; m(); Other }
type G[K comparable] map[K]string
type S = string
type Reason string
const ( One Reason = "one"; two = 2 )
const ( Three = iota; Four )
var ErrX = errors.New("x")
func F[T any](a, b T, c ...int) (int, error) { return 0, nil }
func (t *T) M() {}
func (t T) n() {}
func (u *unseen) M() {}
func f() {}
`,
		"audit/internal/y/y.go": "package y\nfunc F() {}\n",
		"audit/x_test.go":       "package audit\nfunc F2() {}\n",
		"phimail/cmd/c/main.go": "package main\nfunc F() {}\n",
	})
	want := []string{
		"const Four", "const One Reason = \"one\"", "const Three = iota", "func F[any](T, T, ...int) (int, error)", "method (*T) M()",
		"type G[comparable] map[K]string", "type I interface", "type I, M(context.Context, []byte) error", "type I, embeds Other",
		"type Reason string", "type S = string", "type T struct", "type T, A int", "type T, C func(x, y int) (n int, err error)",
		"type T, embeds *E", "var ErrX",
	}
	for i := range want {
		want[i] = "audit: " + want[i]
	}
	slices.Sort(want)
	if got := publicAPI(sources); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
