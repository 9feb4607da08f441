// Package recordindex finds records in memory by address and by patient.
package recordindex

import (
	"slices"

	"github.com/phimail/sdk/policy"
)

// Index is what stores in memory share. Its zero value is empty. It is not safe
// for concurrent use while records are added.
type Index struct {
	records            []policy.Record
	byAddress, byOwner map[key][]int32
	ids                map[key]struct{}
}

// key keeps tenants apart.
type key struct{ tenant, value string }

// Add appends r, unless its tenant has a record of its ID.
func (x *Index) Add(r *policy.Record) bool {
	if x.ids == nil {
		x.byAddress, x.byOwner, x.ids = map[key][]int32{}, map[key][]int32{}, map[key]struct{}{}
	}
	if r.ID != "" {
		id := key{r.Tenant, r.ID}
		if _, ok := x.ids[id]; ok {
			return false
		}
		x.ids[id] = struct{}{}
	}
	n := int32(len(x.records)) //nolint:gosec // a store holds fewer
	x.records = append(x.records, *r)
	if r.Address != "" {
		k := key{r.Tenant, r.Address}
		x.byAddress[k] = append(x.byAddress[k], n)
	}
	if r.Patient != "" {
		k := key{r.Tenant, r.Patient}
		x.byOwner[k] = append(x.byOwner[k], n)
	}
	return true
}

// Has reports whether a tenant has a record of that ID.
func (x *Index) Has(tenant, id string) bool {
	_, ok := x.ids[key{tenant, id}]
	return ok
}

// Len is the number of records.
func (x *Index) Len() int { return len(x.records) }

// At returns record i, from 0, in the order of adding.
func (x *Index) At(i int) policy.Record { return x.records[i] }

// Find returns the records of q, the oldest first, nil if there are none.
func (x *Index) Find(q policy.RecordQuery) []policy.Record {
	var hits []int32
	for _, a := range q.Addresses {
		hits = append(hits, x.byAddress[key{q.Tenant, a}]...)
	}
	for _, p := range q.Patients {
		hits = append(hits, x.byOwner[key{q.Tenant, p}]...)
	}
	if len(hits) == 0 {
		return nil
	}
	slices.Sort(hits)
	hits = slices.Compact(hits)
	found := make([]policy.Record, len(hits))
	for i, n := range hits {
		found[i] = x.records[n]
		found[i].Modes = slices.Clone(found[i].Modes)
	}
	slices.SortStableFunc(found, func(a, b policy.Record) int { return a.At.Compare(b.At) })
	return found
}
