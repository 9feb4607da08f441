package main

import (
	"errors"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/policy/phi"
)

// detectorConfig are the keys of the block policy that set up the classifier
// phi.
type detectorConfig struct {
	threshold value[float64]
	terms     []termConfig
	allow     []value[string]
}

type termConfig struct {
	line                         int
	exact, prefix, pattern, kind value[string]
}

// keys are the setters of the classifier's keys.
func (d *detectorConfig) keys(s *strict) map[string]setter {
	return map[string]setter{
		"threshold": s.fraction(&d.threshold),
		"terms":     d.takeTerms(s),
		"allow":     s.texts(&d.allow),
	}
}

func (d *detectorConfig) takeTerms(s *strict) setter {
	return s.list(func(key string, n *yaml.Node) {
		t := termConfig{line: n.Line}
		if n.Kind == yaml.ScalarNode {
			s.text(&t.exact)(key, n)
		} else {
			s.mapping(key, n, map[string]setter{
				"exact": s.text(&t.exact), "prefix": s.text(&t.prefix), "pattern": s.text(&t.pattern), "type": s.text(&t.kind),
			})
		}
		d.terms = append(d.terms, t)
	})
}

// fraction reads a number above 0 and at most 1.
func (s *strict) fraction(to *value[float64]) setter {
	return func(key string, n *yaml.Node) {
		text, ok := s.scalar(key, n)
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v > 0 && v <= 1) {
			s.faultf(n.Line, key, "must be a number above 0 and at most 1")
			return
		}
		*to = value[float64]{v: v, line: n.Line, key: key}
	}
}

// check finds what does not go together.
func (d *detectorConfig) check(s *strict, classifier string) {
	if classifier != "phi" {
		for _, k := range []struct {
			line int
			key  string
		}{{d.threshold.line, "policy.threshold"}, {firstLine(d.terms), "policy.terms"}, {lineOf(d.allow), "policy.allow"}} {
			if k.line > 0 {
				s.faultf(k.line, k.key, "only the classifier phi has it; write classifier: phi, or remove it")
			}
		}
		return
	}
	if _, err := d.make(); err != nil {
		walk(err, func(e error) {
			line, key := firstLine(d.terms), "policy.terms"
			text := e.Error()
			if i := indexIn(text); i >= 0 && len(text) > 9 && text[5:10] == "Terms" && i < len(d.terms) {
				line = d.terms[i].line
			} else if i >= 0 && len(text) > 9 && text[5:10] == "Allow" && i < len(d.allow) {
				line, key = d.allow[i].line, "policy.allow"
			}
			s.faultf(line, key, "%s", text)
		})
	}
}

func firstLine(t []termConfig) int {
	if len(t) == 0 {
		return 0
	}
	return t[0].line
}

func lineOf(v []value[string]) int {
	if len(v) == 0 {
		return 0
	}
	return v[0].line
}

func (d *detectorConfig) make() (*phi.Detector, error) {
	o := phi.Options{Threshold: d.threshold.v}
	for _, t := range d.terms {
		o.Terms = append(o.Terms, phi.Term{Exact: t.exact.v, Prefix: t.prefix.v, Pattern: t.pattern.v, Type: t.kind.v})
	}
	for _, a := range d.allow {
		o.Allow = append(o.Allow, a.v)
	}
	return phi.New(o)
}

// detector is the classifier of the configuration, also where it is not set to
// be used: for a dry run.
func (c *config) detector() (*phi.Detector, error) {
	d, err := c.policy.detector.make()
	if err != nil {
		return nil, c.fault(0, "policy", errors.Join(err).Error())
	}
	return d, nil
}
