package render

import (
	"context"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/policy/phi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var small = Limits{Output: 4096, Steps: 1000}

func render(t *testing.T, k Kind, source string, data any) (Output, error) {
	t.Helper()
	s, err := New([]Part{{Name: "text", Kind: k, Source: source}}, small)
	if err != nil {
		return Output{}, err
	}
	out, err := s.Render(t.Context(), data)
	if err != nil {
		return Output{}, err
	}
	return out[0], nil
}

type visit struct {
	When    time.Time
	Room    string
	private string
	Notify  chan int
	Do      func() string
}

// Boom is a method that no template may call.
func (v *visit) Boom() string { panic("called") }

type person struct {
	visit

	Name   phi.Value
	Middle phi.Value
	Site   string
	N      int
	List   []visit
	Dx     []phi.Value
	By     map[string]phi.Value
	Link   phi.Value
	Next   *person
	Addr   netip.Addr
	Safe   htmltemplate.HTML
}

func ada() *person {
	return &person{
		Name: phi.Name("Ada <D> & Co"), Site: "Riverside", N: 3, List: []visit{{Room: "1"}, {Room: "2"}},
		visit: visit{When: time.Date(2026, 3, 9, 9, 40, 0, 0, time.UTC), Room: "7", private: "x"},
		Dx:    []phi.Value{phi.String("flu"), phi.String("HIV")}, By: map[string]phi.Value{"mrn": phi.MRN("4711")},
		Link: phi.Of("URL", "https://portal.example/ada?x=1"), Addr: netip.MustParseAddr("192.0.2.1"), Safe: "<b>s</b>",
	}
}

func TestValuesAreRenderedAndFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   Kind
		source string
		want   string
		found  []string // TYPE:text
	}{
		"a value":                  {Text, "Dear {{.Name}},", "Dear Ada <D> & Co,", []string{"NAME:Ada <D> & Co"}},
		"none":                     {Text, "Dear {{.Site}}", "Dear Riverside", nil},
		"two, one twice":           {Text, "{{.Name}}{{.By.mrn}}{{.Name}}", "Ada <D> & Co4711Ada <D> & Co", []string{"NAME:Ada <D> & Co", "MRN:4711", "NAME:Ada <D> & Co"}},
		"HTML":                     {HTML, "<p>{{.Name}}</p>", "<p>Ada &lt;D&gt; &amp; Co</p>", []string{"NAME:Ada &lt;D&gt; &amp; Co"}},
		"an attribute":             {HTML, `<p title="{{.Name}}">x</p>`, `<p title="Ada &lt;D&gt; &amp; Co">x</p>`, []string{"NAME:Ada &lt;D&gt; &amp; Co"}},
		"a link":                   {HTML, `<a href="{{.Link}}">x</a>`, `<a href="https://portal.example/ada?x=1">x</a>`, []string{"URL:https://portal.example/ada?x=1"}},
		"a query":                  {HTML, `<a href="https://x.example/?q={{.By.mrn}}">x</a>`, `<a href="https://x.example/?q=4711">x</a>`, []string{"MRN:4711"}},
		"HTML of the host":         {HTML, "{{.Safe}}{{.Site}}", "<b>s</b>Riverside", nil},
		"a variable":               {Text, "{{$n := .Name}}{{$n}}", "Ada <D> & Co", []string{"NAME:Ada <D> & Co"}},
		"with":                     {Text, "{{with .Name}}Hi {{.}}{{end}}", "Hi Ada <D> & Co", []string{"NAME:Ada <D> & Co"}},
		"a loop":                   {Text, "{{range .Dx}}[{{.}}]{{end}}", "[flu][HIV]", []string{"OTHER_ID:flu", "OTHER_ID:HIV"}},
		"printf":                   {Text, `{{printf "%-6s|%d" .By.mrn .N}}`, "4711  |3", []string{"MRN:4711  |3"}},
		"print in a pipeline":      {Text, `{{.Name | printf "%s!" | upper}}`, "ADA <D> & CO!", []string{"NAME:ADA <D> & CO!"}},
		"escaped in text":          {Text, "{{.Name | html}}", "Ada &lt;D&gt; &amp; Co", []string{"NAME:Ada &lt;D&gt; &amp; Co"}},
		"join":                     {Text, `{{join .Dx ", "}}`, "flu, HIV", []string{"OTHER_ID:flu, HIV"}},
		"an empty value is false":  {Text, "{{if .Middle}}no{{else}}yes{{end}}{{.Middle}}", "yes", nil},
		"a value is true":          {Text, "{{if .Name}}yes{{end}}", "yes", nil},
		"compared":                 {Text, `{{if eq .By.mrn "4711"}}yes{{end}}{{if ne .Name "x"}}!{{end}}{{if eq .N 3}}3{{end}}{{len .By.mrn}}`, "yes!34", nil},
		"a template called":        {Text, `{{define "n"}}<{{.Name}}>{{end}}{{template "n" .}}`, "<Ada <D> & Co>", []string{"NAME:Ada <D> & Co"}},
		"fields of embedded":       {Text, "{{.Room}} {{len .List}}", "7 2", nil},
		"time":                     {Text, `{{.When.Format "Jan 2"}} {{date "15:04" .When}}`, "Mar 9 09:40", nil},
		"a type that says itself":  {Text, "{{.Addr}}", "192.0.2.1", nil},
		"literal [PHI]":            {Text, "[PHI] {{.Site}}", "[PHI] Riverside", nil},
		"the subject without PHI":  {Outside, " From {{.Site}}{{if eq .N 3}}!{{end}}\n", "From Riverside!", nil},
		"a loop in the subject":    {Outside, "{{range .List}}{{.Room}}{{end}}", "12", nil},
		"a comment and whitespace": {Text, "a {{- /* x */ -}} b{{- .Name -}} c", "abAda <D> & Coc", []string{"NAME:Ada <D> & Co"}},
	} {
		got, err := render(t, c.kind, c.source, ada())
		if err != nil || got.Text != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got.Text, err, c.want)
			continue
		}
		var found []string
		for _, f := range got.Findings {
			found = append(found, f.Type+":"+got.Text[f.Start:f.End])
			if f.Field != "text" {
				t.Errorf("%s: found in %s", name, f.Field)
			}
		}
		if strings.Join(found, ";") != strings.Join(c.found, ";") {
			t.Errorf("%s: found %q, want %q", name, found, c.found)
		}
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	t.Parallel()
	cycle := ada()
	cycle.Next = cycle
	for name, c := range map[string]struct {
		kind   Kind
		source string
		data   any
		want   Code
	}{
		"no template":                     {Text, "a\n{{.Name", ada(), Parse},
		"no such function":                {Text, "{{env \"HOME\"}}", ada(), Parse},
		"our own functions":               {HTML, "<a href='{{.Site}}", ada(), Parse},
		"a value in the subject":          {Outside, "About {{.Name}}", ada(), PHI},
		"through a variable":              {Outside, "{{$n := .Name}}{{$n}}", ada(), PHI},
		"through printf":                  {Outside, `{{printf "%s" .Name}}`, ada(), PHI},
		"by a condition":                  {Outside, `{{if .Name}}x{{end}}`, ada(), PHI},
		"by a comparison":                 {Outside, `{{if eq .By.mrn "4711"}}x{{end}}`, ada(), PHI},
		"by a list":                       {Outside, `{{len .Dx}}`, ada(), PHI},
		"by a loop over values":           {Outside, `{{range .Dx}}x{{end}}`, ada(), PHI},
		"the data is the value":           {Outside, `{{.}}`, phi.Name("x"), PHI},
		"through a pointer":               {Outside, `{{.P}}`, map[string]any{"P": new(phi.Name("x"))}, PHI},
		"a key that is missing":           {Text, "\n\n{{.Missing}}", ada(), Missing},
		"missing in the subject":          {Outside, "{{.Missing}}", ada(), Missing},
		"nil":                             {Text, "{{.Next}}", ada(), Missing},
		"a field of nil":                  {Text, "{{.Next.Site}}", ada(), Missing},
		"a method":                        {Text, "{{.Boom}}", ada(), Missing},
		"a method of a field":             {Text, "{{.visit.Boom}}", ada(), Missing},
		"a private field":                 {Text, "{{.private}}", ada(), Missing},
		"a function in the data":          {Text, "{{call .Do}}", ada(), Missing},
		"a channel":                       {Text, "{{range .Notify}}x{{end}}", ada(), Missing},
		"the redacted text":               {Text, "{{.Name.String}}", ada(), Hidden},
		"a cycle":                         {Text, "x", cycle, Data},
		"a String method that panics":     {Text, "{{.S}}", map[string]any{"S": bad{}}, Data},
		"an endless loop":                 {Text, "{{range 10000000000}}{{end}}", ada(), Limit},
		"an endless loop in HTML":         {HTML, "{{range 10000000000}}{{end}}", ada(), Limit},
		"nested loops":                    {Text, "{{range 1000}}{{range 1000}}{{end}}{{end}}", ada(), Limit},
		"endless recursion":               {Text, `{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}`, ada(), Limit},
		"branching recursion":             {Text, `{{define "a"}}{{template "a" .}}{{template "a" .}}{{end}}{{template "a" .}}`, ada(), Limit},
		"much output":                     {Text, "{{range 900}}0123456789{{end}}", ada(), Limit},
		"wide output":                     {Text, `{{printf "%1000000d" 1}}`, ada(), Limit},
		"a text that doubles":             {Text, `{{$x := "ab"}}{{range 900}}{{$x = print $x $x}}{{end}}`, ada(), Limit},
		"a text that grows by escaping":   {Text, `{{$x := "<&"}}{{range 900}}{{$x = html $x}}{{end}}`, ada(), Limit},
		"a text that grows by escaping 2": {HTML, `{{$x := "<&"}}{{range 900}}{{$x = js $x}}{{end}}`, ada(), Limit},
		"a link with a script":            {HTML, `<a href="{{.S}}">x</a>`, map[string]any{"S": "javascript:x"}, Unsafe},
		"a large source":                  {Text, strings.Repeat("x", maxSource+1), ada(), Parse},
	} {
		got, err := render(t, c.kind, c.source, c.data)
		var f *FaultError
		if !errors.As(err, &f) || f.Code != c.want || got.Text != "" {
			t.Errorf("%s: %q, %v; want %s", name, got.Text[:min(len(got.Text), 99)], err, c.want)
		}
		if name == "a key that is missing" && f != nil && f.Line != 3 {
			t.Errorf("%s: line %d", name, f.Line)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			if s := fmt.Sprintf(verb, err); strings.Contains(s, "Ada") || strings.Contains(s, "4711") || strings.Contains(s, "Name") {
				t.Errorf("%s: the error says %s", name, s)
			}
		}
	}
}

