package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/rulefile"
)

func (a *app) policy(ctx context.Context, args []string) error {
	if asksHelp(args) {
		return a.helpOn("policy")
	}
	if len(args) == 0 || args[0] != "test" && args[0] != "docs" {
		return fail(exitUsage, "policy: there is test and docs, and no other; phimail policy -h explains them")
	}
	var file string
	f := newFlags("policy")
	f.StringVar(&file, "config", "", "")
	if helped, err := f.parse(a, args[1:]); err != nil || helped {
		return err
	}
	switch {
	case file == "":
		return fail(exitUsage, "policy: -config is missing; name the configuration file")
	case args[0] == "docs" && f.NArg() == 0:
		return a.policyDocs(file) //nolint:contextcheck // a condition has a time limit of its own
	case args[0] == "docs":
		return fail(exitUsage, "policy docs takes no other words")
	case f.NArg() == 0:
		return fail(exitUsage, "policy test: name a file of cases (flags come first)")
	}
	cfg, err := loadConfig(file)
	if err != nil {
		return &failure{exitConfig, err}
	}
	report := &testReport{}
	for _, path := range f.Args() {
		if err := a.testPolicy(ctx, cfg, path, report); err != nil {
			return err
		}
	}
	if err := writeJSON(a.stdout, report); err != nil {
		return fail(exitAudit, "the report could not be written to standard output")
	}
	if report.Failed > 0 {
		return fail(exitData, "%d of %d cases failed", report.Failed, report.Cases)
	}
	return nil
}

// policyDocs writes the rules of the configuration as a page for people.
func (a *app) policyDocs(file string) error {
	cfg, err := loadConfig(file)
	if err != nil {
		return &failure{exitConfig, err}
	}
	rules, err := cfg.loadRules()
	if err != nil {
		return &failure{exitConfig, err}
	}
	var pc phimail.Config
	if err := a.policyFor(cfg, &pc, rules, cfg.peekSecret); err != nil {
		return &failure{exitConfig, err}
	}
	set, ok := pc.Policy.(*policy.RuleSet)
	if !ok {
		return fail(exitConfig, "the policy has no rules to show")
	}
	if _, err := io.WriteString(a.stdout, policy.Page(set.Rules(), true)); err != nil {
		return fail(exitAudit, "the page could not be written to standard output")
	}
	return nil
}

// testReport is what policy test writes.
type testReport struct {
	Cases   int        `json:"cases"`
	Failed  int        `json:"failed"`
	Results []testCase `json:"results"`
}

type testCase struct {
	File        string   `json:"file"`
	Line        int      `json:"line"`
	Name        string   `json:"name"`
	Status      string   `json:"status"` // ok or failed
	Faults      []string `json:"faults,omitempty"`
	Explanation []string `json:"explanation,omitempty"`
}

// testPolicy runs one file against the policy of the configuration and the rule
// files that the cases name.
func (a *app) testPolicy(ctx context.Context, c *config, path string, report *testReport) error {
	data, err := readRules(path)
	if err != nil {
		return &failure{exitUsage, fmt.Errorf("%s: %s", path, pathReason("the file of cases", err))}
	}
	cases, err := rulefile.ParseCases(path, data)
	if err != nil {
		return &failure{exitData, err}
	}
	var more []string
	for _, r := range cases.RuleFiles() {
		if !filepath.IsAbs(r) {
			r = filepath.Join(filepath.Dir(path), r)
		}
		more = append(more, r)
	}
	rules, err := c.loadRules(more...) //nolint:contextcheck // a condition has a time limit of its own
	if err != nil {
		return &failure{exitConfig, err}
	}
	var pc phimail.Config
	if err := a.policyFor(c, &pc, rules, c.peekSecret); err != nil {
		return &failure{exitConfig, err}
	}
	results, err := cases.Run(ctx, pc.Policy, pc.Classifier)
	if err != nil {
		return &failure{exitDeferred, errors.New("interrupted")}
	}
	for _, r := range results {
		t := testCase{File: path, Line: r.Line, Name: r.Name, Status: "ok", Faults: r.Faults, Explanation: r.Explanation}
		if len(r.Faults) > 0 {
			t.Status = "failed"
			report.Failed++
		}
		report.Cases++
		report.Results = append(report.Results, t)
	}
	return nil
}

const helpPolicy = `usage: phimail policy test -config FILE CASES...
       phimail policy docs -config FILE

Runs files of example messages with the verdicts that are expected of them against
the rules of the configuration. Nothing is sent or recorded. It writes
{"cases","failed","results":[{"file","line","name","status","faults","explanation"}]}
to standard output and exits with 0, or with 65 if a case fails, or the file of
cases is not valid; 78 if the configuration or a rule file is not.

A file of cases:

    rules: [more-rules.yaml]     # rule files to test beside those of policy.rules
    cases:
      - name: psychotherapy notes don't go by TLS alone
        message: {to: [ada@example.org], purpose: treatment, subject: "Notes"}
        classification: {phi: true, special: [mental_health]}
        expect: {verdict: allow, modes: [smime, pgp, escrow], second_factor: true}

docs writes the rules of the configuration to standard output, as a page in Markdown
for compliance officers: what each does, its source, and how it is set up.

The rules and both kinds of file: policy/RULES.md in the library's source.
`
