package tlsrpt_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/mx/tlsrpt"
)

func sample() *tlsrpt.Report {
	return &tlsrpt.Report{
		Organization: "Riverside Clinic", Contact: "tls@clinic.example", ID: "4711@clinic.example",
		Range: tlsrpt.DateRange{Start: time.Unix(1762646400, 0).UTC(), End: time.Unix(1762732799, 0).UTC()},
		Policies: []tlsrpt.PolicyResult{{
			Policy:   tlsrpt.Policy{Type: mx.PolicyTLSA, Domain: "a.example", Strings: []string{"3 1 1 00ff"}},
			Summary:  tlsrpt.Summary{Successful: 2, Failed: 3},
			Failures: []tlsrpt.FailureDetail{{Type: mx.FailTLSA, Host: "mx.a.example", ReceivingIP: "192.0.2.1", Sessions: 3}},
		}},
	}
}

func TestValidateFindsWhatMakesAReportUseless(t *testing.T) {
	t.Parallel()
	if err := sample().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*tlsrpt.Report){
		"no organization":    func(r *tlsrpt.Report) { r.Organization = "" },
		"no contact":         func(r *tlsrpt.Report) { r.Contact = "" },
		"no id":              func(r *tlsrpt.Report) { r.ID = "" },
		"an id of two lines": func(r *tlsrpt.Report) { r.ID = "a\r\nb" },
		"no range":           func(r *tlsrpt.Report) { r.Range = tlsrpt.DateRange{} },
		"a range backwards":  func(r *tlsrpt.Report) { r.Range.End = r.Range.Start.Add(-1) },
		"no policies":        func(r *tlsrpt.Report) { r.Policies = nil },
		"policy-type":        func(r *tlsrpt.Report) { r.Policies[0].Policy.Type = "spf" },
		"policy-domain":      func(r *tlsrpt.Report) { r.Policies[0].Policy.Domain = "a b" },
		"two domains": func(r *tlsrpt.Report) {
			r.Policies = append(r.Policies, r.Policies[0])
			r.Policies[1].Policy.Domain = "b.example"
		},
		"counts nothing":      func(r *tlsrpt.Report) { r.Policies[0].Summary, r.Policies[0].Failures = tlsrpt.Summary{}, nil },
		"a negative count":    func(r *tlsrpt.Report) { r.Policies[0].Summary.Successful = -1 },
		"more in the details": func(r *tlsrpt.Report) { r.Policies[0].Failures[0].Sessions = 4 },
		"a detail of nothing": func(r *tlsrpt.Report) { r.Policies[0].Failures[0].Sessions = 0 },
		"result-type":         func(r *tlsrpt.Report) { r.Policies[0].Failures[0].Type = "mood" },
		"an address":          func(r *tlsrpt.Report) { r.Policies[0].Failures[0].ReceivingIP = "here" },
		"a host":              func(r *tlsrpt.Report) { r.Policies[0].Failures[0].Host = "mx a" },
	} {
		r := sample()
		spoil(r)
		_, jerr := r.JSON()
		_, merr := r.Message(letter())
		if r.Validate() == nil || jerr == nil || merr == nil {
			t.Errorf("%s: %v, %v, %v", name, r.Validate(), jerr, merr)
		}
	}
}

func letter() tlsrpt.Letter {
	return tlsrpt.Letter{
		From: mail.Address{Name: "TLS reports", Address: "tlsrpt@clinic.example"},
		To:   []mail.Address{{Address: "tls-reports@a.example"}}, Date: time.Date(2026, 11, 10, 0, 5, 0, 0, time.UTC),
	}
}

