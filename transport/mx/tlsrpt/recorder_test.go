package tlsrpt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/mx/tlsrpt"
)

func day(n int) time.Time { return time.Date(2026, 11, n, 13, 30, 0, 0, time.UTC) }

func recorder(t testing.TB, edit func(*tlsrpt.Config)) *tlsrpt.Recorder {
	t.Helper()
	cfg := tlsrpt.Config{Organization: "Riverside Clinic", Contact: "tls@clinic.example", Clock: func() time.Time { return day(9) }}
	if edit != nil {
		edit(&cfg)
	}
	r, err := tlsrpt.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func good(domain string) mx.TLSResult {
	return mx.TLSResult{
		Domain: domain, PolicyType: mx.PolicySTS, Host: "mx1." + domain,
		Policy: []string{"version: STSv1", "mode: enforce", "mx: *." + domain, "max_age: 86400"}, MXHosts: []string{"*." + domain},
	}
}

func bad(domain, failure string) mx.TLSResult {
	r := good(domain)
	r.Failure, r.Code = failure, "certificate"
	r.Remote, r.Local = netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("192.0.2.7")
	return r
}

func reports(t testing.TB, r *tlsrpt.Recorder, when time.Time) []*tlsrpt.Report {
	t.Helper()
	list, err := r.Reports(context.Background(), when)
	if err != nil {
		t.Fatal(err)
	}
	for _, rep := range list {
		if err := rep.Validate(); err != nil {
			t.Error(err)
		}
	}
	return list
}

func TestReportIsTheJSONOfTheRFC(t *testing.T) {
	t.Parallel()
	r := recorder(t, nil)
	for range 3 {
		r.ObserveTLS(good("a.example"))
	}
	r.ObserveTLS(bad("a.example", mx.FailExpired))
	r.ObserveTLS(bad("a.example", mx.FailExpired))
	r.ObserveTLS(mx.TLSResult{Domain: "b.example", PolicyType: mx.PolicyNone})
	list := reports(t, r, day(9))
	if len(list) != 2 || list[1].Domain() != "b.example" {
		t.Fatalf("%d reports", len(list))
	}
	data, err := list[0].JSON()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
		"organization-name": "Riverside Clinic",
		"date-range": {"start-datetime": "2026-11-09T00:00:00Z", "end-datetime": "2026-11-09T23:59:59Z"},
		"contact-info": "tls@clinic.example",
		"report-id": "ID",
		"policies": [{
			"policy": {"policy-type": "sts", "policy-string": ["version: STSv1","mode: enforce","mx: *.a.example","max_age: 86400"],
				"policy-domain": "a.example", "mx-host": ["*.a.example"]},
			"summary": {"total-successful-session-count": 3, "total-failure-session-count": 2},
			"failure-details": [{"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.7",
				"receiving-mx-hostname": "mx1.a.example", "receiving-ip": "2001:db8::5",
				"failed-session-count": 2, "failure-reason-code": "certificate"}]
		}]}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Replace(string(data), list[0].ID, "ID", 1); got != compact.String() {
		t.Errorf("got  %s\nwant %s", got, compact.String())
	}
	if again := reports(t, r, day(9)); again[0].ID != list[0].ID || again[0].ID == list[1].ID {
		t.Errorf("ids %q %q %q", list[0].ID, again[0].ID, list[1].ID)
	}
	packed, err := list[0].Gzip()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := tlsrpt.Parse(packed); err != nil || back.Policies[0].Summary != list[0].Policies[0].Summary {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestCountsAreKeptADayAndDomain(t *testing.T) {
	t.Parallel()
	now := day(9)
	r := recorder(t, func(c *tlsrpt.Config) { c.Clock = func() time.Time { return now } })
	r.ObserveTLS(good("a.example"))
	now = day(10)
	r.ObserveTLS(good("a.example"))
	r.ObserveTLS(good("a.example"))
	days, err := r.Days()
	if err != nil || len(days) != 1 || days[0].Day() != 9 {
		t.Errorf("the days that are over: %v, %v", days, err)
	}
	for d, want := range map[int]int64{9: 1, 10: 2} {
		if list := reports(t, r, day(d)); len(list) != 1 || list[0].Policies[0].Summary.Successful != want {
			t.Errorf("day %d: %+v", d, list)
		}
	}
	if err := r.Forget(day(9)); err != nil {
		t.Error(err)
	}
	if list := reports(t, r, day(9)); len(list) != 0 {
		t.Errorf("%d reports of a day that was forgotten", len(list))
	}
}

func TestCountsSurviveARestartAndAreSharedByProcesses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tlsrpt")
	in := func(c *tlsrpt.Config) { c.Dir = dir }
	a, b := recorder(t, in), recorder(t, in)
	a.ObserveTLS(good("a.example"))
	b.ObserveTLS(bad("a.example", mx.FailTLSA))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if list := reports(t, b, day(9)); len(list) != 1 || list[0].Policies[0].Summary != (tlsrpt.Summary{Successful: 1, Failed: 1}) {
		t.Fatalf("%+v", list)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// A process that died while it wrote leaves half a line, without an end.
	name := filepath.Join(dir, "tlsrpt-2026-11-09.jsonl")
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`{"policy":{"policy-type":"sts","poli`)
	if cerr := f.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	c := recorder(t, in)
	c.ObserveTLS(bad("a.example", mx.FailTLSA))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	d := recorder(t, func(cfg *tlsrpt.Config) { cfg.Dir = dir; cfg.Clock = func() time.Time { return day(10) } })
	list := reports(t, d, day(9))
	if len(list) != 1 || list[0].Policies[0].Summary != (tlsrpt.Summary{Successful: 1, Failed: 2}) || list[0].Policies[0].Failures[0].Sessions != 2 {
		t.Fatalf("%+v", list)
	}
	if days, err := d.Days(); err != nil || len(days) != 1 {
		t.Errorf("%v, %v", days, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := d.Forget(day(9)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the file of a day that was forgotten is there")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	now := day(1)
	r := recorder(t, func(c *tlsrpt.Config) { c.MaxDomains = 10; c.Clock = func() time.Time { return now } })
	for i := range 50 {
		r.ObserveTLS(good(fmt.Sprintf("d%d.example", i)))
	}
	if list := reports(t, r, now); len(list) != 10 || r.Dropped() != 40 {
		t.Errorf("%d reports, %d dropped", len(list), r.Dropped())
	}
	for i := range 1000 { // details
		res := bad("d1.example", mx.FailTLSA)
		res.Host = fmt.Sprintf("mx%d.d1.example", i)
		r.ObserveTLS(res)
	}
	for i := range 1000 { // policies
		res := good("d2.example")
		res.Policy = []string{strconv.Itoa(i), strings.Repeat("x", 5000)}
		res.MXHosts = make([]string, 5000)
		r.ObserveTLS(res)
	}
	list := reports(t, r, now)
	p := list[1].Policies[0]
	if p.Summary.Failed != 1000 || len(p.Failures) > 65 {
		t.Errorf("%d failures in %d details", p.Summary.Failed, len(p.Failures))
	}
	var sum int64
	for _, f := range p.Failures {
		sum += f.Sessions
	}
	if sum != 1000 {
		t.Errorf("the details count %d", sum)
	}
	if n := len(list[2].Policies); n > 8 {
		t.Errorf("%d policies", n)
	}
	if data, err := list[2].JSON(); err != nil || len(data) > 100_000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	for i := range 100 {
		now = day(1).AddDate(0, 0, i)
		r.ObserveTLS(good("d1.example"))
	}
	now = now.AddDate(0, 0, 1)
	if days, err := r.Days(); err != nil || len(days) > 8 {
		t.Errorf("%d days, %v", len(days), err)
	}
}

func TestRecorderServesManyGoroutines(t *testing.T) {
	t.Parallel()
	r := recorder(t, func(c *tlsrpt.Config) { c.Dir = t.TempDir() })
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				r.ObserveTLS(good("a.example"))
			}
		})
	}
	wg.Wait()
	if list := reports(t, r, day(9)); list[0].Policies[0].Summary.Successful != 1000 {
		t.Errorf("%+v", list[0].Policies[0].Summary)
	}
}

func TestNewListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := tlsrpt.New(tlsrpt.Config{MaxDomains: -1})
	for _, field := range []string{"Organization", "Contact", "MaxDomains"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}
