package rulefile

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/internal/domainname"
)

// fact is one that conditions may name.
type fact struct {
	name string
	kind *cel.Type
	what string
	get  func(*policy.Facts, *policy.RecipientFacts) any
}

var (
	stringList = cel.ListType(cel.StringType)

	factTable = []fact{
		{"message.purpose", cel.StringType, "treatment, payment, operations, marketing, individual, " +
			"unspecified", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Purpose.String()
		}},
		{"message.stream", cel.StringType, "transactional or marketing", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Stream.String()
		}},
		{"message.label", cel.StringType, "the host's own name for this kind of message", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Label
		}},
		{"message.subject", cel.StringType, "the subject", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Subject
		}},
		{"message.reply", cel.BoolType, "whether it answers another message", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Reply
		}},
		{"message.size", cel.IntType, "bytes", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Size
		}},
		{"message.patients", cel.IntType, "how many patients it is about", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return int64(len(f.Patients))
		}},
		{"message.recipients", cel.IntType, "how many recipients it has", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return int64(len(f.Recipients))
		}},
		{"message.attachments", cel.IntType, "how many attachments it has", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return int64(len(f.Attachments))
		}},
		{"message.attachment_names", stringList, "their names", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return list(attachments(f, func(a *policy.AttachmentFacts) string { return a.Name }))
		}},
		{"message.attachment_types", stringList, "their media types", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return list(attachments(f, func(a *policy.AttachmentFacts) string { return a.ContentType }))
		}},
		{"message.phi", cel.BoolType, "whether the classifier found PHI or anything specially protected, " +
			"or could not tell", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			c := &f.Classification
			return !c.NoPHI || len(c.Special) > 0 || len(c.Findings) > 0
		}},
		{"message.score", cel.DoubleType, "how sure the classifier is, 0 to 1", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Classification.Score
		}},
		{"message.categories", stringList, "specially protected categories, such as part2_sud", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return list(values(f.Classification.Special, policy.Category.String))
		}},
		{"message.codes", stringList, "the classifier's codes; a term NAME that was found is " +
			"term-NAME", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return list(f.Classification.Codes)
		}},
		{"message.found", stringList, "the types of what was found, such as SSN", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return list(values(f.Classification.Findings, func(g policy.Finding) string { return g.Type }))
		}},
		{"message.tenant", cel.StringType, "for whom it is sent", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Tenant
		}},
		{"message.sender_domain", cel.StringType, "the domain of From", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return domainOf(f.From.Address)
		}},
		{"actor.id", cel.StringType, "who sends", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Actor.ID
		}},
		{"actor.role", cel.StringType, "in which role", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Actor.Role
		}},
		{"actor.on_behalf_of", cel.StringType, "in whose name", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return f.Actor.OnBehalfOf
		}},
		{"actor.sent_hour", cel.IntType, "recipients of this actor in the last hour", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return int64(f.Counts.ActorHour)
		}},
		{"recipient.address", cel.StringType, "the address", func(_ *policy.Facts, r *policy.RecipientFacts) any {
			return policy.AddressKey(r.Address)
		}},
		{"recipient.domain", cel.StringType, "its domain, in lower case and A-labels (xn--)", func(_ *policy.Facts, r *policy.RecipientFacts) any {
			return domainOf(r.Address.Address)
		}},
		{"recipient.external", cel.BoolType, "whether its domain is not that of From", func(f *policy.Facts, r *policy.RecipientFacts) any {
			return domainOf(r.Address.Address) != domainOf(f.From.Address)
		}},
		{"recipient.kind", cel.StringType, "to, cc or bcc", func(_ *policy.Facts, r *policy.RecipientFacts) any {
			return r.Kind.String()
		}},
		{"recipient.is_patient", cel.BoolType, "whether the recipient is a patient, as the host says", func(_ *policy.Facts, r *policy.RecipientFacts) any {
			return r.Patient != ""
		}},
		{"recipient.records", stringList, "kinds of the records in force about the recipient, or at the address about the one patient that the " +
			"message is about, such as plain-email", func(f *policy.Facts, r *policy.RecipientFacts) any {
			return list(recordKinds(f, r))
		}},
		{"recipient.provider", cel.StringType, "the party that would carry the message, empty if nobody " +
			"else", func(_ *policy.Facts, r *policy.RecipientFacts) any {
			if r.Offer == nil {
				return ""
			}
			return r.Offer.Provider.Name
		}},
		{"recipient.sent_day", cel.IntType, "messages to this address in the last 24 hours", func(_ *policy.Facts, r *policy.RecipientFacts) any {
			return int64(r.PriorDay)
		}},
		{"now", cel.TimestampType, "the time; now.getHours(\"America/New_York\"), now.getDayOfWeek()", func(f *policy.Facts, _ *policy.RecipientFacts) any {
			return types.Timestamp{Time: f.Time}
		}},
	}

	factsByName = byName(factTable)
)

func byName(table []fact) map[string]func(*policy.Facts, *policy.RecipientFacts) any {
	m := make(map[string]func(*policy.Facts, *policy.RecipientFacts) any, len(table))
	for _, f := range table {
		m[f.name] = f.get
	}
	return m
}

func attachments(f *policy.Facts, get func(*policy.AttachmentFacts) string) []string {
	out := make([]string, len(f.Attachments))
	for i := range f.Attachments {
		out[i] = get(&f.Attachments[i])
	}
	return out
}

func recordKinds(f *policy.Facts, r *policy.RecipientFacts) []string {
	var out []string
	who, on := r.Patient, r.Records
	if who == "" {
		who = soleSubject(f)
		// Nor do wishes for all addresses of a patient count for others.
		on = slices.DeleteFunc(slices.Clone(on), func(rec policy.Record) bool {
			return (rec.Kind == policy.PlainEmail || rec.Kind == policy.Preference) && rec.Address == "" && !rec.Withdrawn
		})
	}
	for k := policy.PlainEmail; k <= policy.Unsubscribe; k++ {
		if policy.InForce(on, k, who, policy.AddressKey(r.Address), f.Time) != nil && !slices.Contains(out, k.String()) {
			out = append(out, k.String())
		}
	}
	return out
}

// soleSubject returns whom the message is about, if that is one person: the records
// of a recipient who is not named are theirs for the built-in rules too.
func soleSubject(f *policy.Facts) string {
	if len(f.Patients) == 0 || slices.ContainsFunc(f.Patients, func(p string) bool { return p != f.Patients[0] }) {
		return ""
	}
	return f.Patients[0]
}

func domainOf(address string) string {
	return domainname.Canonical(address[strings.LastIndexByte(address, '@')+1:])
}

// FactDoc is a fact in words.
type FactDoc struct{ Name, Type, What string }

// Facts lists what conditions may name.
func Facts() []FactDoc {
	out := make([]FactDoc, len(factTable))
	for i, f := range factTable {
		out[i] = FactDoc{f.name, f.kind.String(), f.what}
	}
	return out
}
