package main

import (
	"context"
	"net/mail"
	"strings"
	"time"

	"github.com/phimail/sdk/phimail/internal/compose"
	"github.com/phimail/sdk/transport/mx/tlsrpt"
)

const helpTLSReport = `usage: phimail tls-report -config FILE [-day DAY] [-domain DOMAIN | -forget]

Says how TLS sessions with recipients' servers ended on a day, as SMTP TLS
Reporting has it (RFC 8460). It needs transport.mx with tls_reports, which counts
them. Nothing is sent: one line of JSON a domain goes to standard output,
{"domain","mail":[],"https":[],"report":{}}, where mail and https are the places
that the domain's DNS asks for reports, empty if it wants none. "error" stands
there if nobody knows.

    -day DAY         such as 2026-01-31, in UTC; default: yesterday
    -domain DOMAIN   write the report for DOMAIN as a message instead, to be sent:
                     phimail tls-report -config F -domain D | phimail send -config F -t
    -forget          let go of the day's counts, once its reports were sent

With -domain the exit code is 65 if there is no report, or DOMAIN wants none by mail.
`

type tlsReportJSON struct {
	Domain string         `json:"domain"`
	Mail   []string       `json:"mail"`
	HTTPS  []string       `json:"https"`
	Error  string         `json:"error,omitempty"`
	Report *tlsrpt.Report `json:"report"`
}

func (a *app) tlsReport(ctx context.Context, args []string) error {
	var file, day, domain string
	var forget bool
	f := newFlags("tls-report")
	f.StringVar(&file, "config", "", "")
	f.StringVar(&day, "day", "", "")
	f.StringVar(&domain, "domain", "", "")
	f.BoolVar(&forget, "forget", false, "")
	if helped, err := f.parse(a, args); err != nil || helped {
		return err
	}
	when := a.now().AddDate(0, 0, -1)
	if day != "" {
		var err error
		if when, err = time.Parse(time.DateOnly, day); err != nil {
			return fail(exitUsage, "-day must be a day, such as 2026-01-31")
		}
	}
	if file == "" || f.NArg() > 0 || forget && domain != "" {
		return fail(exitUsage, "tls-report needs -config FILE, and one of -domain and -forget at most")
	}
	c, err := loadConfig(file)
	if err != nil {
		return &failure{exitConfig, err}
	}
	if c.transport.mx.reports.line == 0 {
		return fail(exitConfig, "the configuration counts nothing; set transport.mx.tls_reports")
	}
	ctx, stop := a.signals(ctx)
	defer stop()
	recorder, err := a.openReports(c)
	if err != nil {
		return &failure{exitConfig, err}
	}
	defer func() { _ = recorder.Close() }() // it counted nothing
	if forget {
		if err := recorder.Forget(when); err != nil {
			return &failure{exitConfig, err}
		}
		return nil
	}
	reports, err := recorder.Reports(ctx, when)
	if err != nil {
		return &failure{exitConfig, err}
	}
	if domain != "" {
		return a.tlsReportMessage(ctx, c, reports, compose.ASCIIDomain(strings.ToLower(domain)))
	}
	return a.tlsReportList(ctx, c, reports)
}

func (a *app) tlsReportList(ctx context.Context, c *config, reports []*tlsrpt.Report) error {
	for _, r := range reports {
		out := tlsReportJSON{Domain: r.Domain(), Mail: []string{}, HTTPS: []string{}, Report: r}
		rec, err := a.tlsReportPlaces(ctx, c, r.Domain())
		if err != nil {
			out.Error = relayFault(err)
		}
		for i := range rec.Mail {
			out.Mail = append(out.Mail, rec.Mail[i].Address)
		}
		out.HTTPS = append(out.HTTPS, rec.HTTPS...)
		if err := writeJSON(a.stdout, out); err != nil {
			return fail(exitAudit, "the reports could not be written to standard output")
		}
	}
	return nil
}

func (a *app) tlsReportMessage(ctx context.Context, c *config, reports []*tlsrpt.Report, domain string) error {
	for _, r := range reports {
		if r.Domain() != domain {
			continue
		}
		rec, err := a.tlsReportPlaces(ctx, c, domain)
		switch {
		case err != nil:
			return fail(exitDeferred, "whether the domain wants reports could not be found out: %s", relayFault(err))
		case len(rec.Mail) == 0:
			return fail(exitData, "the domain asks for no report by mail")
		}
		from := fromAddress(c)
		from.Address = asciiAddress(from.Address)
		message, err := r.Message(tlsrpt.Letter{From: mail.Address{Address: from.Address}, To: rec.Mail, Date: a.now()})
		if err != nil {
			return &failure{exitConfig, err}
		}
		if _, err := a.stdout.Write(message); err != nil {
			return fail(exitAudit, "the message could not be written to standard output")
		}
		return nil
	}
	return fail(exitData, "nothing was counted for the domain on that day")
}

// asciiAddress has its domain in A-labels.
func asciiAddress(address string) string {
	at := strings.LastIndexByte(address, '@')
	return address[:at+1] + compose.ASCIIDomain(address[at+1:])
}

func (a *app) tlsReportPlaces(ctx context.Context, c *config, domain string) (tlsrpt.Record, error) {
	b := &c.transport.mx
	l, err := a.openLookups(c, b.resolver, b.caFile, b.policyPort.v, b.allowPrivate.v)
	if err != nil {
		return tlsrpt.Record{}, err
	}
	rec, _, err := tlsrpt.Find(ctx, l.resolver, domain)
	return rec, err
}
