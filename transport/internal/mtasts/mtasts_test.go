package mtasts_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/transport/internal/mtasts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRecordsAreOneOrNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		texts []string
		id    string
		fails bool
	}{
		"none":                        {nil, "", false},
		"another's":                   {[]string{"v=spf1 -all", "hello"}, "", false},
		"one":                         {[]string{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z", false},
		"no final delimiter":          {[]string{"v=STSv1;id=a"}, "a", false},
		"space before the delimiter":  {[]string{"v=STSv1 ; id=a ; "}, "a", false},
		"among others":                {[]string{"x", "v=STSv1; id=1;"}, "1", false},
		"with an extension":           {[]string{"v=STSv1; x_y-z.1=a:b; id=1"}, "1", false},
		"two":                         {[]string{"v=STSv1; id=1;", "v=STSv1; id=2;"}, "", true},
		"no id":                       {[]string{"v=STSv1; x=1"}, "", true},
		"an empty id":                 {[]string{"v=STSv1; id="}, "", true},
		"an id of 33":                 {[]string{"v=STSv1; id=" + strings.Repeat("a", 33)}, "", true},
		"an id with a dash":           {[]string{"v=STSv1; id=a-b"}, "", true},
		"a field that is none":        {[]string{"v=STSv1; id=1; boo"}, "", true},
		"an empty field":              {[]string{"v=STSv1; ; id=1"}, "", true},
		"another version":             {[]string{"v=STSv2; id=1;"}, "", false},
		"lower case":                  {[]string{"v=stsv1; id=1;"}, "", false},
		"a version that goes on":      {[]string{"v=STSv11; id=1;"}, "", false},
		"a control character":         {[]string{"v=STSv1; id=1\x00;"}, "", true},
		"the first id of two in one":  {[]string{"v=STSv1; id=1; id=2"}, "1", false},
		"space before the version":    {[]string{" v=STSv1; id=1;"}, "", false},
		"nothing behind the version":  {[]string{"v=STSv1"}, "", false},
		"only the delimiter after it": {[]string{"v=STSv1;"}, "", true},
	} {
		id, err := mtasts.ParseRecords(c.texts)
		if id != c.id || (err != nil) != c.fails {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

func TestPoliciesAreReadOrRefused(t *testing.T) {
	t.Parallel()
	const head = "version: STSv1\r\nmode: enforce\r\n"
	good := &mtasts.Policy{Mode: "enforce", MaxAge: time.Hour, MX: []string{"mx.example.org", "*.example.net"}}
	for name, c := range map[string]struct {
		text string
		want *mtasts.Policy
	}{
		"as the RFC has it":        {head + "mx: mx.example.org\r\nmx: *.example.net\r\nmax_age: 3600\r\n", good},
		"LF and no end":            {"version: STSv1\nmode: enforce\nmx: mx.example.org\nmx: *.example.net\nmax_age: 3600", good},
		"in another order":         {"max_age: 3600\nmx:mx.example.org \nmx: *.Example.NET\nmode: enforce\nversion: STSv1\n", good},
		"unknown fields":           {head + "x-y: ünknown\r\nmx: mx.example.org\r\nmx: *.example.net\r\nmax_age: 3600\r\n", good},
		"the first of two counts":  {head + "mode: none\r\nmx: mx.example.org\r\nmx: *.example.net\r\nmax_age: 3600\r\nmax_age: 1\r\n", good},
		"none needs no mx":         {"version: STSv1\nmode: none\nmax_age: 0\n", &mtasts.Policy{Mode: "none"}},
		"a year at most":           {head + "mx: a.b\nmax_age: 9999999999", &mtasts.Policy{Mode: "enforce", MaxAge: mtasts.MaxAge, MX: []string{"a.b"}}},
		"nothing":                  {"", nil},
		"a page":                   {"<html><body>404</body></html>", nil},
		"no version":               {"mode: enforce\nmx: a.b\nmax_age: 1\n", nil},
		"another version":          {"version: STSv2\nmode: enforce\nmx: a.b\nmax_age: 1\n", nil},
		"no mode":                  {"version: STSv1\nmx: a.b\nmax_age: 1\n", nil},
		"another mode":             {"version: STSv1\nmode: Enforce\nmx: a.b\nmax_age: 1\n", nil},
		"no mx":                    {head + "max_age: 1\n", nil},
		"no max_age":               {head + "mx: a.b\n", nil},
		"a negative max_age":       {head + "mx: a.b\nmax_age: -1\n", nil},
		"a long max_age":           {head + "mx: a.b\nmax_age: 99999999999\n", nil},
		"a max_age in words":       {head + "mx: a.b\nmax_age: 1d\n", nil},
		"a wildcard in the middle": {head + "mx: a.*.b\nmax_age: 1\n", nil},
		"a wildcard alone":         {head + "mx: *\nmax_age: 1\n", nil},
		"part of a label":          {head + "mx: mx*.b\nmax_age: 1\n", nil},
		"an address":               {head + "mx: [192.0.2.1]\nmax_age: 1\n", nil},
		"an empty mx":              {head + "mx: \nmax_age: 1\n", nil},
		"a NUL":                    {head + "x: \x00\nmx: a.b\nmax_age: 1\n", nil},
		"too long":                 {head + "mx: a.b\nmax_age: 1\nx: " + strings.Repeat("y", mtasts.MaxPolicy), nil},
		"too many names":           {head + strings.Repeat("mx: a.b\n", 1001) + "max_age: 1\n", nil},
	} {
		got, err := mtasts.Parse([]byte(c.text))
		if (err == nil) != (c.want != nil) || c.want != nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestNamesMatchByExactlyOneLabel(t *testing.T) {
	t.Parallel()
	p := &mtasts.Policy{MX: []string{"mx.example.org", "*.example.net"}}
	for host, want := range map[string]bool{
		"mx.example.org": true, "a.example.net": true, "example.net": false, "a.b.example.net": false, "xmx.example.org": false,
		"a.mx.example.org": false, "mx.example.org.evil.example": false, "": false, ".example.net": false, "*.example.net": false,
		"example.org": false, "a.example.net.": false,
	} {
		if got := p.Matches(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"text/plain": true, "text/plain; charset=utf-8": true, "TEXT/Plain": true, "text/html": false, "": false,
		"application/octet-stream": false, "text/plainer": false, "text/plain, text/html": false,
	} {
		if got := mtasts.ContentType(value); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte("version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmx: *.example.net\r\nmax_age: 604800\r\n"))
	f.Add([]byte("version: STSv1\nmode: none\nmax_age: 0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := mtasts.Parse(text)
		if err != nil {
			return
		}
		again, err := mtasts.Parse(p.Text())
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("%+v is written as %+v, %v", p, again, err)
		}
		if p.MaxAge < 0 || p.MaxAge > mtasts.MaxAge || p.Mode != mtasts.None && len(p.MX) == 0 {
			t.Errorf("%+v", p)
		}
		for _, bad := range []string{"", ".", "evil.example.", "*.a", "a..b"} {
			if p.Matches(bad) {
				t.Errorf("%q matches %q", bad, p.MX)
			}
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add("v=STSv1; id=20160831085700Z;", "v=spf1 -all")
	f.Add("v=STSv1 ;x=y;id=1", "v=STSv1; id=2")
	f.Fuzz(func(t *testing.T, a, b string) {
		id, err := mtasts.ParseRecords([]string{a, b})
		if id != "" && (err != nil || !mtasts.ID(id)) {
			t.Errorf("%q, %v", id, err)
		}
		if id != "" && !strings.HasPrefix(a, "v=STSv1") && !strings.HasPrefix(b, "v=STSv1") {
			t.Errorf("an id of %q and %q", a, b)
		}
	})
}
