package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/consent"
	"github.com/phimail/sdk/policy/rulefile"
)

// maxRuleFile bounds a file of rules or cases, in bytes.
const maxRuleFile = 1 << 20

// loadedRules are the rule files of a configuration.
type loadedRules struct {
	files []*rulefile.File
	paths []string
}

// loadRules reads policy.rules and the files of more, which a caller named.
func (c *config) loadRules(more ...string) (*loadedRules, error) {
	l := &loadedRules{}
	var faults []error
	for _, v := range c.policy.rules {
		if err := l.load(v.v, c.path(v)); err != nil {
			faults = append(faults, ruleFault(err, func(why string) error { return c.fault(v.line, v.key, why) }))
		}
	}
	for _, path := range more {
		if err := l.load(path, path); err != nil {
			faults = append(faults, ruleFault(err, func(why string) error { return fmt.Errorf("%s: %s", path, why) }))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *loadedRules) load(name, path string) error {
	data, err := readRules(path)
	if err != nil {
		return err
	}
	f, err := rulefile.Parse(name, data)
	if err != nil {
		return err
	}
	l.files, l.paths = append(l.files, f), append(l.paths, path)
	return nil
}

// readRules reads a file of rules or cases. Whoever may write it decides what is
// sent.
func readRules(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case info.Mode().IsRegular() && info.Mode().Perm()&0o002 != 0:
		return nil, errOthersWrite
	}
	return io.ReadAll(io.LimitReader(f, maxRuleFile+1))
}

// ruleFault passes on the faults of a file, and says of others that it can't be
// used.
func ruleFault(err error, cantUse func(why string) error) error {
	if errors.Is(err, rulefile.ErrFile) {
		return err
	}
	return cantUse(reasonOf("the file", err))
}

// secretReader is [config.secretFile] or [config.peekSecret].
type secretReader func(value[string]) ([]byte, error)

// apply adds the files to the options.
func (l *loadedRules) apply(a *app, o *policy.Options, secrets secretReader) error {
	for i, f := range l.files {
		f.Apply(o)
		url, keyFile := f.Unsubscribe()
		if url == "" {
			continue
		}
		if !filepath.IsAbs(keyFile) {
			keyFile = filepath.Join(filepath.Dir(l.paths[i]), keyFile)
		}
		// A rule file that cases name lies beside them, and not beside the
		// configuration, where relative paths start otherwise.
		keyFile, err := filepath.Abs(keyFile)
		if err != nil {
			return err
		}
		secret, err := secrets(value[string]{v: keyFile, key: "key_file of a rule file"})
		if err != nil {
			return err
		}
		links, err := consent.New(consent.Config{Secret: secret, UnsubscribeURL: url, Clock: a.now})
		if err != nil {
			return err
		}
		o.Marketing.Unsubscribe = links.Unsubscribe
	}
	return nil
}

// parties are those that see PHI beside the transport.
func (l *loadedRules) parties() []policy.Party {
	var list []policy.Party
	for _, f := range l.files {
		list = append(list, f.Parties()...)
	}
	return list
}

// classifier looks for the terms of the files beside what first finds. A nil first
// is every message.
func (l *loadedRules) classifier(first policy.Classifier) (policy.Classifier, error) {
	var terms []policy.Term
	for _, f := range l.files {
		terms = append(terms, f.Terms()...)
	}
	if len(terms) == 0 {
		return first, nil
	}
	own, err := policy.NewTerms(terms)
	if err != nil {
		return nil, err
	}
	name := "phi"
	if first == nil {
		name, first = "all", everything{}
	}
	return policy.Join(policy.Joined{Name: name, Classifier: first}, policy.Joined{Name: "terms", Classifier: own})
}

// everything is the classifier all.
type everything struct{}

func (everything) Classify(context.Context, *policy.Content) (policy.Classification, error) {
	return policy.Classification{Score: 1, Codes: []string{"all"}}, nil
}

// policyFor sets up policy, classifier and parties. What sends nothing takes
// c.peekSecret for secrets, and makes no file.
func (a *app) policyFor(c *config, pc *phimail.Config, l *loadedRules, secrets secretReader) error {
	o, err := c.policyOptions()
	if err != nil {
		return c.fault(0, "policy", err.Error())
	}
	if err := l.apply(a, o, secrets); err != nil {
		return err
	}
	if pc.Policy, err = policy.New(*o); err != nil {
		return c.fault(0, "policy", err.Error())
	}
	pc.Parties = l.parties()
	var first policy.Classifier
	if c.policy.classifier.v == "phi" {
		if first, err = c.detector(); err != nil {
			return err
		}
	}
	if pc.Classifier, err = l.classifier(first); err != nil {
		return c.fault(0, "policy.rules", err.Error())
	}
	return nil
}

// ruleFiles says whether the rule files of the configuration are valid.
func (e *examination) ruleFiles(c *config) {
	const name = "rules"
	if len(c.policy.rules) == 0 {
		return
	}
	rules, err := c.loadRules()
	if err == nil {
		var pc phimail.Config
		err = e.app.policyFor(c, &pc, rules, c.peekSecret)
	}
	if err != nil {
		walk(err, func(err error) { e.note(name, checkFail, err.Error(), "correct the file; until then nothing is sent") })
		return
	}
	e.note(name, checkOK, fmt.Sprintf("%d rule files are valid; phimail policy test runs cases", len(rules.files)), "")
}
