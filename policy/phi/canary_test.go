package phi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// TestNothingOfTheMessageLeaks looks for the marker in everything that the
// detector says or that Go prints of it (invariant 3).
func TestNothingOfTheMessageLeaks(t *testing.T) {
	t.Parallel()
	const marker = "Zanzibarius"
	boom := func() (io.ReadCloser, error) { return nil, errors.New(marker) }
	d := newDetector(t, phi.Options{
		Terms: []phi.Term{{Exact: marker, Type: "MRN"}, {Prefix: marker + "x"}, {Pattern: marker + "[0-9]"}},
		Allow: []string{marker + "@" + marker + ".example"},
	})
	contents := []policy.Content{
		{Subject: marker, Text: "Patient: " + marker + " " + marker + ", MRN: 00481216, diabetes, HIV positive", Names: []string{marker}},
		{HTML: "<p title='" + marker + "'>Dear " + marker + ", your biopsy results</p>", Fields: map[string]string{"patient_name": marker, marker: "asthma"}},
		{Text: marker, Attachments: []policy.Attachment{{Name: marker + ".pdf", Open: boom}, {Name: marker, Text: marker + " has asthma"}}},
		{Text: strings.Repeat(marker+"\n", 20)},
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range contents {
		r, err := d.Report(t.Context(), &contents[i])
		if err != nil {
			t.Fatal(err)
		}
		_, cancelled := d.Classify(ctx, &contents[i])
		if !errors.Is(cancelled, context.Canceled) {
			t.Errorf("content %d: a context that has ended gives %v", i, cancelled)
		}
		for k := range r.Findings {
			// The name of a field is the host's own.
			r.Findings[k].Field = strings.TrimSuffix(r.Findings[k].Field, marker)
		}
		said, err := json.Marshal(r) //nolint:musttag // as anybody would encode it
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "report", r, "detector", d, "err", cancelled)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "report", r, "detector", d, "err", cancelled)
		all := fmt.Sprintf("%s %s %v %+v %#v %s %q %v %+v %#v %v", said, log.String(), r, r, r, d, d, d, d, d, cancelled)
		if strings.Contains(all, marker) {
			t.Errorf("content %d: the marker is in %s", i, all)
		}
	}
}
