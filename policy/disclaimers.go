package policy

import (
	"fmt"
	"slices"
)

// Disclaimer is a notice that a stream wants.
type Disclaimer struct {
	// Streams and Purposes are those whose messages carry it. Empty: all.
	Streams  []Stream
	Purposes []Purpose
	// External leaves out messages that only go to the host's own domains.
	External bool
	Notice   Notice
}

// disclaimers: what the organisation adds to its messages.
type disclaimers struct {
	list     []Disclaimer
	internal []string
}

func (d disclaimers) Judge(f *Facts, i int) Ruling {
	out := Pass()
	for k := range d.list {
		l := &d.list[k]
		if len(l.Streams) > 0 && !slices.Contains(l.Streams, f.Stream) || len(l.Purposes) > 0 && !slices.Contains(l.Purposes, f.Purpose) ||
			l.External && isInternal(f, domainOf(f.Recipients[i].Address.Address), d.internal) {
			continue
		}
		add := Pass()
		add.Notices = []Notice{l.Notice}
		add.Steps = []Step{{
			Rule: "disclaimers", Code: "disclaimer", Effect: "notice " + l.Notice.ID,
			Facts: []string{"stream " + f.Stream.String()}, Change: "Disclaimers without this one",
		}}
		out = out.And(add)
	}
	return out
}

func (d disclaimers) Doc() Doc {
	ids := make([]string, len(d.list))
	for i := range d.list {
		n := &d.list[i].Notice
		ids[i] = fmt.Sprintf("%v %v %t %q %q %q", d.list[i].Streams, d.list[i].Purposes, d.list[i].External, n.ID, n.Text, n.HTML)
	}
	return Doc{
		Name: "disclaimers", Title: "Disclaimers",
		What:    "Adds the notices that a stream or a purpose wants, to the text and to the HTML.",
		Source:  "The organisation's own decision",
		Default: "None.",
		Change:  "Disclaimers.",
		Setting: fmt.Sprintf("%q", ids),
	}
}
