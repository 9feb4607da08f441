package rulefile

import (
	"context"
	"errors"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/phimail/sdk/policy"
)

// Limits of a condition: its length in characters, how deep it may nest, the cost
// of one evaluation in CEL's units, and its time.
const (
	maxCondition  = 4 << 10
	maxNesting    = 50
	maxCost       = 100_000
	conditionTime = 100 * time.Millisecond
)

// compiler checks and compiles conditions.
type compiler struct{ env *cel.Env }

func newCompiler() (*compiler, error) {
	opts := []cel.EnvOption{
		cel.ParserExpressionSizeLimit(maxCondition),
		cel.ParserRecursionLimit(maxNesting),
		cel.DefaultUTCTimeZone(true),
	}
	for _, f := range factTable {
		opts = append(opts, cel.Variable(f.name, f.kind))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, err
	}
	return &compiler{env}, nil
}

// conditionFault is what is wrong with a condition; line counts from its first.
type conditionFault struct {
	line int
	why  string
}

// compile returns the condition. Its fault repeats nothing of it.
func (c *compiler) compile(source string) (func(*policy.Facts, int) (bool, error), *conditionFault) {
	if len(source) > maxCondition {
		return nil, &conditionFault{0, "longer than 4096 bytes"}
	}
	ast, issues := c.env.Compile(source)
	if issues != nil && issues.Err() != nil {
		return nil, faultOf(issues)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, &conditionFault{0, "is not a condition: its value must be true or false"}
	}
	prg, err := c.env.Program(ast,
		cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, &conditionFault{0, "could not be compiled; check its regular expressions and constants"}
	}
	return func(f *policy.Facts, i int) (bool, error) { return evaluate(prg, f, i) }, nil
}

// faultOf says where the first error is and of what kind.
func faultOf(issues *cel.Issues) *conditionFault {
	if len(issues.Errors()) == 0 {
		return &conditionFault{0, "is not an expression"}
	}
	e := issues.Errors()[0]
	why := "has wrong types; see the list of facts"
	switch {
	case strings.HasPrefix(e.Message, "Syntax error"):
		why = "is not an expression; check brackets, quotes and operators"
	case strings.HasPrefix(e.Message, "undeclared reference"):
		why = "names a fact or function that does not exist; see the list of facts"
	case strings.Contains(e.Message, "recursion"), strings.Contains(e.Message, "size"):
		why = "is too long or too deeply nested"
	}
	return &conditionFault{max(e.Location.Line()-1, 0), why}
}

// errCondition hides the library's text, which repeats values.
var errCondition = errors.New("rulefile: a condition could not be evaluated")

func evaluate(prg cel.Program, f *policy.Facts, i int) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), conditionTime)
	defer cancel()
	v, _, err := prg.ContextEval(ctx, &activation{f, i})
	if err != nil {
		return false, errCondition
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, errCondition
	}
	return bool(b), nil
}

// activation reads facts when a condition asks for them.
type activation struct {
	f *policy.Facts
	i int
}

// ResolveName returns the fact with this name.
func (a *activation) ResolveName(name string) (any, bool) {
	get, ok := factsByName[name]
	if !ok {
		return nil, false
	}
	return get(a.f, &a.f.Recipients[a.i]), true
}

// Parent returns nil.
func (*activation) Parent() interpreter.Activation { return nil }

// list makes a CEL list of strings.
func list(s []string) ref.Val { return types.NewStringList(types.DefaultTypeAdapter, s) }
