package lookup_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
)

// oracle is a connection that answers every question with the same bytes, under
// the question's own number.
type oracle struct {
	reply []byte
	out   bytes.Buffer
}

func (o *oracle) Write(b []byte) (int, error) {
	const frame, id = 2, 2
	if len(b) > frame+id && len(o.reply) >= id {
		o.out.Write(binary.BigEndian.AppendUint16(nil, uint16(len(o.reply))))
		o.out.Write(b[frame : frame+id])
		o.out.Write(o.reply[id:])
	}
	return len(b), nil
}

func (o *oracle) Read(b []byte) (int, error) {
	if o.out.Len() == 0 {
		return 0, io.EOF
	}
	return o.out.Read(b)
}
func (*oracle) Close() error                     { return nil }
func (*oracle) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*oracle) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*oracle) SetDeadline(time.Time) error      { return nil }
func (*oracle) SetReadDeadline(time.Time) error  { return nil }
func (*oracle) SetWriteDeadline(time.Time) error { return nil }

func FuzzAnswer(f *testing.F) {
	seed := func(rcode int, ad bool, records ...string) {
		m := new(dns.Msg)
		m.SetQuestion("a.example.", dns.TypeMX)
		m.Response, m.RecursionAvailable, m.Rcode, m.AuthenticatedData = true, true, rcode, ad
		for _, r := range records {
			rr, err := dns.NewRR(r)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, dns.TypeMX)
	}
	seed(0, true, "a.example. 300 IN MX 10 mx.a.example.")
	seed(0, false, "a.example. 300 IN CNAME b.example.", "b.example. 1 IN MX 0 .")
	seed(0, true, "a.example. 300 IN CNAME a.example.")
	seed(2, false)
	seed(3, true)
	seed(0, true, "a.example. 300 IN TLSA 3 1 1 00", `a.example. 300 IN TXT "x" "y"`)
	f.Fuzz(func(t *testing.T, reply []byte, kind uint16) {
		if len(reply) > 65535 {
			return
		}
		r, err := lookup.New(lookup.Config{Servers: []string{"127.0.0.1:53"}, Dialer: dialer(func(context.Context, string, string) (net.Conn, error) {
			return &oracle{reply: reply}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []transport.DNSType{transport.DNSType(kind), transport.DNSTypeMX, transport.DNSTypeTLSA, transport.DNSTypeTXT, transport.DNSTypeA} {
			a, err := r.Resolve(t.Context(), "a.example", k)
			if (a == nil) == (err == nil) {
				t.Fatalf("%+v, %v", a, err)
			}
			if err != nil {
				if te, ok := errors.AsType[*transport.Error](err); !ok || te.Status != transport.Deferred || te.Stage != transport.StageLookup {
					t.Fatalf("%v", err)
				}
				continue
			}
			const header, adFlag = 12, 0x20
			if a.Secure && (len(reply) < header || reply[3]&adFlag == 0) {
				t.Fatal("secure without the AD bit")
			}
			if len(a.Records) > 256 {
				t.Fatalf("%d records", len(a.Records))
			}
			hosts, _ := a.MX()
			for _, h := range hosts {
				if len(h.Host) > 253 {
					t.Fatalf("%q", h.Host)
				}
			}
			_, _, _ = a.Addrs(), a.Texts(), a.TLSA()
		}
	})
}