type bad struct{}

func (bad) String() string { panic("x") }

func TestRenderEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, err := New([]Part{{Name: "text", Source: "{{range 100}}x{{end}}"}}, small)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var f *FaultError
	if _, err := s.Render(ctx, nil); !errors.As(err, &f) || f.Code != Canceled {
		t.Error(err)
	}
}

func TestRenderingsAtTheSameTimeDoNotMix(t *testing.T) {
	t.Parallel()
	s, err := New([]Part{{Name: "text", Source: "{{range 50}}{{$.N}}{{end}}"}, {Name: "html", Kind: HTML, Source: "<p>{{.N}}"}}, small)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	const workers = 8
	for w := range workers {
		go func() {
			for i := range 50 {
				n := strconv.Itoa(w*1000 + i)
				out, err := s.Render(t.Context(), map[string]any{"N": phi.String(n)})
				if err != nil || out[0].Text != strings.Repeat(n, 50) || len(out[0].Findings) != 50 || out[1].Text != "<p>"+n {
					done <- fmt.Sprintf("%v %v", out, err)
					return
				}
			}
			done <- ""
		}()
	}
	for range workers {
		if problem := <-done; problem != "" {
			t.Error(problem)
		}
	}
}

// Whatever a template is and whatever the data, it ends, and what it made of a
// value is found.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"Dear {{.Name}}", "{{range .Dx}}{{.}}{{end}}", `{{printf "%v %q" .Name .By}}`, `<a href="{{.Link}}" onclick="f({{.Name}})" style="x:{{.Name}}">{{.Name}}</a>`,
		`{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}`, `{{with $x := .Name}}{{$x}}{{end}}`, `<script>var x = {{.Name}};</script>`, `{{index .By "mrn"}}{{slice .Site 1}}`,
		`{{and .Name .Site}}{{or .Name 1}}{{not .Name}}`, `{{len .Name | printf "%d"}}`,
	} {
		f.Add(s)
	}
	const marker = "Zq4711Zq"
	f.Fuzz(func(t *testing.T, source string) {
		data := map[string]any{
			"Name": phi.Name(marker), "Dx": []phi.Value{phi.String(marker)}, "By": map[string]phi.Value{"mrn": phi.MRN(marker)},
			"Link": phi.Of("URL", "https://"+marker), "Site": "Riverside", "N": 3,
		}
		for _, kind := range []Kind{Text, HTML, Outside} {
			out, err := render(t, kind, source, data)
			if err != nil {
				var fault *FaultError
				if !errors.As(err, &fault) || strings.Contains(err.Error(), marker) {
					t.Errorf("%v", err)
				}
				continue
			}
			rest := []byte(out.Text)
			for _, finding := range out.Findings {
				for i := finding.Start; i < finding.End; i++ {
					rest[i] = '-'
				}
			}
			if strings.Contains(string(rest), marker) && !strings.Contains(source, marker) {
				t.Errorf("kind %d: a value stands outside the findings", kind)
			}
		}
	})
}
