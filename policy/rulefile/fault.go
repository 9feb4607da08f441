package rulefile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrFile is what every error about a file's content matches.
var ErrFile = errors.New("rulefile: the file is not valid")

// FaultError is one thing wrong with a file. It matches [ErrFile].
type FaultError struct {
	// File is the name that the caller gave.
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Where is the key, such as "rules[2].when"; Why is what is wrong and what
	// to do.
	Where, Why string
}

// Error names file, line, key and reason, and repeats nothing of the file.
func (f *FaultError) Error() string {
	s := f.File
	if f.Line > 0 {
		s += ":" + strconv.Itoa(f.Line)
	}
	if f.Where != "" {
		s += ": " + f.Where
	}
	return s + ": " + f.Why
}

// Is matches ErrFile.
func (*FaultError) Is(target error) bool { return target == ErrFile }

// faults collects.
type faults struct {
	file string
	list []error
}

func (f *faults) addf(line int, where, format string, args ...any) {
	f.list = append(f.list, &FaultError{f.file, line, where, fmt.Sprintf(format, args...)})
}

// decode reads data into v, a pointer to a struct, and takes every key that v does
// not know, every doubled key and every value of the wrong kind for a fault.
func (f *faults) decode(data []byte, v any) {
	if len(data) > maxFile {
		f.addf(0, "", "the file is larger than 1 MiB; this can't be a rule file")
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		f.yaml(err)
		return
	}
	if doc.Kind == 0 {
		f.addf(0, "", "the file is empty")
		return
	}
	if n := aliasIn(&doc, 0); n != nil {
		f.addf(n.Line, "", "anchors, aliases and merge keys are not used here, nor deep nesting; write the values out")
		return
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		f.yaml(err)
		return
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		f.addf(0, "", "there must be one YAML document only; remove what follows the line ---")
	}
}

const (
	maxFile  = 1 << 20
	maxDepth = 20
)

func aliasIn(n *yaml.Node, depth int) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge" || depth > maxDepth {
		return n
	}
	for _, c := range n.Content {
		if found := aliasIn(c, depth+1); found != nil {
			return found
		}
	}
	return nil
}

// yaml takes a library's error apart. Of its text only the line number is kept.
func (f *faults) yaml(err error) {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		line, _ := lineOf(strings.TrimPrefix(err.Error(), "yaml: "))
		f.addf(line, "", "this is not YAML; check the quotes, colons and indentation here")
		return
	}
	for _, text := range typed.Errors {
		line, rest := lineOf(text)
		why := "a value of the wrong kind; see the documentation of rule files"
		switch {
		case strings.HasPrefix(rest, "field "):
			why = "an unknown key; see the documentation of rule files"
		case strings.HasPrefix(rest, "mapping key "), strings.HasPrefix(rest, "key "):
			why = "a key that stands twice; remove one"
		case strings.HasPrefix(rest, ownPrefix):
			why = strings.TrimPrefix(rest, ownPrefix)
		}
		f.addf(line, "", "%s", why)
	}
}

// ownPrefix marks the texts of our own unmarshallers.
const ownPrefix = "phimail: "

// wrong is an error of an unmarshaller.
func wrong(n *yaml.Node, why string) error {
	return &yaml.TypeError{Errors: []string{"line " + strconv.Itoa(n.Line) + ": " + ownPrefix + why}}
}

func lineOf(text string) (line int, rest string) {
	after, ok := strings.CutPrefix(text, "line ")
	if !ok {
		return 0, text
	}
	num, rest, _ := strings.Cut(after, ": ")
	n, err := strconv.Atoi(num)
	if err != nil {
		return 0, text
	}
	return n, rest
}
