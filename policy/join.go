package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// defaultJoinTimeout is how long a joined classifier may take.
const defaultJoinTimeout = 5 * time.Second

// Joined is one of the classifiers of [Join].
type Joined struct {
	// Name stands in Classification.Codes if it fails: "NAME-error",
	// "NAME-panic" or "NAME-timeout". Lower-case letters, digits and "-".
	Name string
	// Classifier is required.
	Classifier Classifier
	// Timeout is how long it may take, 5 seconds by default. A classifier that
	// does not end with its context goes on for nothing.
	Timeout time.Duration
}

// Join asks all classifiers at the same time, such as the built-in detector and
// a remote one, and takes the stricter answer: the message holds no PHI only if
// each of them says so. The score is the highest; categories, findings and codes
// are those of all. One that fails, panics, answers nonsense or does not answer
// in time counts as PHI, with the reason among the codes.
func Join(list ...Joined) (Classifier, error) {
	var errs []error
	list = slices.Clone(list)
	if len(list) == 0 {
		errs = append(errs, errors.New("policy: Join needs a classifier; without one every message is PHI, and that is nil"))
	}
	seen := map[string]bool{}
	for i := range list {
		j := &list[i]
		if j.Classifier == nil {
			errs = append(errs, fmt.Errorf("policy: Join: classifier %d is nil", i))
		}
		if !validJoinName(j.Name) || seen[j.Name] {
			errs = append(errs, fmt.Errorf("policy: Join: the name of classifier %d is empty, used twice, or not of a-z, 0-9 and -", i))
		}
		seen[j.Name] = true
		switch {
		case j.Timeout < 0:
			errs = append(errs, fmt.Errorf("policy: Join: the timeout of classifier %d is negative", i))
		case j.Timeout == 0:
			j.Timeout = defaultJoinTimeout
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &joint{list: list}, nil
}

func validJoinName(s string) bool {
	for i := range len(s) {
		if b := s[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

type joint struct{ list []Joined }

func (j *joint) Classify(ctx context.Context, c *Content) (Classification, error) {
	answers := make([]chan Classification, len(j.list))
	for i := range j.list {
		answers[i] = make(chan Classification, 1)
		go func() { answers[i] <- j.list[i].ask(ctx, c) }()
	}
	sum := Classification{NoPHI: true}
	for _, a := range answers {
		sum.stricter(<-a)
	}
	return sum, nil
}

// ask returns the answer of one classifier, or what its failure counts as.
func (j *Joined) ask(ctx context.Context, c *Content) Classification {
	ctx, cancel := context.WithTimeout(ctx, j.Timeout)
	defer cancel()
	failed := func(how string) Classification {
		return Classification{Score: 1, Codes: []string{j.Name + "-" + how}}
	}
	done := make(chan Classification, 1)
	go func() {
		verdict := failed("panic")
		defer func() { done <- verdict }()
		defer func() { _ = recover() }() // verdict says so
		v, err := j.Classifier.Classify(ctx, c)
		switch {
		case err != nil && ctx.Err() != nil:
			verdict = failed("timeout")
		case err != nil, v.Score < 0 || v.Score > 1 || v.Score != v.Score:
			verdict = failed("error")
		default:
			verdict = v
		}
	}()
	select {
	case v := <-done:
		return v
	case <-ctx.Done():
		return failed("timeout")
	}
}

// stricter takes over what other says beyond c.
func (c *Classification) stricter(other Classification) {
	c.NoPHI = c.NoPHI && other.NoPHI
	c.Score = max(c.Score, other.Score)
	c.Findings = append(c.Findings, other.Findings...)
	for _, s := range other.Special {
		if !slices.Contains(c.Special, s) {
			c.Special = append(c.Special, s)
		}
	}
	for _, code := range other.Codes {
		if !slices.Contains(c.Codes, code) {
			c.Codes = append(c.Codes, code)
		}
	}
}
