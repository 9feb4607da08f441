//go:build unix

package dnsworld

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// await returns once the server at addr answers for a zone, with validated data
// if that is asked for.
func (w *World) await(ctx context.Context, addr, zone string, validated bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		h, err := ask(ctx, addr, strings.TrimSuffix(zone, ".")+".")
		if err == nil && h.RCode == dnsmessage.RCodeSuccess && (h.AuthenticData || !validated) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("no good answer from %s: %v", addr, h.RCode), err)
		}
	}
}

// ask asks for the SOA record of a name, and returns the answer's header.
func ask(ctx context.Context, addr, name string) (dnsmessage.Header, error) {
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return dnsmessage.Header{}, err
	}
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true, AuthenticData: true},
		Questions: []dnsmessage.Question{{Name: n, Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET}},
	}
	packed, err := query.Pack()
	if err != nil {
		return dnsmessage.Header{}, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", addr)
	if err != nil {
		return dnsmessage.Header{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return dnsmessage.Header{}, err
	}
	if _, err := conn.Write(packed); err != nil {
		return dnsmessage.Header{}, err
	}
	buf := make([]byte, 4096)
	size, err := conn.Read(buf)
	if err != nil {
		return dnsmessage.Header{}, err
	}
	var p dnsmessage.Parser
	return p.Start(buf[:size])
}
