package main

import (
	_ "embed"
	"fmt"
	"iter"
	"net/mail"
	"time"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

//go:embed templates/statement.txt
var statementText string

//go:embed templates/statement.html
var statementHTML string

//go:embed templates/statement.csv
var statementCSV string

// statementTemplate: the subject and the file's name are the same for everybody,
// and a template that puts a phi.Value there would be refused.
func statementTemplate() (*phimail.Template, error) {
	return phimail.NewTemplate(phimail.TemplateConfig{
		Subject: "Your statement from {{.Clinic}}",
		Text:    statementText,
		HTML:    statementHTML,
		Attachments: []phimail.AttachmentTemplate{
			{Name: "statement-{{.Month}}.csv", ContentType: "text/csv; charset=utf-8", Body: statementCSV},
		},
	})
}

// statement is what the templates see. What is PHI has the type that says so.
type statement struct {
	Clinic, Month string
	Name, Total   phi.Value
	Lines         []line
}

type line struct{ What, Amount phi.Value }

func letters(list []*patient, c clinic, now time.Time) iter.Seq[phimail.BatchItem] {
	return func(yield func(phimail.BatchItem) bool) {
		for _, p := range list {
			if !yield(letter(p, c, now)) {
				return
			}
		}
	}
}

func letter(p *patient, c clinic, now time.Time) phimail.BatchItem {
	month := now.Format("2006-01")
	s := statement{Clinic: c.name, Month: month, Name: phi.Name(p.name)}
	total := 0
	for _, l := range p.lines {
		total += l.cents
		s.Lines = append(s.Lines, line{phi.String(l.what), phi.String(dollars(l.cents))})
	}
	s.Total = phi.String(dollars(total))
	return phimail.BatchItem{Data: s, Message: &phimail.Message{
		To:       []phimail.Recipient{{Address: mail.Address{Name: p.name, Address: p.address}, Patient: p.id}},
		Patients: []string{p.id}, Purpose: policy.Payment, Label: "statement", Actor: phimail.Actor{ID: "svc-billing", Role: "system"},
		IdempotencyKey: "statement-" + month + "-" + p.id,
	}}
}

func dollars(cents int) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }
