package phimail_test

import (
	"crypto/fips140"
	"errors"
	"io"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
)

func TestInvalidMessagesAreRefusedByField(t *testing.T) {
	t.Parallel()
	const marker = "marker4711"
	many := make([]phimail.Recipient, 101)
	for i := range many {
		many[i].Address.Address = strings.Repeat("a", i%50+1) + string(rune('a'+i/50)) + "@patient.example"
	}
	tests := map[string]struct {
		change func(*phimail.Message)
		field  string
	}{
		"no recipient":        {func(m *phimail.Message) { m.To = nil }, "To"},
		"too many recipients": {func(m *phimail.Message) { m.To = many }, "To"},
		"address with CRLF":   {func(m *phimail.Message) { m.To = to(marker + "\r\nRCPT TO:<x@evil.example>@patient.example") }, "To[0]"},
		"address with NUL":    {func(m *phimail.Message) { m.Cc = to(marker + "\x00@patient.example") }, "Cc[0]"},
		"address without @":   {func(m *phimail.Message) { m.Bcc = to(marker) }, "Bcc[0]"},
		"name with LF": {func(m *phimail.Message) {
			m.To = []phimail.Recipient{{Address: mail.Address{Name: marker + "\nBcc: x@evil.example", Address: "a@patient.example"}}}
		}, "To[0]"},
		"recipient twice":        {func(m *phimail.Message) { m.Cc = to("a@Patient.Example", "a@patient.example") }, "Cc[1]"},
		"patient not on message": {func(m *phimail.Message) { m.To[0].Patient = marker }, "To[0].Patient"},
		"foreign sender":         {func(m *phimail.Message) { m.From.Address = marker + "@evil.example" }, "From"},
		"bad sender":             {func(m *phimail.Message) { m.From.Address = marker }, "From"},
		"subject with LF":        {func(m *phimail.Message) { m.Subject = marker + "\r\nBcc: x@evil.example" }, "Subject"},
		"subject with NUL":       {func(m *phimail.Message) { m.Subject = marker + "\x00" }, "Subject"},
		"text with NUL":          {func(m *phimail.Message) { m.Text = marker + "\x00" }, "Text"},
		"text not UTF-8":         {func(m *phimail.Message) { m.Text = marker + "\xff" }, "Text"},
		"header we own":          {func(m *phimail.Message) { m.Header = []phimail.HeaderField{{Name: "Message-ID", Value: marker}} }, "Header[0]"},
		"header not allowed":     {func(m *phimail.Message) { m.Header = []phimail.HeaderField{{Name: "Marker4711", Value: "x"}} }, "Header[0]"},
		"header with LF":         {func(m *phimail.Message) { m.Header = []phimail.HeaderField{{Name: "X-A", Value: marker + "\nX-B: c"}} }, "Header[0]"},
		"header name with colon": {func(m *phimail.Message) { m.Header = []phimail.HeaderField{{Name: "X-A: " + marker, Value: "c"}} }, "Header[0]"},
		"actor is an address":    {func(m *phimail.Message) { m.Actor.ID = marker + "@clinic.example" }, "Actor.ID"},
		"label is prose":         {func(m *phimail.Message) { m.Label = "about " + marker }, "Label"},
		"empty patient":          {func(m *phimail.Message) { m.Patients = []string{""} }, "Patients[0]"},
		"unknown purpose":        {func(m *phimail.Message) { m.Purpose = 99 }, "Purpose"},
		"unknown stream":         {func(m *phimail.Message) { m.Stream = 99 }, "Stream"},
		"entity and text":        {func(m *phimail.Message) { m.Entity = &phimail.Entity{} }, "Entity"},
		"attachment without Open": {func(m *phimail.Message) {
			m.Attachments = []phimail.Attachment{{Name: "a.pdf"}}
		}, "Attachments[0]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			msg := reminder("z@patient.example")
			tt.change(msg)
			_, err := w.client.Send(t.Context(), msg)
			if !errors.Is(err, phimail.ErrInvalidMessage) || !phimail.SafeToRetry(err) {
				t.Fatalf("got %v, want ErrInvalidMessage", err)
			}
			found := false
			visit(err, func(e error) {
				if m, ok := errors.AsType[*phimail.MessageError](e); ok && strings.HasPrefix(m.Field, tt.field) {
					found = true
				}
			})
			if !found {
				t.Errorf("no fault names %s: %v", tt.field, err)
			}
			if strings.Contains(err.Error(), marker) {
				t.Errorf("the error repeats what is wrong: %v", err)
			}
			if sent, _ := w.relay.count(); sent != 0 || len(w.sink.Events()) != 0 {
				t.Error("an invalid message left traces")
			}
		})
	}
}

func visit(err error, f func(error)) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			visit(e, f)
		}
		return
	}
	f(err)
}

func TestEveryFaultOfAMessageIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.client.Send(t.Context(), &phimail.Message{
		From: mail.Address{Address: "x@evil.example"}, To: to("nobody"), Subject: "a\nb", Label: "two words",
	})
	var fields []string
	visit(err, func(e error) {
		if m, ok := errors.AsType[*phimail.MessageError](e); ok {
			fields = append(fields, m.Field)
		}
	})
	for _, want := range []string{"From", "To[0]", "Subject", "Label"} {
		if !strings.Contains(strings.Join(fields, " "), want) {
			t.Errorf("%s is missing in %v", want, fields)
		}
	}
}

