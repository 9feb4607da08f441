package policy

import (
	"fmt"
	"slices"
)

// Role is what the actors of a role may send.
type Role struct {
	// Name is that of Actor.Role.
	Name string
	// Purposes are those that the role sends for. Empty: all.
	Purposes []Purpose
	// Categories are the specially protected ones that it may send. Empty: none.
	Categories []Category
}

// roles: who may send what.
type roles struct {
	o    *Options
	list []Role
}

func (r roles) Judge(f *Facts, _ int) Ruling {
	if len(r.list) == 0 || !r.o.phi(f) {
		return Pass()
	}
	k := slices.IndexFunc(r.list, func(l Role) bool { return l.Name == f.Actor.Role })
	if k < 0 {
		return refuse("roles", "role-unknown", "an actor in a listed role", "the actor's role is not listed")
	}
	role := &r.list[k]
	out := Pass()
	if len(role.Purposes) > 0 && !slices.Contains(role.Purposes, f.Purpose) {
		out = refuse("roles", "role-purpose", "an actor whose role sends for this purpose", "role "+role.Name, "purpose "+f.Purpose.String())
	}
	for _, c := range f.Classification.Special {
		if !slices.Contains(role.Categories, c) {
			out = out.And(refuse("roles", "role-category", "an actor whose role may send this category", "role "+role.Name, "category "+c.String()))
		}
	}
	return out
}

func (r roles) Doc() Doc {
	return Doc{
		Name: "roles", Title: "Roles",
		What: "Where roles are listed, only actors in one of them may send PHI, each for the purposes and with the specially protected " +
			"categories that the role is listed with.",
		Source:  "45 CFR 164.308(a)(4), 164.312(a)(1), 164.514(d)(2)",
		Default: "No roles are listed, and every actor may send: phimail does not know your roles.",
		Change:  "Roles lists them. Once one is listed, all others are refused.",
		Setting: fmt.Sprintf("%v", r.list),
	}
}
