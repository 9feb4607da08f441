package tlsrpt

import (
	"bytes"
	"testing"
	"time"
)

// A day's file that was damaged yields what is left of it, and valid reports.
func FuzzDayFile(f *testing.F) {
	f.Add([]byte(`{"policy":{"policy-type":"sts","policy-domain":"a.example"},"ok":3}` + "\n"))
	f.Add([]byte(`{"policy":{"policy-type":"sts","policy-domain":"a.example"},"ok":-3,"failed":9223372036854775807,` +
		`"details":[{"result-type":"tlsa-invalid","failed-session-count":9223372036854775807}]}` + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const date = "2026-11-09"
		noon := time.Date(2026, 11, 9, 12, 0, 0, 0, time.UTC)
		r, err := New(Config{Organization: "o", Contact: "c", Clock: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		if r.read(date, bytes.NewReader(in)) != nil {
			return
		}
		list, err := r.Reports(t.Context(), noon)
		if err != nil {
			t.Fatal(err)
		}
		for _, rep := range list {
			if err := rep.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
