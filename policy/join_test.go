package policy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/phimail/sdk/policy"
)

// classifier is a function that classifies.
type classifier func(ctx context.Context, c *policy.Content) (policy.Classification, error)

func (f classifier) Classify(ctx context.Context, c *policy.Content) (policy.Classification, error) {
	return f(ctx, c)
}

func says(v policy.Classification) classifier {
	return func(context.Context, *policy.Content) (policy.Classification, error) { return v, nil }
}

func TestJoinTakesTheStricterAnswer(t *testing.T) {
	t.Parallel()
	no := policy.Classification{NoPHI: true, Score: 0.1, Codes: []string{"clean"}}
	yes := policy.Classification{
		Score: 0.9, Codes: []string{"name"}, Special: []policy.Category{policy.HIVSTI},
		Findings: []policy.Finding{{Field: "text", Type: "NAME", End: 3}},
	}
	for name, c := range map[string]struct {
		second classifier
		noPHI  bool
		code   string
	}{
		"both say no":     {says(no), true, "clean"},
		"one says yes":    {says(yes), false, "name"},
		"nothing is PHI":  {says(policy.Classification{}), false, "clean"},
		"one fails":       {func(context.Context, *policy.Content) (policy.Classification, error) { return no, errors.New("x") }, false, "second-error"},
		"one panics":      {func(context.Context, *policy.Content) (policy.Classification, error) { panic("x") }, false, "second-panic"},
		"a score is NaN":  {says(policy.Classification{NoPHI: true, Score: math.NaN()}), false, "second-error"},
		"a score above 1": {says(policy.Classification{NoPHI: true, Score: 7}), false, "second-error"},
	} {
		for _, order := range [][2]int{{0, 1}, {1, 0}} {
			both := []policy.Joined{{Name: "first", Classifier: says(no)}, {Name: "second", Classifier: c.second}}
			j, err := policy.Join(both[order[0]], both[order[1]])
			if err != nil {
				t.Fatal(err)
			}
			got, err := j.Classify(t.Context(), &policy.Content{})
			if err != nil || got.NoPHI != c.noPHI || !slices.Contains(got.Codes, c.code) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			if name == "one says yes" && (got.Score != 0.9 || len(got.Special) != 1 || len(got.Findings) != 1) {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

func TestJoinDoesNotWaitForASlowClassifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := classifier(func(ctx context.Context, _ *policy.Content) (policy.Classification, error) {
			<-ctx.Done()
			return policy.Classification{NoPHI: true}, ctx.Err()
		})
		release := make(chan struct{})
		deaf := classifier(func(context.Context, *policy.Content) (policy.Classification, error) {
			<-release
			return policy.Classification{NoPHI: true}, nil
		})
		j, err := policy.Join(policy.Joined{Name: "slow", Classifier: slow}, policy.Joined{Name: "deaf", Classifier: deaf})
		if err != nil {
			t.Fatal(err)
		}
		got, err := j.Classify(t.Context(), &policy.Content{})
		if err != nil || got.NoPHI || !slices.Equal(got.Codes, []string{"slow-timeout", "deaf-timeout"}) {
			t.Errorf("%+v, %v", got, err)
		}
		close(release)
	})
}

func TestJoinListsEveryFault(t *testing.T) {
	t.Parallel()
	if _, err := policy.Join(); err == nil {
		t.Error("nothing was joined")
	}
	_, err := policy.Join(policy.Joined{Name: "a", Classifier: says(policy.Classification{})}, policy.Joined{Name: "a", Timeout: -1})
	for _, want := range []string{"is nil", "name of classifier 1", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func attachment(name, content string) policy.Attachment {
	return policy.Attachment{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

// pdf is a host's extractor.
type pdf struct{ err error }

func (p pdf) Extract(_ context.Context, a policy.Attachment) (string, error) {
	switch {
	case !strings.HasSuffix(a.Name, ".pdf"):
		return "", policy.ErrUnread
	case p.err != nil && p.err.Error() == "panic":
		panic(a.Name)
	}
	return "text of a page", p.err
}

func TestExtractAsksTheHostsExtractors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file  policy.Attachment
		hosts []policy.Extractor
		text  string
		code  string
	}{
		"built in":                 {attachment("a.csv", "n\n1\n"), nil, "n\nn: 1\n\n", ""},
		"nobody reads it":          {attachment("a.pdf", "%PDF"), nil, "", "attachment-kind"},
		"a host reads it":          {attachment("a.pdf", "%PDF"), []policy.Extractor{nil, pdf{}}, "text of a page", ""},
		"a host can't":             {attachment("a.zip", "PK"), []policy.Extractor{pdf{}}, "", "attachment-kind"},
		"a host fails":             {attachment("a.pdf", "%PDF"), []policy.Extractor{pdf{errors.New("x")}}, "", "attachment-extractor"},
		"a host panics":            {attachment("a.pdf", "%PDF"), []policy.Extractor{pdf{errors.New("panic")}}, "", "attachment-extractor"},
		"a second host reads it":   {attachment("a.pdf", "%PDF"), []policy.Extractor{pdf{errors.New("x")}, pdf{}}, "text of a page", ""},
		"opening it panics":        {policy.Attachment{Name: "a.txt", Open: func() (io.ReadCloser, error) { panic("x") }}, nil, "", "attachment-source"},
		"it is not what it claims": {attachment("a.json", "Ada"), nil, "", "attachment-malformed"},
	} {
		text, err := policy.Extract(t.Context(), c.file, c.hosts...)
		var e *policy.ExtractError
		if text != c.text || (c.code == "") != (err == nil) || c.code != "" && (!errors.As(err, &e) || e.Code != c.code || !errors.Is(err, policy.ErrUnread)) {
			t.Errorf("%s: %q, %v; want %q, %s", name, text, err, c.text, c.code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := policy.Extract(ctx, attachment("a.txt", "Ada"), pdf{}); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Error(err)
	}
}

func ExampleJoin() {
	clean := policy.Classification{NoPHI: true}
	both, err := policy.Join(
		policy.Joined{Name: "words", Classifier: says(clean)},
		policy.Joined{Name: "remote", Classifier: classifier(func(context.Context, *policy.Content) (policy.Classification, error) {
			return clean, errors.New("the service can't be reached")
		})},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := both.Classify(context.Background(), &policy.Content{Text: "Our office is closed on Monday."})
	fmt.Println(c.NoPHI, c.Codes, err)
	// Output: false [remote-error] <nil>
}

func ExampleExtract() {
	text, err := policy.Extract(context.Background(), attachment("oru.hl7", "MSH|^~\\&|LAB\rPID|1||4711||DAY^ADA||19700101\r"))
	fmt.Println(strings.Contains(text, "PID-5 patient name: DAY ADA"), err)
	_, err = policy.Extract(context.Background(), attachment("scan.pdf", "%PDF-1.7"))
	fmt.Println(errors.Is(err, policy.ErrUnread), err)
	// Output:
	// true <nil>
	// true policy: the attachment counts as PHI: attachment-kind
}
