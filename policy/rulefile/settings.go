package rulefile

import (
	"fmt"
	"maps"
	"strings"

	"github.com/phimail/sdk/policy"
)

// settings are those of the built-in rules, by their names.
type settings struct {
	Special struct {
		Ordinary  []category `yaml:"ordinary"`
		Never     []category `yaml:"never"`
		Statement text       `yaml:"statement"`
	} `yaml:"special"`
	Naming     naming  `yaml:"naming"`
	Minimum    []limit `yaml:"minimum-necessary"`
	Agreements struct {
		Regions  []text          `yaml:"regions"`
		RegionOf map[string]text `yaml:"region_of"`
	} `yaml:"agreements"`
	Roles     []role    `yaml:"roles"`
	Marketing marketing `yaml:"marketing"`
	Visible   struct {
		Together [][]text `yaml:"together"`
	} `yaml:"visible-recipients"`
	Addressing struct {
		Known    []text `yaml:"known"`
		Verified bool   `yaml:"verified"`
		Doubtful action `yaml:"doubtful"`
	} `yaml:"addressing"`
	Domains struct {
		Internal []text `yaml:"internal"`
		Partners []text `yaml:"partners"`
		Allow    []text `yaml:"allow"`
		Deny     []text `yaml:"deny"`
	} `yaml:"domains"`
	Anomalies struct {
		Bytes        int64 `yaml:"bytes"`
		ActorHour    int   `yaml:"actor_hour"`
		TenantHour   int   `yaml:"tenant_hour"`
		RecipientDay int   `yaml:"recipient_day"`
		Refuse       bool  `yaml:"refuse"`
	} `yaml:"anomalies"`
	Disclaimers []disclaimer `yaml:"disclaimers"`
	KeyChange   action       `yaml:"key-change"`
}

type naming struct {
	Refuse bool `yaml:"refuse"`
}

type limit struct {
	Purpose     purpose    `yaml:"purpose"`
	Attachments int        `yaml:"attachments"`
	Recipients  int        `yaml:"recipients"`
	Bytes       int64      `yaml:"bytes"`
	Without     []category `yaml:"without"`
	Over        action     `yaml:"over"`
}

type role struct {
	Name       text       `yaml:"name"`
	Purposes   []purpose  `yaml:"purposes"`
	Categories []category `yaml:"categories"`
}

type marketing struct {
	PostalAddress  text `yaml:"postal_address"`
	UnsubscribeURL text `yaml:"unsubscribe_url"`
	KeyFile        text `yaml:"key_file"`
}

type disclaimer struct {
	notice   `yaml:",inline"`
	Streams  []stream  `yaml:"streams"`
	Purposes []purpose `yaml:"purposes"`
	External bool      `yaml:"external"`
}

func (s *settings) check(f *faults) {
	for i := range s.Minimum {
		if !s.Minimum[i].Purpose.set {
			f.addf(0, fmt.Sprintf("settings.minimum-necessary[%d]", i), "needs a purpose")
		}
	}
	m := &s.Marketing
	if (m.UnsubscribeURL.v == "") != (m.KeyFile.v == "") {
		f.addf(max(m.UnsubscribeURL.line, m.KeyFile.line), "settings.marketing", "unsubscribe_url and key_file belong together; set both or neither")
	}
	if m.UnsubscribeURL.v != "" && !strings.HasPrefix(m.UnsubscribeURL.v, "https://") {
		f.addf(m.UnsubscribeURL.line, "settings.marketing.unsubscribe_url", "must begin with https://")
	}
	// The library finds the rest, and names the field.
	var o policy.Options
	s.apply(&o)
	if _, err := policy.New(o); err != nil {
		f.addf(0, "settings", "%s", plain(err, "policy: "))
	}
}

// Unsubscribe is where recipients opt out and the file that holds the key of the
// links, both empty if the file does not say.
func (out *File) Unsubscribe() (url, keyFile string) {
	m := &out.doc.Settings.Marketing
	return m.UnsubscribeURL.v, m.KeyFile.v
}

func (s *settings) apply(o *policy.Options) {
	o.Special.Ordinary = append(o.Special.Ordinary, categories(s.Special.Ordinary)...)
	o.Special.Never = append(o.Special.Never, categories(s.Special.Never)...)
	set(&o.Special.Statement, s.Special.Statement.v)
	o.Naming.Refuse = o.Naming.Refuse || s.Naming.Refuse
	for _, l := range s.Minimum {
		o.Minimum = append(o.Minimum, policy.Limit{
			Purpose: l.Purpose.v, Attachments: l.Attachments, Recipients: l.Recipients, Bytes: l.Bytes,
			Without: categories(l.Without), Over: l.Over.v,
		})
	}
	o.Agreements.Regions = append(o.Agreements.Regions, texts(s.Agreements.Regions)...)
	if len(s.Agreements.RegionOf) > 0 {
		regions := maps.Clone(o.Agreements.RegionOf)
		if regions == nil {
			regions = map[string]string{}
		}
		for name, region := range s.Agreements.RegionOf {
			regions[name] = region.v
		}
		o.Agreements.RegionOf = regions
	}
	for _, r := range s.Roles {
		o.Roles = append(o.Roles, policy.Role{Name: r.Name.v, Purposes: purposes(r.Purposes), Categories: categories(r.Categories)})
	}
	set(&o.Marketing.PostalAddress, s.Marketing.PostalAddress.v)
	for _, group := range s.Visible.Together {
		o.Visible.Together = append(o.Visible.Together, texts(group))
	}
	s.applyDomains(o)
	a := &s.Anomalies
	set(&o.Anomalies.Bytes, a.Bytes)
	set(&o.Anomalies.ActorHour, a.ActorHour)
	set(&o.Anomalies.TenantHour, a.TenantHour)
	set(&o.Anomalies.RecipientDay, a.RecipientDay)
	o.Anomalies.Refuse = o.Anomalies.Refuse || a.Refuse
	for i := range s.Disclaimers {
		d := &s.Disclaimers[i]
		o.Disclaimers = append(o.Disclaimers, policy.Disclaimer{
			Streams: streams(d.Streams), Purposes: purposes(d.Purposes), External: d.External, Notice: d.notice.notice(),
		})
	}
	if s.KeyChange.set {
		o.KeyChange = s.KeyChange.v
	}
}

func (s *settings) applyDomains(o *policy.Options) {
	o.Addressing.Known = append(o.Addressing.Known, texts(s.Addressing.Known)...)
	o.Addressing.RequireVerified = o.Addressing.RequireVerified || s.Addressing.Verified
	if s.Addressing.Doubtful.set {
		o.Addressing.Doubtful = s.Addressing.Doubtful.v
	}
	d := &s.Domains
	o.Domains.Internal = append(o.Domains.Internal, texts(d.Internal)...)
	o.Domains.Partners = append(o.Domains.Partners, texts(d.Partners)...)
	o.Domains.Allow = append(o.Domains.Allow, texts(d.Allow)...)
	o.Domains.Deny = append(o.Domains.Deny, texts(d.Deny)...)
}

func texts(list []text) []string { return values(list, func(t text) string { return t.v }) }

// set changes v where the file says something.
func set[T comparable](v *T, to T) {
	var zero T
	if to != zero {
		*v = to
	}
}
