package policy

import (
	"fmt"
	"strconv"
)

// Anomalies are limits beyond which something is likely wrong: a loop, a stolen
// account, a whole database attached. Zero numbers are the defaults.
type Anomalies struct {
	// Bytes is the size of a message; 32 MiB.
	Bytes int64
	// ActorHour and TenantHour count recipients in the last 60 minutes; 20,000
	// and 100,000. RecipientDay counts messages to one address in the last 24
	// hours; 100.
	ActorHour, TenantHour, RecipientDay int
	// Refuse refuses in place of holding.
	Refuse bool
}

func (a Anomalies) withDefaults() Anomalies {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	if a.Bytes == 0 {
		a.Bytes = 32 << 20
	}
	or(&a.ActorHour, 20_000)
	or(&a.TenantHour, 100_000)
	or(&a.RecipientDay, 100)
	return a
}

// anomalies: more or larger than ever.
type anomalies struct{ o Anomalies }

func (a anomalies) Judge(f *Facts, i int) Ruling {
	out := Pass()
	over := func(have, limit int64, code, what string) {
		if have <= limit {
			return
		}
		action := HoldMessage
		if a.o.Refuse {
			action = RefuseMessage
		}
		out = out.And(action.object("anomalies", code, "a release, or a higher limit", what+" above "+strconv.FormatInt(limit, 10)))
	}
	n := int64(len(f.Recipients))
	over(f.Size, a.o.Bytes, "anomaly-size", "bytes")
	over(int64(f.Counts.ActorHour)+n, int64(a.o.ActorHour), "anomaly-actor", "recipients of this actor in an hour")
	over(int64(f.Counts.TenantHour)+n, int64(a.o.TenantHour), "anomaly-tenant", "recipients of this tenant in an hour")
	over(int64(f.Recipients[i].PriorDay)+1, int64(a.o.RecipientDay), "anomaly-recipient", "messages to one address in a day")
	return out
}

func (a anomalies) Doc() Doc {
	return Doc{
		Name: "anomalies", Title: "Unusual size and rate",
		What:   "Holds a message that is larger, or one more of a sender, tenant or recipient in too short a time, than what is usual.",
		Source: "45 CFR 164.308(a)(1)(ii)(D), 164.312(b): activity review",
		Default: "32 MiB; 20,000 recipients of an actor and 100,000 of a tenant in an hour; 100 messages to an address in a day. Rates count where " +
			"the host supplies Config.Counter.",
		Change:  "Anomalies; Anomalies.Refuse refuses instead of holding.",
		Setting: fmt.Sprintf("%+v", a.o),
	}
}
