package mx

import (
	"testing"
	"time"

	"github.com/phimail/sdk/transport/internal/mtasts"
)

func FuzzStoredPolicy(f *testing.F) {
	f.Add([]byte(`{"version":1,"domain":"a.example","id":"1","fetched":"2026-01-02T03:04:05Z","policy":"version: STSv1\nmode: enforce\nmx: a\nmax_age: 1\n"}`))
	f.Add([]byte(`{"version":1,"domain":"A.example"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := decode(data, "a.example")
		if h == nil {
			return
		}
		if !mtasts.ID(h.id) || h.policy == nil || h.policy.MaxAge > mtasts.MaxAge {
			t.Errorf("%+v", h)
		}
		if at := h.fetched.Add(-time.Hour); !h.ended(at) {
			t.Error("a policy of the future holds")
		}
	})
}
