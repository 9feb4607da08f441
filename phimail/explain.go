package phimail

import (
	"strings"

	"github.com/phimail/sdk/policy"
)

// refusal is why the policy allows nothing: its code, if it has one, and in words
// the rules that refused, without content.
func refusal(v *policy.Verdict) (code, reason string) {
	code, reason = CodePolicy, "the policy allows no mode for this recipient"
	if v.Code != "" && isToken(v.Code) {
		code = v.Code
	}
	return code, because(v, "refuse", reason)
}

// because joins the steps with an effect.
func because(v *policy.Verdict, effect, otherwise string) string {
	var words []string
	for i := range v.Steps {
		if s := &v.Steps[i]; s.Effect == effect {
			words = append(words, "rule "+s.Rule+": "+strings.Join(s.Facts, ", ")+" (what would change it: "+s.Change+")")
		}
	}
	if words == nil {
		return otherwise
	}
	return strings.Join(words, "; ")
}

// Explain says for recipient i (To, then Cc, then Bcc, from 0) which rules decided
// what, on which facts, and what would change it; the last line is what became of
// it. No line holds content or an address.
func (p *Plan) Explain(i int) []string {
	if p == nil || i < 0 || i >= len(p.recipients) {
		return nil
	}
	r := &p.recipients[i]
	lines := r.verdict.Explain()
	if r.stop == nil {
		return append(lines, "plan: "+r.mode.String()+", "+r.reason)
	}
	return append(lines, "plan: "+r.stop.Status.String()+", "+r.reason)
}
