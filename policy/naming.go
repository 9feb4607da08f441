package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// Naming sets up the rule for subjects and names of attachments.
type Naming struct {
	// Refuse refuses a message with PHI there, in place of a neutral subject
	// or name.
	Refuse bool
}

// naming: what is shown in lists and notifications holds no PHI.
type naming struct{ o Naming }

func (n naming) Judge(f *Facts, _ int) Ruling {
	out := Pass()
	for i := range f.Classification.Findings {
		field := f.Classification.Findings[i].Field
		if field == "subject" {
			out = out.And(n.subject())
		} else if removable(field) {
			out = out.And(n.header())
		} else if k, ok := nameField(field); ok && k < len(f.Attachments) {
			out = out.And(n.attachment(k))
		}
	}
	return out
}

func (n naming) subject() Ruling {
	const change = "a subject in which nothing is found"
	if n.o.Refuse {
		return refuse("naming", "subject-phi", change, "PHI found in the subject")
	}
	out := Pass()
	out.ReplaceSubject = true
	out.Steps = []Step{{Rule: "naming", Code: "subject-phi", Effect: "neutral subject", Facts: []string{"PHI found in the subject"}, Change: change}}
	return out
}

func (n naming) attachment(k int) Ruling {
	const change = "a name in which nothing is found"
	fact := "PHI found in the name of attachment " + strconv.Itoa(k+1)
	if n.o.Refuse {
		return refuse("naming", "attachment-name-phi", change, fact)
	}
	out := Pass()
	out.Rename = []int{k}
	out.Steps = []Step{{Rule: "naming", Code: "attachment-name-phi", Effect: "neutral file name", Facts: []string{fact}, Change: change}}
	return out
}

// header counts like the subject: whoever gets a neutral one gets none of the
// further fields, which travel inside in the other modes.
func (n naming) header() Ruling {
	const (
		change = "no further field in which something is found"
		fact   = "PHI found in a further field of the header"
	)
	if n.o.Refuse {
		return refuse("naming", "header-phi", change, fact)
	}
	out := Pass()
	out.ReplaceSubject = true
	out.Steps = []Step{{Rule: "naming", Code: "header-phi", Effect: "neutral subject, no further fields", Facts: []string{fact}, Change: change}}
	return out
}

// removable reads "fields.header.NAME" of a field that a message can do without:
// the names in From and Reply-To are the sender's, and others are acted upon on the
// way.
func removable(field string) bool {
	name, ok := strings.CutPrefix(field, "fields.header.")
	if !ok {
		return false
	}
	switch name = strings.ToLower(name); name {
	case "from", "reply-to", "auto-submitted", "precedence", "feedback-id", "importance", "priority":
		return false
	}
	return !strings.HasPrefix(name, "list-")
}

// nameField reads "attachments[3].name".
func nameField(field string) (int, bool) {
	rest, ok := strings.CutPrefix(field, "attachments[")
	digits, tail, closed := strings.Cut(rest, "]")
	k, err := strconv.Atoi(digits)
	return k, ok && closed && tail == ".name" && err == nil && k >= 0 && !strings.HasPrefix(digits, "+")
}

func (n naming) Doc() Doc {
	return Doc{
		Name: "naming", Title: "No PHI in subjects and file names",
		What: "A subject in which PHI is found is replaced by the neutral one for whoever gets the message by TLS; in the other modes the real " +
			"subject travels inside and the neutral one " +
			"stands outside anyway. PHI in a further field of the header (X-Note, Thread-Topic, Comments) does the same, and by TLS the message goes " +
			"without those fields. Names in From and Reply-To, and fields that mail systems act upon (List-*, Auto-Submitted, Precedence, " +
			"Feedback-ID, Importance, Priority), stay as they are in every mode: the host puts no PHI there. " +
			"The name of an attachment in which PHI is found is replaced by a neutral one.",
		Source:  "45 CFR 164.312(e)(1), 164.530(c): subjects and file names show in notifications, lists and logs",
		Default: "Replace. What is found depends on the classifier; without one only the neutral subject outside encrypted messages applies.",
		Change:  "Naming.Refuse refuses such a message; Subject (policy.subject) is the neutral subject.",
		Setting: fmt.Sprintf("refuse %t", n.o.Refuse),
	}
}
