package compose_test

import (
	"errors"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// faultsOf returns the fields of all faults in err.
func faultsOf(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if fault, ok := errors.AsType[*compose.FaultError](err); ok {
			return []string{fault.Field}
		}
		return nil
	}
	var fields []string
	for _, e := range joined.Unwrap() {
		fields = append(fields, faultsOf(e)...)
	}
	return fields
}

const canary = "zzcanaryzz"

func TestCheckNamesTheFaultyField(t *testing.T) {
	t.Parallel()
	field := func(name, value string) func(*compose.Message) {
		return func(m *compose.Message) {
			m.Header = []compose.Field{{Name: "X-Ok", Value: "1"}, {Name: name, Value: value}}
		}
	}
	file := func(a compose.Attachment) func(*compose.Message) {
		return func(m *compose.Message) { m.Attachments = []compose.Attachment{a} }
	}
	tests := map[string]struct {
		change func(*compose.Message)
		want   []string
	}{
		"nothing":           {func(*compose.Message) {}, nil},
		"no from":           {func(m *compose.Message) { m.From = mail.Address{} }, []string{"From"}},
		"bad from":          {func(m *compose.Message) { m.From.Address = canary }, []string{"From"}},
		"bad name":          {func(m *compose.Message) { m.From.Name = canary + "\n" }, []string{"From"}},
		"bad to":            {func(m *compose.Message) { m.To = append(m.To, mail.Address{Address: canary}) }, []string{"To[1]"}},
		"cr in cc":          {func(m *compose.Message) { m.Cc = []mail.Address{{Address: canary + "\r@home.example"}} }, []string{"Cc[0]"}},
		"name and address":  {func(m *compose.Message) { m.ReplyTo = []mail.Address{{Name: "\x00", Address: canary}} }, []string{"ReplyTo[0]", "ReplyTo[0]"}},
		"line in subject":   {func(m *compose.Message) { m.Subject = canary + "\nBcc: x@home.example" }, []string{"Subject"}},
		"cr in subject":     {func(m *compose.Message) { m.Subject = canary + "\r" }, []string{"Subject"}},
		"nul in subject":    {func(m *compose.Message) { m.Subject = canary + "\x00" }, []string{"Subject"}},
		"latin1 subject":    {func(m *compose.Message) { m.Subject = canary + "\xe9" }, []string{"Subject"}},
		"long subject":      {func(m *compose.Message) { m.Subject = strings.Repeat("x", 5000) }, []string{"Subject"}},
		"year":              {func(m *compose.Message) { m.Date = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) }, []string{"Date"}},
		"message id":        {func(m *compose.Message) { m.MessageID = canary + "> <x@y" }, []string{"MessageID"}},
		"message id no at":  {func(m *compose.Message) { m.MessageID = canary }, []string{"MessageID"}},
		"in reply to":       {func(m *compose.Message) { m.InReplyTo = []string{canary + "\r\n"} }, []string{"InReplyTo[0]"}},
		"references":        {func(m *compose.Message) { m.References = []string{"a@b", ""} }, []string{"References[1]"}},
		"many references":   {func(m *compose.Message) { m.References = make([]string, 1001) }, []string{"References"}},
		"nul in text":       {func(m *compose.Message) { m.Text = canary + "\x00" }, []string{"Text"}},
		"latin1 html":       {func(m *compose.Message) { m.HTML = canary + "\xe9" }, []string{"HTML"}},
		"owned":             {field("Bcc", canary), []string{"Header[1]"}},
		"owned any case":    {field("cOnTeNt-TyPe", canary), []string{"Header[1]"}},
		"owned though X":    {field("X-Original-To", canary), []string{"Header[1]"}},
		"owned and allowed": {field("Sender", canary), []string{"Header[1]"}},
		"weaker tls":        {field("TLS-Required", "No"), []string{"Header[1]"}},
		"not allowed":       {field("Zoo", canary), []string{"Header[1]"}},
		"allowed by rule":   {field("cUsToM", "1"), nil},
		"name with colon":   {field("X-A:b", canary), []string{"Header[1]"}},
		"name with line":    {field("X-A\r\nBcc", canary), []string{"Header[1]"}},
		"no name":           {field("", canary), []string{"Header[1]"}},
		"long name":         {field("X-"+strings.Repeat("a", 70), canary), []string{"Header[1]"}},
		"line in value":     {field("X-A", canary+"\r\nBcc: x"), []string{"Header[1]"}},
		"lf in value":       {field("X-A", canary+"\nBcc: x"), []string{"Header[1]"}},
		"nul in value":      {field("X-A", canary+"\x00"), []string{"Header[1]"}},
		"control in value":  {field("X-A", canary+"\x1b"), []string{"Header[1]"}},
		"latin1 in value":   {field("X-A", canary+"\xe9"), []string{"Header[1]"}},
		"long word":         {field("X-A", strings.Repeat("a", 901)), []string{"Header[1]"}},
		"many spaces":       {field("X-A", "a"+strings.Repeat(" ", 1000)+"b"), []string{"Header[1]"}},
		"long value":        {field("X-A", strings.Repeat("a ", 9000)), []string{"Header[1]"}},
		"wide url":          {field("List-Unsubscribe", "<https://bücher.example/>"), []string{"Header[1]"}},
		"no file name":      {file(attachment("", "")), []string{"Attachments[0].Name"}},
		"path only":         {file(attachment("../..", "")), []string{"Attachments[0].Name"}},
		"line in file name": {file(attachment(canary+"\r\n.pdf", "")), []string{"Attachments[0].Name"}},
		"long file name":    {file(attachment(strings.Repeat("a", 256), "")), []string{"Attachments[0].Name"}},
		"no open":           {file(compose.Attachment{Name: canary}), []string{"Attachments[0].Open"}},
		"type":              {file(compose.Attachment{Name: "a", ContentType: canary, Open: opener("")}), []string{"Attachments[0].ContentType"}},
		"multipart":         {file(compose.Attachment{Name: "a", ContentType: "multipart/mixed; boundary=x", Open: opener("")}), []string{"Attachments[0].ContentType"}},
		"line in type":      {file(compose.Attachment{Name: "a", ContentType: "text/plain\r\n; a=b", Open: opener("")}), []string{"Attachments[0].ContentType"}},
		"content id":        {file(compose.Attachment{ContentID: "<a>", Open: opener("")}), []string{"Attachments[0].ContentID"}},
		"entity and text":   {func(m *compose.Message) { m.Text, m.Entity = "x", parse(t, "\n\nx").Entity }, []string{"Entity"}},
		"empty entity":      {func(m *compose.Message) { m.Entity = &compose.Entity{} }, []string{"Entity"}},
		"too many files":    {func(m *compose.Message) { m.Attachments = make([]compose.Attachment, 501) }, []string{"Attachments"}},
		"several at a time": {func(m *compose.Message) { m.From, m.Subject, m.Text = mail.Address{}, "\n", "\x00" }, []string{"From", "Subject", "Text"}},
		"content id used 2x": {func(m *compose.Message) {
			a := compose.Attachment{ContentID: "a", Open: opener("")}
			m.Attachments = []compose.Attachment{a, a}
		}, []string{"Attachments[1].ContentID"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message()
			tt.change(m)
			err := m.Check(compose.Rules{AllowHeaders: []string{"Custom", "Sender"}})
			if got := faultsOf(err); !slices.Equal(got, tt.want) {
				t.Fatalf("faults %q, want %q (%v)", got, tt.want, err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%v repeats a value", err)
			}
			if _, err := compose.NewRendering(m); (err != nil) != (tt.want != nil) && name != "not allowed" {
				t.Errorf("NewRendering: %v", err)
			}
		})
	}
}

func TestRenderingNeedsDateAndMessageID(t *testing.T) {
	t.Parallel()
	m := message()
	m.Date, m.MessageID = time.Time{}, ""
	if err := m.Check(compose.Rules{}); err != nil {
		t.Errorf("Check: %v", err)
	}
	_, err := compose.NewRendering(m)
	if got := faultsOf(err); !slices.Equal(got, []string{"Date", "MessageID"}) {
		t.Errorf("faults %q", got)
	}
}

func TestCheckAllowed(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"Zoo": true, "X-Zoo": true, "Bcc": false, "content-md5": false, "a b": false, "": false} {
		if err := compose.CheckAllowed(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func parse(tb testing.TB, raw string) *compose.Parsed {
	tb.Helper()
	p, err := compose.Parse(strings.NewReader(raw), compose.Limits{})
	if err != nil {
		tb.Fatalf("Parse: %v", err)
	}
	return p
}
