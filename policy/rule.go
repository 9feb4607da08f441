package policy

// Rule is one rule. Implementations are safe for concurrent use, do no I/O, and
// answer from the facts alone: the same facts, the same ruling.
type Rule interface {
	// Judge answers for f.Recipients[i]. A panic refuses. It must not change or
	// keep f.
	Judge(f *Facts, i int) Ruling
	// Doc describes the rule. It does not change.
	Doc() Doc
}

// Doc is a rule in words, for records and for people.
type Doc struct {
	// Name is stable and stands in records, such as "part2".
	Name string
	// Title is a few words, What says what it does, Source the law or the
	// organisation's own document.
	Title, What, Source string
	// Default is what it does unless it is set up otherwise, Change how to do
	// that.
	Default, Change string
	// Setting is how it is set up, without secrets. A plan made under another
	// setting is stale.
	Setting string
}
