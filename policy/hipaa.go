package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/phimail/sdk/policy/internal/domainname"
)

// DefaultSubject is what a sealed message shows outside.
const DefaultSubject = "Secure message"

// Options set up [New]. The zero value is the strictest, and no rule can be left
// out: what a field configures is in the documentation of the rules, RULES.md.
type Options struct {
	// Modes are acceptable, the preferred first. Defaults to SMIME, PGP, TLS,
	// Escrow.
	Modes []Mode
	// TLS is the least assurance for the mode TLS: Recipient (the default) or
	// Attested. Relay can't be chosen for every message: it takes a patient's
	// recorded wish (45 CFR 164.522(b)).
	TLS Assurance
	// Subject is the neutral subject of a sealed message, and of one whose own
	// holds PHI. Defaults to DefaultSubject.
	Subject string
	// TrustClassifier lets a message that the classifier finds free of PHI
	// travel by TLS at Relay. By default every message counts as PHI, whatever
	// a classifier says of it.
	TrustClassifier bool

	Special     Special
	Naming      Naming
	Minimum     []Limit
	Agreements  Agreements
	Roles       []Role
	Marketing   MarketingMail
	Visible     Visible
	Addressing  Addressing
	Domains     Domains
	Anomalies   Anomalies
	Disclaimers []Disclaimer
	// KeyChange says what happens where a discovered key changed.
	KeyChange Action

	// Rules are the organisation's own, beside the built-in ones. A rule can
	// only ask for more.
	Rules []Rule
}

// HIPAA returns the default policy: all built-in rules as they are by default.
// Every message is PHI, whatever a classifier says, and travels sealed or by TLS
// that is verified to the recipient's own server.
func HIPAA() Policy {
	p, err := New(Options{})
	if err != nil {
		panic("policy: the defaults are not valid: " + err.Error())
	}
	return p
}

// New returns the policy of [HIPAA] with other options. Its error lists every
// fault.
func New(o Options) (*RuleSet, error) {
	o.setDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return newRuleSet(&o, append(o.builtIn(), o.Rules...))
}

// setDefaults also makes the options the rule set's own.
func (o *Options) setDefaults() {
	if len(o.Modes) == 0 {
		o.Modes = []Mode{SMIME, PGP, TLS, Escrow}
	}
	if o.Subject == "" {
		o.Subject = DefaultSubject
	}
	if o.Special.Statement == "" {
		o.Special.Statement = Part2Statement
	}
	o.Modes = slices.Clone(o.Modes)
	o.Rules = slices.Clone(o.Rules)
	o.Roles = slices.Clone(o.Roles)
	o.Disclaimers = slices.Clone(o.Disclaimers)
	o.Minimum = withDefaultLimits(o.Minimum)
	o.Anomalies = o.Anomalies.withDefaults()
	o.Special.Ordinary, o.Special.Never = slices.Clone(o.Special.Ordinary), slices.Clone(o.Special.Never)
	for _, list := range []*[]string{&o.Addressing.Known, &o.Domains.Internal, &o.Domains.Partners, &o.Domains.Allow, &o.Domains.Deny} {
		*list = lowered(*list)
	}
	groups := make([][]string, len(o.Visible.Together))
	for i, g := range o.Visible.Together {
		groups[i] = lowered(g)
	}
	o.Visible.Together = groups
}

// builtIn are the rules of this package, in the order of the documentation.
func (o *Options) builtIn() []Rule {
	return []Rule{
		newTransmission(o), special{o.Special}, naming{o.Naming}, minimum{o, o.Minimum}, purpose{o}, preference{},
		agreements{o, o.Agreements}, roles{o, o.Roles}, marketing{o.Marketing}, suppression{},
		visible{o.Visible, o.Domains.Internal}, addressing{o.Addressing, o.Domains.Internal, o.Domains.Partners},
		domains{o.Domains}, anomalies{o.Anomalies}, disclaimers{o.Disclaimers, o.Domains.Internal}, keyChange{o.KeyChange},
	}
}

func (o *Options) check() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("policy: "+format, args...)) }
	for i, m := range o.Modes {
		if m == Refuse || m > Escrow {
			fault("Modes[%d] is no mode to send by; use TLS, PGP, SMIME or Escrow", i)
		}
		if slices.Contains(o.Modes[:i], m) {
			fault("Modes[%d] stands twice; remove one", i)
		}
	}
	if o.TLS != Recipient && o.TLS != Attested {
		fault("TLS must be Recipient or Attested; Relay takes a patient's recorded wish")
	}
	if hasControl(o.Subject, "") {
		fault("Subject holds a control character; use one line of text")
	}
	o.checkRules(fault)
	return errors.Join(errs...)
}

func (o *Options) checkRules(fault func(format string, args ...any)) {
	for _, c := range append(slices.Clone(o.Special.Ordinary), o.Special.Never...) {
		if c == 0 || c > Minors {
			fault("Special names an unknown category; use a constant of this package")
		}
	}
	if hasControl(o.Special.Statement, "\n") {
		fault("Special.Statement holds a control character; use lines of text")
	}
	for i, l := range o.Minimum {
		if l.Purpose > Individual || l.Attachments < 0 || l.Recipients < 0 || l.Bytes < 0 || l.Over > HoldMessage {
			fault("Minimum[%d] has an unknown purpose or action, or a negative number", i)
		}
	}
	o.checkDomains(fault)
	for i, r := range o.Roles {
		if r.Name == "" || slices.ContainsFunc(o.Roles[:i], func(p Role) bool { return p.Name == r.Name }) {
			fault("Roles[%d] has no name, or that of another", i)
		}
	}
	if hasControl(o.Marketing.PostalAddress, "\n") {
		fault("Marketing.PostalAddress holds a control character; use lines of text")
	}
	a := &o.Anomalies
	if a.Bytes < 0 || a.ActorHour < 0 || a.TenantHour < 0 || a.RecipientDay < 0 {
		fault("Anomalies has a negative number; leave it zero for the default")
	}
	if o.Addressing.Doubtful > HoldMessage || o.KeyChange > HoldMessage {
		fault("Addressing.Doubtful and KeyChange must be RefuseMessage or HoldMessage")
	}
	for i := range o.Disclaimers {
		n := &o.Disclaimers[i].Notice
		if n.ID == "" || n.Text == "" || hasControl(n.Text, "\n") || hasControl(n.HTML, "\n") {
			fault("Disclaimers[%d].Notice needs an ID and lines of text", i)
		}
	}
}

// checkDomains refuses what no domain can equal: an entry of Deny that never matches
// would let mail through.
func (o *Options) checkDomains(fault func(format string, args ...any)) {
	check := func(name string, list []string) {
		for i, d := range list {
			if !domainname.Valid(d) {
				fault("%s[%d] is no domain; write it as clinic.example, which stands for those below it too", name, i)
			}
		}
	}
	check("Addressing.Known", o.Addressing.Known)
	check("Domains.Internal", o.Domains.Internal)
	check("Domains.Partners", o.Domains.Partners)
	check("Domains.Allow", o.Domains.Allow)
	check("Domains.Deny", o.Domains.Deny)
	for i, group := range o.Visible.Together {
		check(fmt.Sprintf("Visible.Together[%d]", i), group)
	}
}

// hasControl reports control characters other than those of but.
func hasControl(s, but string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return (r < ' ' || r == 0x7f) && !strings.ContainsRune(but, r) })
}
