package lookup

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/miekg/dns"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/internal/dnsname"
)

const (
	// udpSize keeps answers below the size at which networks lose fragments
	// (RFC 9715).
	udpSize = 1232
	// tryTimeout bounds one try by UDP; one by TCP has three times that.
	tryTimeout = 3 * time.Second
	// maxStray is how many packets that are no answer to our question are read
	// before a try is given up.
	maxStray = 16
)

// ask goes through the servers. The first that knows is believed, and so is one
// that says that an answer is bogus: another resolver's opinion can't heal that.
func (r *Resolver) ask(ctx context.Context, q question) (*transport.Answer, *transport.Error) {
	err := failed(transport.ErrDNSServFail)
	for _, s := range r.servers {
		var answer *transport.Answer
		answer, err = r.follow(ctx, s, q)
		if err == nil || err.Reason == transport.ErrDNSBogus || ctx.Err() != nil {
			return answer, err
		}
	}
	return nil, err
}

// exchange asks one server one question: by UDP with EDNS, without EDNS where
// the server does not know it (RFC 6891 section 6.2.2), and by TCP where the
// answer is cut or UDP stays silent (RFC 7766 section 5).
func (r *Resolver) exchange(ctx context.Context, s server, q question, checkingDisabled bool) (*dns.Msg, *transport.Error) {
	edns := true
	network := "udp"
	var last *transport.Error
	for range 4 {
		m := newQuery(q, edns, checkingDisabled)
		reply, err := r.try(ctx, s, network, m)
		switch {
		case ctx.Err() != nil:
			return nil, canceled(ctx)
		case err != nil && network == "udp":
			last, network = tryError(err), "tcp"
		case err != nil:
			return nil, tryError(err)
		case edns && (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented || reply.Rcode == dns.RcodeBadVers):
			edns = false
		case reply.Truncated && network == "udp":
			network = "tcp"
		case reply.Truncated:
			return nil, failed(transport.ErrDNSAnswer)
		default:
			return reply, nil
		}
	}
	if last == nil {
		last = failed(transport.ErrDNSServFail)
	}
	return nil, last
}

func newQuery(q question, edns, checkingDisabled bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.name), uint16(q.kind))
	m.AuthenticatedData = true // RFC 6840 section 5.7: we understand the AD bit
	m.CheckingDisabled = checkingDisabled
	if edns {
		m.SetEdns0(udpSize, false)
	}
	return m
}

// tryError never keeps an error's text: it may quote the answer.
func tryError(err error) *transport.Error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return failed(transport.ErrTimeout)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return failed(transport.ErrDNSServFail)
	}
	return failed(transport.ErrDNSAnswer)
}

// try sends m once and waits for its answer.
func (r *Resolver) try(ctx context.Context, s server, network string, m *dns.Msg) (*dns.Msg, error) {
	const share = 4 // of the question's time, so that TCP is tried after a silent UDP
	limit := min(tryTimeout, r.cfg.Timeout/share)
	if network == "tcp" {
		limit *= 3
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	nc, err := r.cfg.Dialer.DialContext(ctx, network, s.addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = nc.Close() }()
	defer context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })()
	if deadline, ok := ctx.Deadline(); ok {
		_ = nc.SetDeadline(deadline)
	}
	co := &dns.Conn{Conn: nc, UDPSize: udpSize}
	if err := co.WriteMsg(m); err != nil {
		return nil, err
	}
	for range maxStray {
		reply, err := co.ReadMsg()
		if answers(reply, m) {
			return reply, err
		}
		if err != nil && (reply == nil || network == "tcp") {
			return nil, err
		}
	}
	return nil, dns.ErrId
}

// answers reports whether reply is one to m: who can't see the question can't
// guess its number and port.
func answers(reply, m *dns.Msg) bool {
	if reply == nil || reply.Id != m.Id || !reply.Response || reply.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(reply.Question) == 0 { // FORMERR of a server that understood nothing
		return reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError
	}
	q, ours := reply.Question[0], m.Question[0]
	name, ok := dnsname.Lower(trimDot(q.Name))
	return ok && len(reply.Question) == 1 && dns.Fqdn(name) == ours.Name && q.Qtype == ours.Qtype && q.Qclass == ours.Qclass
}
