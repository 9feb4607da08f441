package fhir

import (
	"strings"
	"time"
)

type (
	humanName struct {
		Use    string   `json:"use"`
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
		Period period   `json:"period"`
	}
	contactPoint struct {
		System string `json:"system"`
		Value  string `json:"value"`
		Use    string `json:"use"`
		Rank   uint   `json:"rank"`
		Period period `json:"period"`
	}
	period struct {
		Start string `json:"start"`
		End   string `json:"end"`
	}
)

// Email returns the e-mail address to use at a time: one that is not marked as
// old and whose period holds, the one with the lowest rank first. It is empty if
// there is none.
func (p *Patient) Email(now time.Time) string {
	var best *contactPoint
	for i := range p.telecoms {
		t := &p.telecoms[i]
		if t.System != "email" || t.Value == "" || t.Use == "old" || !t.Period.holds(now) {
			continue
		}
		if best == nil || t.before(best) {
			best = t
		}
	}
	if best == nil {
		return ""
	}
	return best.Value
}

// before compares ranks: 1 is the most preferred, none comes last.
func (t *contactPoint) before(u *contactPoint) bool {
	return t.Rank != 0 && (u.Rank == 0 || t.Rank < u.Rank)
}

// Name returns the patient's name in full and how to greet them. Both are empty
// if the resource has no name in use.
func (p *Patient) Name(now time.Time) (full, greeting string) {
	name := p.nameInUse(now)
	if name == nil {
		return "", ""
	}
	full = name.Text
	if full == "" {
		full = strings.TrimSpace(strings.Join(name.Given, " ") + " " + name.Family)
	}
	// A name that states its text is not always given name first.
	if name.Text != "" || len(name.Given) == 0 {
		return full, full
	}
	return full, name.Given[0]
}

func (p *Patient) nameInUse(now time.Time) *humanName {
	for _, use := range []string{"usual", "official", ""} {
		for i := range p.names {
			if n := &p.names[i]; n.Use == use && n.Period.holds(now) {
				return n
			}
		}
	}
	return nil
}

// holds reports whether now lies within p. A bound that can't be read excludes.
func (p period) holds(now time.Time) bool {
	if p.Start != "" {
		from, _, ok := parseDateTime(p.Start)
		if !ok || now.Before(from) {
			return false
		}
	}
	if p.End != "" {
		_, until, ok := parseDateTime(p.End)
		if !ok || !now.Before(until) {
			return false
		}
	}
	return true
}

// parseDateTime reads a FHIR dateTime, which may be a year, a month or a day
// only, and returns the span that it covers.
func parseDateTime(s string) (from, until time.Time, ok bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, t.Add(time.Second), true
	}
	for _, form := range []struct {
		layout        string
		years, months int
		days          int
	}{
		{layout: "2006", years: 1},
		{layout: "2006-01", months: 1},
		{layout: time.DateOnly, days: 1},
	} {
		if t, err := time.Parse(form.layout, s); err == nil {
			return t, t.AddDate(form.years, form.months, form.days), true
		}
	}
	return time.Time{}, time.Time{}, false
}
