// Package rulefile reads what a compliance officer writes: rule files in YAML with
// the settings of the built-in rules, the organisation's own terms and rules, and
// files of test cases for them.
//
// The condition of a rule is an expression in CEL (the Common Expression Language),
// which knows no loops but over lists, and is checked and bounded at load: names
// and types must be right, and length, nesting and cost have limits. A condition
// that fails, or takes too long, refuses. A rule can only ask for more than the
// built-in rules do.
//
// Errors name the file and the line, and what is wrong; they never repeat the
// file's text.
package rulefile
