package phimail_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// composers are where the leaves are put together.
var composers = []string{"phimail", "examples"}

// importFaults checks the import law: a package imports its ancestors, its
// family's internal packages and what its module requires. Only phimail and
// examples compose, and nothing imports them. An external test may import any
// package.
func importFaults(sources []*source) []string {
	var faults []string
	for _, s := range sources {
		if s.external() || composes(s.dir()) {
			continue
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				faults = append(faults, s.at(spec)+": not a path")
				continue
			}
			to, ours := strings.CutPrefix(imported, modulePath+"/")
			if ours && !mayImport(s.dir(), to) {
				faults = append(faults, s.at(spec)+": "+s.dir()+" must not import "+to)
			}
		}
	}
	return faults
}

func composes(dir string) bool { return slices.Contains(composers, family(dir)) }

// family is the leaf that a package belongs to.
func family(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func mayImport(from, to string) bool {
	if from == to || strings.HasPrefix(from, to+"/") {
		return true
	}
	return family(from) == family(to) && slices.Contains(strings.Split(to, "/"), "internal")
}

func TestImportLaw(t *testing.T) {
	t.Parallel()
	sources := mustRepository(t)
	for _, leaf := range []string{"policy", "dkim", "audit", "transport"} {
		if !slices.ContainsFunc(sources, func(s *source) bool { return s.dir() == leaf }) {
			t.Errorf("%s has no source: the walk went wrong", leaf)
		}
	}
	for _, fault := range importFaults(sources) {
		t.Error(fault)
	}
}

func TestImportLawFindsPlantedViolations(t *testing.T) {
	t.Parallel()
	file := func(pkg, imported string) string {
		return "package " + pkg + "\n\nimport _ \"" + imported + "\"\n"
	}
	for name, c := range map[string]struct {
		path, pkg, imported string
		fault               bool
	}{
		"a leaf imports a sibling":             {"audit/x.go", "audit", modulePath + "/policy", true},
		"a leaf imports phimail":               {"dkim/x.go", "dkim", modulePath + "/phimail", true},
		"a deep package imports a sibling":     {"audit/auditfile/x.go", "auditfile", modulePath + "/transport", true},
		"a leaf imports its own public child":  {"transport/x.go", "transport", modulePath + "/transport/smtp", true},
		"cousins import each other":            {"transport/mx/x.go", "mx", modulePath + "/transport/smtp", true},
		"another family's internal":            {"transport/x.go", "transport", modulePath + "/audit/internal/y", true},
		"a test of its own package":            {"audit/x_test.go", "audit", modulePath + "/policy", true},
		"a leaf imports an example":            {"policy/x.go", "policy", modulePath + "/examples/reminder", true},
		"an external test":                     {"audit/x_test.go", "audit_test", modulePath + "/policy", false},
		"an ancestor":                          {"transport/smtp/x.go", "smtp", modulePath + "/transport", false},
		"its family's internal":                {"transport/smtp/x.go", "smtp", modulePath + "/transport/internal/smtpclient", false},
		"its own internal":                     {"transport/x.go", "transport", modulePath + "/transport/internal/smtpclient", false},
		"phimail composes":                     {"phimail/x.go", "phimail", modulePath + "/audit", false},
		"the command composes":                 {"phimail/cmd/phimail/x.go", "main", modulePath + "/audit/auditfile", false},
		"a module that only looks like a leaf": {"audit/x.go", "audit", modulePath + "x/policy", false},
		"the standard library":                 {"audit/x.go", "audit", "crypto/sha256", false},
	} {
		got := importFaults(planted(t, map[string]string{c.path: file(c.pkg, c.imported)}))
		if (len(got) > 0) != c.fault {
			t.Errorf("%s: faults are %v", name, got)
		}
	}
}