func TestMessageIsTheMailOfTheRFC(t *testing.T) {
	t.Parallel()
	raw, err := sample().Message(letter())
	if err != nil {
		t.Fatal(err)
	}
	if bare := bytes.ReplaceAll(raw, []byte("\r\n"), nil); bytes.ContainsAny(bare, "\r\n") {
		t.Error("a bare CR or LF")
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Tls-Report-Domain": "a.example", "Tls-Report-Submitter": "clinic.example", "To": "<tls-reports@a.example>",
		"Subject": "Report Domain: a.example Submitter: clinic.example Report-ID: <4711@clinic.example>",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "tlsrpt" {
		t.Fatalf("%s %v %v", kind, params, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	if p, err := parts.NextPart(); err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%v", err)
	}
	p, err := parts.NextPart()
	if err != nil || p.Header.Get("Content-Type") != "application/tlsrpt+gzip" ||
		p.FileName() != "clinic.example!a.example!1762646400!1762732799.json.gz" {
		t.Fatalf("%v %v", p, err)
	}
	packed, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tlsrpt.Parse(packed); err != nil || r.ID != sample().ID {
		t.Errorf("%v, %v", r, err)
	}
	for _, l := range []tlsrpt.Letter{
		{From: letter().From},
		{From: mail.Address{Address: "a@b\r\nBcc: c@d"}, To: letter().To},
		{From: letter().From, To: []mail.Address{{Address: "nobody"}}},
	} {
		if _, err := sample().Message(l); err == nil {
			t.Errorf("%+v was taken", l)
		}
	}
}

func TestRecordsOfDNS(t *testing.T) {
	t.Parallel()
	for txt, want := range map[string]string{
		"v=TLSRPTv1; rua=mailto:reports@example.com":                                              "reports@example.com|",
		"v=TLSRPTv1;rua=mailto:a@b.example,https://r.example/v1/tlsrpt;":                          "a@b.example|https://r.example/v1/tlsrpt",
		"v=TLSRPTv1 ; x=1 ; rua = https://r.example/t , mailto:a%2Bb@c.example":                   "a+b@c.example|https://r.example/t",
		"v=TLSRPTv1; rua=http://r.example/t,ftp://x,mailto:,mailto:a,mailto:a@b.example?subject=": "a@b.example|",
		"v=TLSRPTv1; rua=https://user:secret@r.example/":                                          "",
		"v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example":                              "",
		"v=TLSRPTv1":                           "",
		"v=TLSRPTv2; rua=mailto:a@b.example":   "",
		"v=TLSRPTv1x; rua=mailto:a@b.example":  "",
		"rua=mailto:a@b.example; v=TLSRPTv1":   "",
		strings.Repeat("v=TLSRPTv1;", 1000):    "",
		"v=TLSRPTv1; rua=mailto:a@b.example\r": "a@b.example|",
	} {
		rec, ok := tlsrpt.ParseRecord(txt)
		got := ""
		if ok {
			got = strings.Join(addresses(rec.Mail), ",") + "|" + strings.Join(rec.HTTPS, ",")
		}
		if strings.HasSuffix(txt, "\r") { // whatever it is, no control character comes of it
			if strings.ContainsAny(got, "\r\n") {
				t.Errorf("%q: %q", txt, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%.60q: %q, want %q", txt, got, want)
		}
	}
}

func addresses(list []mail.Address) (out []string) {
	for _, a := range list {
		out = append(out, a.Address)
	}
	return out
}

// zone is a resolver with TXT records.
type zone map[string][]string

func (z zone) Resolve(_ context.Context, name string, t transport.DNSType) (*transport.Answer, error) {
	if name == "_smtp._tls.broken.example" || t != transport.DNSTypeTXT {
		return nil, &transport.Error{Status: transport.Deferred, Reason: transport.ErrTimeout, Retry: true}
	}
	a := &transport.Answer{Name: name}
	for _, txt := range z[name] {
		a.Records = append(a.Records, append([]byte{byte(len(txt))}, txt...))
	}
	return a, nil
}

func TestFindAsksWhereADomainWantsItsReports(t *testing.T) {
	t.Parallel()
	z := zone{
		"_smtp._tls.a.example": {"hello", "v=TLSRPTv1; rua=mailto:r@a.example"},
		"_smtp._tls.b.example": {"v=TLSRPTv1; rua=mailto:r@b.example", "v=TLSRPTv1; rua=mailto:s@b.example"},
	}
	for domain, want := range map[string]bool{"a.example": true, "b.example": false, "c.example": false} {
		if rec, found, err := tlsrpt.Find(t.Context(), z, domain); err != nil || found != want || found && rec.Mail[0].Address != "r@a.example" {
			t.Errorf("%s: %v, %t, %v", domain, rec, found, err)
		}
	}
	if _, _, err := tlsrpt.Find(t.Context(), z, "broken.example"); err == nil {
		t.Error("nobody knows, and that is taken for an answer")
	}
}

// Whatever a report says, it is valid or refused, and what was read is written
// to the same report.
func FuzzParse(f *testing.F) {
	data, err := sample().JSON()
	if err != nil {
		f.Fatal(err)
	}
	packed, err := sample().Gzip()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(packed)
	f.Add([]byte(`{"policies":[{}]}`))
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := tlsrpt.Parse(in)
		if err != nil {
			if strings.Contains(err.Error(), "\n\n") {
				t.Errorf("%v", err)
			}
			return
		}
		out, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := tlsrpt.Parse(out); err != nil || again.ID != r.ID || len(again.Policies) != len(r.Policies) {
			t.Errorf("%v", err)
		}
		if _, err := r.Message(letter()); err != nil {
			t.Errorf("a valid report makes no mail: %v", err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{"v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/", "v=TLSRPTv1;rua=mailto:%0d%0a@b", "v=TLSRPTv1;;;rua"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		rec, ok := tlsrpt.ParseRecord(in)
		if ok != (len(rec.Mail)+len(rec.HTTPS) > 0) || len(rec.Mail)+len(rec.HTTPS) > 10 {
			t.Errorf("%t, %d places", ok, len(rec.Mail)+len(rec.HTTPS))
		}
		for _, s := range append(addresses(rec.Mail), rec.HTTPS...) {
			if strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("%q", s)
			}
		}
	})
}

func Example() {
	r, err := tlsrpt.New(tlsrpt.Config{
		Organization: "Riverside Clinic", Contact: "tls@clinic.example",
		Clock: func() time.Time { return time.Date(2026, 11, 9, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = r.Close() }()
	// The transport does this, as mx.Config.Observer.
	r.ObserveTLS(mx.TLSResult{Domain: "example.org", PolicyType: mx.PolicyTLSA, Policy: []string{"3 1 1 00ff"}})
	r.ObserveTLS(mx.TLSResult{Domain: "example.org", PolicyType: mx.PolicyTLSA, Policy: []string{"3 1 1 00ff"}, Host: "mx.example.org", Failure: mx.FailTLSA})
	reports, err := r.Reports(context.Background(), time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rep := range reports {
		p := rep.Policies[0]
		fmt.Println(rep.Domain(), p.Policy.Type, p.Summary.Successful, p.Summary.Failed, p.Failures[0].Type)
	}
	// Output: example.org tlsa 1 1 tlsa-invalid
}
