package phimail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/phimailtest"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
	"github.com/phimail/sdk/transport"
)

type statement struct {
	Clinic string
	Name   phi.Value
	Due    phi.Value
	Lines  []statementLine
}

type statementLine struct{ What, Amount phi.Value }

func statementTemplate(t *testing.T) *phimail.Template {
	t.Helper()
	tmpl, err := phimail.NewTemplate(phimail.TemplateConfig{
		Subject: "Your statement from {{.Clinic}}",
		Text:    "Dear {{.Name}},\n\nplease pay {{.Due}}.\n",
		HTML:    "<p>Dear {{.Name}},</p><p>please pay {{.Due}}.</p>",
		Attachments: []phimail.AttachmentTemplate{{
			Name: "statement.csv", ContentType: "text/csv", Body: "what,amount\n{{range .Lines}}{{.What}},{{.Amount}}\n{{end}}",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func adaStatement() statement {
	return statement{
		Clinic: "Riverside", Name: phi.Name("Ada Day"), Due: phi.String("$40.00"),
		Lines: []statementLine{{phi.String("Visit"), phi.String("$40.00")}},
	}
}

func TestTemplateTellsWhereThePHIIs(t *testing.T) {
	t.Parallel()
	base := reminder("ada@patient.example")
	base.Attachments = []phimail.Attachment{{Name: "logo.txt", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }}}
	base.Known = []policy.Finding{{Field: "fields.mrn", Type: "MRN", End: 4}}
	msg, err := statementTemplate(t).Render(t.Context(), base, adaStatement())
	if err != nil {
		t.Fatal(err)
	}
	if msg.Subject != "Your statement from Riverside" || !strings.Contains(msg.HTML, "<p>Dear Ada Day,</p>") || len(base.Known) != 1 || len(base.Attachments) != 1 {
		t.Errorf("%q, %q", msg.Subject, msg.HTML)
	}
	body, err := msg.Attachments[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	csv, err := io.ReadAll(body)
	if err != nil || string(csv) != "what,amount\nVisit,$40.00\n" {
		t.Errorf("%q, %v", csv, err)
	}
	texts := map[string]string{"text": msg.Text, "html": msg.HTML, "attachments[1]": string(csv), "fields.mrn": "4711"}
	var found []string
	for _, f := range msg.Known {
		found = append(found, f.Field+" "+f.Type+" "+texts[f.Field][f.Start:f.End])
	}
	want := []string{
		"fields.mrn MRN 4711", "text NAME Ada Day", "text OTHER_ID $40.00", "html NAME Ada Day", "html OTHER_ID $40.00",
		"attachments[1] OTHER_ID Visit", "attachments[1] OTHER_ID $40.00",
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %q", found)
	}
}

// A message that a template makes with a phi.Value is PHI, whatever a classifier
// says, and the log says why.
func TestRenderedMessagesArePHI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *phimail.Config) {
		c.Classifier = classifier(func(context.Context, *policy.Content) (policy.Classification, error) {
			return policy.Classification{NoPHI: true}, nil
		})
	})
	msg, err := statementTemplate(t).Render(t.Context(), reminder("ada@patient.example"), adaStatement())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if e := w.events(t, audit.KindIntent); len(e) != 1 || !e[0].PHI || !slices.Contains(e[0].Classification, "known") {
		t.Errorf("%+v", e)
	}
}

func TestTemplateErrorsSayWhatToDoAndHoldNothing(t *testing.T) {
	t.Parallel()
	data := map[string]any{"Name": phi.Name(canary), "Site": canary, "List": []string{canary}}
	for name, c := range map[string]struct {
		cfg  phimail.TemplateConfig
		part string
		code string
	}{
		"PHI in the subject":        {phimail.TemplateConfig{Subject: "About {{.Name}}", Text: "x"}, "subject", "phi"},
		"PHI in a file's name":      {phimail.TemplateConfig{Text: "x", Attachments: []phimail.AttachmentTemplate{{Name: "{{.Name}}.txt", Body: "x"}}}, "attachments[0].name", "phi"},
		"PHI decides a file's name": {phimail.TemplateConfig{Text: "x", Attachments: []phimail.AttachmentTemplate{{Name: "{{if .Name}}a{{end}}.txt", Body: "x"}}}, "attachments[0].name", "phi"},
		"missing":                   {phimail.TemplateConfig{Text: "{{.Site}} {{.Canary4711}}"}, "text", "missing"},
		"misused":                   {phimail.TemplateConfig{Text: "{{index .List 7}} Canary4711"}, "text", "execute"},
		"called":                    {phimail.TemplateConfig{Text: "{{call .Site}}"}, "text", "execute"},
		"not a template":            {phimail.TemplateConfig{Text: "{{Canary4711}}"}, "text", "parse"},
		"ambiguous":                 {phimail.TemplateConfig{HTML: "<a {{if .Site}}href='{{end}}>Canary4711"}, "html", "parse"},
		"endless":                   {phimail.TemplateConfig{HTML: "Canary4711{{range 1000000000}}{{end}}"}, "html", "limit"},
		"no body":                   {phimail.TemplateConfig{Subject: canary}, "text", "empty"},
		"negative":                  {phimail.TemplateConfig{Text: canary, MaxSize: -1}, "limits", "negative"},
	} {
		tmpl, err := phimail.NewTemplate(c.cfg)
		if err == nil {
			mustNotLeak(t, name+": template", tmpl)
			_, err = tmpl.Render(t.Context(), reminder("a@patient.example"), data)
		}
		e, ok := errors.AsType[*phimail.TemplateError](err)
		if !ok || e.Part != c.part || e.Code != c.code || !errors.Is(err, phimail.ErrTemplate) || !phimail.SafeToRetry(err) {
			t.Errorf("%s: %v; want %s in %s", name, err, c.code, c.part)
			continue
		}
		mustNotLeak(t, name, err)
	}
	mustNotLeak(t, "an item", phimail.BatchItem{Message: canaryMessage(), Data: canary})
	_, err := phimail.NewTemplate(phimail.TemplateConfig{Text: "{{", HTML: "{{"})
	if !strings.Contains(err.Error(), "text, line 1") || !strings.Contains(err.Error(), "html, line 1") {
		t.Errorf("not every fault is listed: %v", err)
	}
}

func TestTemplatesDoNotTakeReadyMessages(t *testing.T) {
	t.Parallel()
	ready, err := phimail.ParseMessage(strings.NewReader("From: a@clinic.example\r\nTo: b@patient.example\r\nSubject: x\r\n\r\nx\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []*phimail.Message{nil, ready} {
		if _, err := statementTemplate(t).Render(t.Context(), base, adaStatement()); !errors.Is(err, phimail.ErrInvalidMessage) {
			t.Error(err)
		}
	}
}

func items(n int) iter.Seq[phimail.BatchItem] {
	return func(yield func(phimail.BatchItem) bool) {
		for i := range n {
			data := any(adaStatement())
			if i%10 == 7 {
				data = map[string]any{"Clinic": "Riverside"}
			}
			if !yield(phimail.BatchItem{Message: reminder(fmt.Sprintf("p%d@patient.example", i)), Data: data}) {
				return
			}
		}
	}
}

func TestSendEachReportsEveryMessageOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.relay.offer = func(q transport.Query) (transport.Offer, error) {
		if strings.HasPrefix(q.To.Address, "p3@") {
			return transport.Offer{}, &transport.Error{Status: transport.Deferred, Reason: transport.ErrConnect, Retry: true}
		}
		return transport.Offer{TLS: true, Assurance: transport.Recipient, Name: "test"}, nil
	}
	seen := map[int]int{}
	var last phimail.BatchCount
	count, err := statementTemplate(t).SendEach(t.Context(), w.client, items(100), phimail.BatchOptions{Workers: 200, Progress: func(r phimail.BatchResult) {
		seen[r.Index]++
		if r.Done.Messages != len(seen) {
			t.Errorf("%d done after %d", r.Done.Messages, len(seen))
		}
		if (r.Index%10 == 7) != errors.Is(r.Err, phimail.ErrTemplate) {
			t.Errorf("item %d: %v", r.Index, r.Err)
		}
		last = r.Done
	}})
	if err != nil || len(seen) != 100 || count.Messages != 100 || count.Invalid != 10 || count.Accepted+count.Deferred != 90 || count.Deferred != 1 || last.Messages != 100 {
		t.Errorf("%+v, %v", count, err)
	}
	if count.Codes["template"] != 10 || count.Codes["connect"] != 1 {
		t.Errorf("codes %v", count.Codes)
	}
	if _, received := w.relay.count(); received != 89 {
		t.Errorf("%d received", received)
	}
}

func TestSendEachStopsWhereNothingCanBeSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	full := errors.New("full")
	w.sink.FailNext(slices.Repeat([]error{full}, 1000)...)
	count, err := statementTemplate(t).SendEach(t.Context(), w.client, items(1000), phimail.BatchOptions{})
	if !errors.Is(err, phimail.ErrAudit) || count.Messages > 20 || count.Accepted != 0 {
		t.Errorf("%+v, %v", count, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w = newWorld(t, nil)
	count, err = statementTemplate(t).SendEach(ctx, w.client, items(1000), phimail.BatchOptions{Workers: 2, Progress: func(phimail.BatchResult) { cancel() }})
	if !errors.Is(err, phimail.ErrCanceled) || count.Messages > 10 {
		t.Errorf("%+v, %v", count, err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic of the host's code was lost")
			}
		}()
		_, _ = newTemplateBatch(t, func(phimail.BatchResult) { panic("x") })
	}()
}

func newTemplateBatch(t *testing.T, progress func(phimail.BatchResult)) (phimail.BatchCount, error) {
	t.Helper()
	return statementTemplate(t).SendEach(t.Context(), newWorld(t, nil).client, items(50), phimail.BatchOptions{Progress: progress})
}

func ExampleTemplate() {
	tmpl, err := phimail.NewTemplate(phimail.TemplateConfig{
		Subject: "A reminder from {{.Clinic}}",
		Text:    "Dear {{.Name}},\n\nwe see you on {{.When}}.\n",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	base := &phimail.Message{
		To:       []phimail.Recipient{{Address: mail.Address{Address: "ada@example.org"}, Patient: "pat-1001"}},
		Patients: []string{"pat-1001"}, Purpose: policy.Treatment,
	}
	msg, err := tmpl.Render(context.Background(), base, map[string]any{
		"Clinic": "Riverside Clinic", "Name": phi.Name("Ada Day"), "When": phi.Date(time.Date(2026, 3, 9, 9, 40, 0, 0, time.UTC), "January 2, 3:04 PM"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(msg.Subject)
	for _, f := range msg.Known {
		fmt.Println(f.Field, f.Type, msg.Text[f.Start:f.End])
	}
	// Output:
	// A reminder from Riverside Clinic
	// text NAME Ada Day
	// text DATE March 9, 9:40 AM
}

func ExampleTemplate_SendEach() {
	t := &exampleTB{} // *testing.T in a real test
	defer t.finish()
	rec := phimailtest.New(t, phimailtest.Options{})
	tmpl, err := phimail.NewTemplate(phimail.TemplateConfig{Subject: "Your statement", Text: "Dear {{.Name}}, you owe nothing.\n"})
	if err != nil {
		fmt.Println(err)
		return
	}
	count, err := tmpl.SendEach(context.Background(), rec.Client(), func(yield func(phimail.BatchItem) bool) {
		for _, p := range []struct{ name, address string }{{"Ada", "ada@example.org"}, {"Bo", "bo@example.org"}, {"", "cy@example.org"}} {
			data := map[string]any{}
			if p.name != "" {
				data["Name"] = phi.Name(p.name)
			}
			msg := &phimail.Message{To: []phimail.Recipient{{Address: mail.Address{Address: p.address}}}, Purpose: policy.Payment}
			if !yield(phimail.BatchItem{Message: msg, Data: data}) {
				return
			}
		}
	}, phimail.BatchOptions{})
	fmt.Println(count.Messages, count.Accepted, count.Codes, err)
	// Output: 3 2 map[template:1] <nil>
}

// exampleTB stands for a *testing.T.
type exampleTB struct{ cleanups []func() }

func (*exampleTB) Helper()                        {}
func (t *exampleTB) Cleanup(f func())             { t.cleanups = append(t.cleanups, f) }
func (*exampleTB) Errorf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }
func (*exampleTB) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }
func (t *exampleTB) finish() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}
