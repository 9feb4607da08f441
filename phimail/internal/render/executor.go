package render

import (
	"context"
	"errors"
	htmltemplate "html/template"
	"io"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// The functions that the parse tree is rewritten to call.
const (
	valueFunc = "_phi_value"
	stepFunc  = "_phi_step"
	rootName  = "part" // the name of a part in errors of the template packages
)

// executor is a parsed part with the state of one execution. One execution runs
// at a time.
type executor struct {
	part    *Part
	limits  Limits
	root    func(w io.Writer, data any) error
	literal bool // the source itself says [PHI]
	state
}

// state is of one execution.
type state struct {
	ctx   context.Context //nolint:containedctx // it lives for one execution
	nonce string
	kinds []string // of the values that were rendered
	steps int
	spent int // bytes that functions made
	fault Code
}

func newExecutor(p *Part, limits Limits) (*executor, error) {
	x := &executor{part: p, limits: limits, literal: strings.Contains(p.Source, phi.Redacted)}
	if len(p.Source) > maxSource {
		return nil, &FaultError{Part: p.Name, Code: Parse}
	}
	funcs := x.funcs()
	if p.Kind == HTML {
		t, err := htmltemplate.New(rootName).Option("missingkey=error").Funcs(funcs).Parse(p.Source)
		if err != nil {
			return nil, &FaultError{Part: p.Name, Line: lineOf(err, rootName), Code: Parse}
		}
		for _, each := range t.Templates() {
			x.rewrite(each.Tree)
		}
		x.root = t.Execute
		// The escaping is worked out by the first execution.
		x.state = state{ctx: context.Background(), nonce: nonce()}
		var escape *htmltemplate.Error
		if err := t.Execute(io.Discard, nil); errors.As(err, &escape) {
			return nil, &FaultError{Part: p.Name, Line: escape.Line, Code: Parse}
		}
		return x, nil
	}
	t, err := template.New(rootName).Option("missingkey=error").Funcs(funcs).Parse(p.Source)
	if err != nil {
		return nil, &FaultError{Part: p.Name, Line: lineOf(err, rootName), Code: Parse}
	}
	for _, each := range t.Templates() {
		x.rewrite(each.Tree)
	}
	x.root = t.Execute
	return x, nil
}

// rewrite makes every action pass its value through valueFunc, and every turn of
// a loop and every template count.
func (x *executor) rewrite(t *parse.Tree) {
	if t == nil || t.Root == nil {
		return
	}
	rewriteList(t.Root)
	t.Root.Nodes = slices.Insert(t.Root.Nodes, 0, step(t.Root.Pos))
}

func rewriteList(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, call(valueFunc, n.Pos))
			}
		case *parse.IfNode:
			rewriteList(n.List)
			rewriteList(n.ElseList)
		case *parse.WithNode:
			rewriteList(n.List)
			rewriteList(n.ElseList)
		case *parse.RangeNode:
			rewriteList(n.List)
			rewriteList(n.ElseList)
			n.List.Nodes = slices.Insert(n.List.Nodes, 0, step(n.Pos))
		}
	}
}

func call(name string, pos parse.Pos) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{parse.NewIdentifier(name).SetPos(pos)}}
}

// step is {{$_ := _phi_step}}: an assignment writes nothing, in no context of
// HTML.
func step(pos parse.Pos) parse.Node {
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: pos, Pipe: &parse.PipeNode{
		NodeType: parse.NodePipe, Pos: pos,
		Decl: []*parse.VariableNode{{NodeType: parse.NodeVariable, Pos: pos, Ident: []string{"$_"}}},
		Cmds: []*parse.CommandNode{call(stepFunc, pos)},
	}}
}

func (x *executor) run(ctx context.Context, data any) (out Output, fault *FaultError) {
	x.state = state{ctx: ctx, nonce: nonce()}
	defer func() {
		if recover() != nil {
			out, fault = Output{}, &FaultError{Part: x.part.Name, Code: Execute}
		}
		x.state = state{}
	}()
	w := &bounded{x: x}
	if err := x.root(w, data); err != nil {
		return Output{}, &FaultError{Part: x.part.Name, Line: lineOf(err, rootName), Code: x.codeOf(err)}
	}
	return x.finish(w.b.String())
}

// codeOf says what an error of the template packages means. Their text goes no
// further: it quotes the template and may quote data.
func (x *executor) codeOf(err error) Code {
	switch {
	case x.fault != "":
		return x.fault
	case strings.Contains(err.Error(), "map has no entry for key"), strings.Contains(err.Error(), "nil data"),
		strings.Contains(err.Error(), "nil pointer evaluating"):
		return Missing
	}
	return Execute
}

// finish takes the marks out, which say where the values are.
func (x *executor) finish(marked string) (Output, *FaultError) {
	failed := func(c Code) (Output, *FaultError) { return Output{}, &FaultError{Part: x.part.Name, Code: c} }
	var b strings.Builder
	var out Output
	starts := map[int]int{}
	rest := marked
	for {
		before, after, found := strings.Cut(rest, x.nonce)
		b.WriteString(before)
		if !found {
			break
		}
		index, open, tail, ok := cutMark(after)
		if !ok || index >= len(x.kinds) {
			return failed(Execute)
		}
		rest = tail
		if open {
			starts[index] = b.Len()
			continue
		}
		start, ok := starts[index]
		if !ok {
			return failed(Execute)
		}
		out.Findings = append(out.Findings, policy.Finding{Field: x.part.Name, Type: x.kinds[index], Start: start, End: b.Len()})
	}
	out.Text = b.String()
	switch {
	case len(out.Findings) != len(x.kinds):
		return failed(Execute)
	case x.part.Kind == HTML && strings.Contains(out.Text, "ZgotmplZ"):
		return failed(Unsafe)
	case !x.literal && strings.Contains(out.Text, phi.Redacted):
		return failed(Hidden)
	case x.part.Kind == Outside && len(out.Findings) > 0:
		return failed(PHI)
	}
	for i := range out.Findings {
		out.Findings[i].Start -= schemeBefore(out.Text, out.Findings[i].Start)
	}
	return out, nil
}

// bounded takes no more than the limit.
type bounded struct {
	x *executor
	b strings.Builder
}

func (w *bounded) Write(p []byte) (int, error) {
	// The marks do not count.
	if w.b.Len()+len(p) > w.x.limits.Output+2*len(w.x.kinds)*(len(w.x.nonce)+markDigits+1) {
		return 0, w.x.fail(Limit)
	}
	return w.b.Write(p)
}