func TestMessageIDIsStableForAKeyAndATenant(t *testing.T) {
	t.Parallel()
	first := newWorld(t, nil)
	again := newWorld(t, nil)
	other := newWorld(t, func(c *phimail.Config) { c.Tenant = "lakeside" })
	id := func(w *world, key string) string {
		t.Helper()
		msg := reminder("a@patient.example")
		msg.IdempotencyKey = key
		receipt, err := w.client.Send(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		return receipt.MessageID
	}
	if a, b := id(first, "appt-1"), id(again, "appt-1"); a != b {
		t.Errorf("one key gave %s and %s", a, b)
	}
	seen := map[string]bool{}
	for _, m := range []string{id(first, "appt-1"), id(first, "appt-2"), id(other, "appt-1"), id(first, ""), id(first, "")} {
		if seen[m] {
			t.Errorf("%s stands twice", m)
		}
		seen[m] = true
		if !strings.HasSuffix(m, "@clinic.example") {
			t.Errorf("%s is not of the sender's domain", m)
		}
	}
	w := newWorld(t, func(c *phimail.Config) { c.HostSecret = nil })
	msg := reminder("a@patient.example")
	msg.IdempotencyKey = "appt-1"
	if _, err := w.client.Send(t.Context(), msg); !errors.Is(err, phimail.ErrInvalidMessage) {
		t.Errorf("a key without a host secret: %v", err)
	}
}

func TestWhatIsBuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	date := time.Date(2026, 11, 2, 9, 30, 0, 0, time.FixedZone("", -5*3600))
	msg := &phimail.Message{
		To:       []phimail.Recipient{{Address: mail.Address{Name: "Zoë Brontë", Address: "zoe@bücher.example"}}},
		Subject:  "Ihr Termin für Dienstag",
		Text:     "Grüße\n",
		HTML:     `<p>Grüße <img src="cid:logo"></p>`,
		Date:     date,
		Patients: []string{"p-1"}, Purpose: policy.Treatment,
		Attachments: []phimail.Attachment{
			{Name: "logo.png", ContentType: "image/png", ContentID: "logo", Open: opener("png")},
			{Name: "Bericht März.pdf", Open: opener("pdf")},
		},
	}
	if _, err := w.client.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	got, err := mail.ReadMessage(strings.NewReader(string(w.relay.received[0])))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := got.Header.Date(); err != nil || !d.Equal(date) {
		t.Errorf("Date %v, %v", d, err)
	}
	if env := w.relay.sent[0]; env.To[0].Address != "zoe@xn--bcher-kva.example" {
		t.Errorf("envelope %s", env.To[0].Address)
	}
	if list, err := got.Header.AddressList("To"); err != nil || list[0].Name != "Zoë Brontë" {
		t.Errorf("To %v, %v", list, err)
	}
	for i, b := range w.relay.received[0] {
		if b >= 0x80 {
			t.Fatalf("byte %d is not 7-bit", i)
		}
	}
}

func opener(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestParsedMessagesTravel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	msg, err := phimail.ParseMessage(strings.NewReader(
		"From: Clinic <no-reply@clinic.example>\nTo: a@patient.example\nBcc: b@patient.example\nSubject: Hi\n\nSee you.\n"))
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := w.client.Send(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	if len(receipt.Recipients) != 2 || receipt.Recipients[1].Kind != policy.Bcc {
		t.Errorf("%v", receipt)
	}
	for _, raw := range w.relay.received {
		if s := string(raw); strings.Contains(s, "Bcc") || !strings.Contains(s, "See you.\r\n") || !strings.Contains(s, "Subject: Hi\r\n") {
			t.Errorf("not as parsed:\n%s", s)
		}
	}
	if _, err := phimail.ParseMessage(strings.NewReader("Subject: x\nSubject: y\n\nz")); !errors.Is(err, phimail.ErrInvalidMessage) {
		t.Errorf("two subjects: %v", err)
	}
}

func TestAttachmentsThatFail(t *testing.T) {
	t.Parallel()
	tests := map[string]func() (io.ReadCloser, error){
		"open error": func() (io.ReadCloser, error) { return nil, errors.New("marker4711") },
		"open panic": func() (io.ReadCloser, error) { panic("marker4711") },
		"too large": func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(zeros{}, 40<<20)), nil
		},
	}
	for name, open := range tests {
		w := newWorld(t, nil)
		msg := reminder("a@patient.example")
		msg.Attachments = []phimail.Attachment{{Name: "a.bin", Open: open}}
		_, err := w.client.Send(t.Context(), msg)
		if !errors.Is(err, phimail.ErrInvalidMessage) || strings.Contains(err.Error(), "marker") {
			t.Errorf("%s: %v", name, err)
		}
		if sent, _ := w.relay.count(); sent != 0 {
			t.Errorf("%s: sent", name)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestNewListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := phimail.New(phimail.Config{
		Senders: []mail.Address{{Address: "x"}}, Tenant: "two words", HostSecret: []byte("short"),
		OnPartial: 9, MaxSize: -1, AllowHeaders: []string{"Bcc"}, RequireFIPS: true,
	})
	var fields []string
	visit(err, func(e error) {
		if c, ok := errors.AsType[*phimail.ConfigError](e); ok {
			fields = append(fields, c.Field)
		}
	})
	got := strings.Join(fields, " ")
	wanted := []string{"From", "Senders[0]", "Tenant", "HostSecret", "Transport", "Audit", "OnPartial", "MaxSize", "AllowHeaders[0]"}
	if !fips140.Enabled() {
		wanted = append(wanted, "RequireFIPS")
	}
	for _, want := range wanted {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %q", want, got)
		}
	}
	if !errors.Is(err, phimail.ErrConfig) {
		t.Error("not an ErrConfig")
	}
}
