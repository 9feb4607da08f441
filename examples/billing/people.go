package main

import (
	"fmt"
	"time"

	"github.com/phimail/sdk/policy"
)

// clinic is one for which statements are written.
type clinic struct {
	tenant, name, address string
}

func clinics() []clinic {
	return []clinic{
		{"riverside", "Riverside Clinic", "billing@riverside.example"},
		{"hillside", "Hillside Family Practice", "billing@hillside.example"},
	}
}

// patient is somebody who owes something. All of them are made up.
type patient struct {
	id, tenant    string
	number        int
	name, address string
	lines         []charge
}

// charge is one line of a statement, in cents.
type charge struct {
	what  string
	cents int
}

// oldDomain is served by the relay whose agreement has expired.
const oldDomain = "old-mail.example"

func people(count int) []patient {
	given := []string{"Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon", "Zoë"}
	family := []string{"Alder", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Larch"}
	what := []charge{{"Office visit", 4000}, {"Laboratory", 2250}, {"Vaccination", 1500}, {"X-ray", 8990}}
	list := make([]patient, count)
	for i := range list {
		p := patient{
			number: i, id: fmt.Sprintf("pat-%04d", i), tenant: clinics()[2*i/count].tenant,
			name:    given[i%len(given)] + " " + family[i%len(family)],
			address: fmt.Sprintf("patient%04d@mailbox.example", i),
		}
		for k := range 1 + i%3 {
			p.lines = append(p.lines, what[(i+k)%len(what)])
		}
		switch {
		case i%45 == 13:
			p.address = fmt.Sprintf("patient%04d at mailbox", i) // as somebody typed it
		case i%16 == 5:
			p.address = fmt.Sprintf("patient%04d@%s", i, oldDomain)
		}
		list[i] = p
	}
	return list
}

func of(list []patient, c clinic) []*patient {
	var mine []*patient
	for i := range list {
		if list[i].tenant == c.tenant {
			mine = append(mine, &list[i])
		}
	}
	return mine
}

// onFile is what some of them said, and what mail to them showed.
func onFile(list []patient, now time.Time) []policy.Record {
	var records []policy.Record
	for i := range list {
		p := &list[i]
		r := policy.Record{Tenant: p.tenant, Address: p.address, By: "front-desk", At: now.AddDate(0, -2, 0), Source: "paper"}
		switch {
		case i%45 == 13:
			continue // nothing can be kept about an address that is none
		case i%40 == 3:
			r.Kind, r.By, r.Source = policy.Bounce, "svc-bounces", "bounce"
		case i%50 == 8: // wants no newsletter; a statement is none
			r.Kind, r.By, r.Source = policy.Unsubscribe, "link", "one-click"
		case i%25 == 4: // wants letters of paper
			r.Kind, r.Patient, r.Wording = policy.Preference, p.id, "communication form 5"
		case i%30 == 9: // wants the portal, which this example doesn't set up
			r.Kind, r.Patient, r.Modes, r.Wording = policy.Preference, p.id, []policy.Mode{policy.Escrow}, "communication form 5"
		case i%60 == 11: // wanted letters until last month
			r.Kind, r.Patient, r.Expires, r.Wording = policy.Preference, p.id, now.AddDate(0, -1, 0), "communication form 4"
		default:
			continue
		}
		records = append(records, r)
	}
	return records
}
