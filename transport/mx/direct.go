package mx

import (
	"context"
	"slices"
	"strings"

	"github.com/phimail/sdk/transport"
)

// Direct is what a [Prober] says to whoever delivers by a [Transport] that asks
// it: one server that is proven is enough, since no other will get clear
// content. A relay may come to each of them; see [Prober.Probe].
type Direct struct{ Prober *Prober }

// Probe says what can be proven about a domain; see [transport.Prober].
func (d Direct) Probe(ctx context.Context, domain string) (*transport.Reach, error) {
	dest, err := d.Prober.Destination(ctx, domain)
	if err != nil {
		return nil, err
	}
	r := dest.reach()
	if r.Excluded = dest.Excluded; r.Excluded != nil {
		r.Proven, r.Reason = false, transport.ErrExcluded
		return r, nil
	}
	var by []string
	for i := range r.Servers {
		if s := &r.Servers[i]; s.Reason == "" && !slices.Contains(by, s.By) {
			by = append(by, s.By)
		}
	}
	if len(by) == 0 {
		if e := dest.unknown(); e != nil {
			return nil, e
		}
		return r, nil
	}
	slices.Sort(by)
	r.Proven, r.Reason, r.By = true, "", strings.Join(by, "+")
	return r, nil
}
