package transport_test

import (
	"strings"
	"testing"

	"github.com/phimail/sdk/transport"
)

func TestRecordsThatAreMalformedAreLeftOut(t *testing.T) {
	t.Parallel()
	long := "\x00\x0a" + strings.Repeat("\x3f"+strings.Repeat("a", 63), 5) + "\x00"
	a := &transport.Answer{Records: []transport.DNSRecord{
		transport.DNSRecord("\x00\x0a\x02mX\x07Example\x00"), nil, transport.DNSRecord("\x00"), transport.DNSRecord("\x00\x0a"),
		transport.DNSRecord("\x00\x0a\x02mx"), transport.DNSRecord("\x00\x0a\x02m.\x00"), transport.DNSRecord("\x00\x0a\xc0\x00"),
		transport.DNSRecord("\x00\x0a\x02mx\x00\x00"), transport.DNSRecord(long),
	}}
	if mx, ok := a.MX(); ok || len(mx) != 1 || mx[0].Host != "mx.example" || mx[0].Preference != 10 {
		t.Errorf("%+v %t", mx, ok)
	}
	a = &transport.Answer{Records: []transport.DNSRecord{transport.DNSRecord("\x01a\x02bc"), transport.DNSRecord("\x05a"), nil, transport.DNSRecord("\x00")}}
	if x := a.Texts(); len(x) != 2 || x[0] != "abc" || x[1] != "" {
		t.Errorf("%q", x)
	}
	a = &transport.Answer{Records: []transport.DNSRecord{{192, 0, 2, 1}, {1, 2}, make([]byte, 16)}}
	if x := a.Addrs(); len(x) != 2 {
		t.Errorf("%v", x)
	}
	a = &transport.Answer{Records: []transport.DNSRecord{{3, 1, 1, 0xff}, {3, 1, 1}, nil}}
	if x := a.TLSA(); len(x) != 1 {
		t.Errorf("%v", x)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte("\x00\x0a\x02mx\x07example\x00"))
	f.Add([]byte("\x03abc\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &transport.Answer{Records: []transport.DNSRecord{data}}
		records, ok := a.MX()
		if ok != (len(records) == 1) {
			t.Errorf("%v %t", records, ok)
		}
		for _, r := range records {
			if len(r.Host) > 253 || strings.ContainsAny(r.Host, " \r\n@\x00") || strings.Contains(r.Host, "..") {
				t.Errorf("%q", r.Host)
			}
		}
		for _, text := range a.Texts() {
			if len(text) > len(data) {
				t.Errorf("%q", text)
			}
		}
		_, _ = a.Addrs(), a.TLSA()
	})
}
