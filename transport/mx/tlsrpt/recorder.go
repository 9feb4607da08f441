package tlsrpt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
)

// Limits of what is kept. What goes beyond is counted in [Recorder.Dropped], or
// told without its details.
const (
	defaultMaxDomains = 10000 // a day
	maxPolicies       = 8     // a domain and day
	maxDetails        = 64    // a policy, beside one a result type without host and address
	maxStrings        = 64    // lines of a policy, and of its patterns
	maxString         = 512   // bytes of each
	maxDays           = 8     // the oldest is forgotten
	flushEvery        = time.Minute
)

// Config says who reports, and where counts are kept.
type Config struct {
	// Organization is who reports; Contact is whom to ask about it, such as an
	// address. Both are required and stand in every report.
	Organization, Contact string
	// Dir is a directory for the counts, one file a day, which several processes
	// may share. It is made when missing. Empty: they are kept in memory and end
	// with the process.
	Dir string
	// MaxDomains bounds the domains that are counted a day. Defaults to 10000.
	MaxDomains int
	// Clock defaults to time.Now.
	Clock func() time.Time
}

// Recorder counts results. It is safe for concurrent use. It starts no goroutine.
type Recorder struct {
	cfg Config

	mu      sync.Mutex
	days    map[string]*tally // by date
	flushed time.Time
	dropped int64
	closed  bool
}

// tally is what is known of one day.
type tally struct {
	domains map[string][]*count
}

// count is what is known of one policy of a domain.
type count struct {
	Policy     Policy                  `json:"policy"`
	Successful int64                   `json:"ok,omitempty"`
	Failed     int64                   `json:"failed,omitempty"`
	details    map[FailureDetail]int64 // without Sessions
}

// New checks cfg and makes a recorder.
func New(cfg Config) (*Recorder, error) {
	var errs []error
	if cfg.Organization == "" {
		errs = append(errs, errors.New("tlsrpt: Config.Organization is required: it stands in every report"))
	}
	if cfg.Contact == "" {
		errs = append(errs, errors.New("tlsrpt: Config.Contact is required: it stands in every report"))
	}
	if cfg.MaxDomains < 0 {
		errs = append(errs, errors.New("tlsrpt: Config.MaxDomains is negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.MaxDomains == 0 {
		cfg.MaxDomains = defaultMaxDomains
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	r := &Recorder{cfg: cfg, days: map[string]*tally{}, flushed: cfg.Clock()}
	if cfg.Dir != "" {
		if err := makeDir(cfg.Dir); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ObserveTLS counts a result in the day of the clock; see [mx.Observer].
func (r *Recorder) ObserveTLS(res mx.TLSResult) {
	now := r.cfg.Clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.dropped++
		return
	}
	r.add(dateOf(now), policyOf(&res), detailOf(&res), 1)
	if r.cfg.Dir != "" && now.Sub(r.flushed) >= flushEvery {
		_ = r.flush(now) // what can't be written stays, and Close tells
	}
}

func dateOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func policyOf(res *mx.TLSResult) Policy {
	return Policy{Type: res.PolicyType, Domain: res.Domain, Strings: bounded(res.Policy), MXHosts: bounded(res.MXHosts)}
}

func bounded(list []string) []string {
	list = slices.Clone(list[:min(len(list), maxStrings)])
	for i, s := range list {
		list[i] = strings.ToValidUTF8(s[:min(len(s), maxString)], "")
	}
	return list
}

// detailOf is zero for a session that went well.
func detailOf(res *mx.TLSResult) FailureDetail {
	if res.Failure == "" {
		return FailureDetail{}
	}
	d := FailureDetail{Type: res.Failure, Host: res.Host, Code: res.Code}
	if res.Remote.IsValid() {
		d.ReceivingIP = res.Remote.WithZone("").String()
	}
	if res.Local.IsValid() {
		d.SendingIP = res.Local.WithZone("").String()
	}
	return d
}

// add counts n sessions that ended as d says.
func (r *Recorder) add(date string, p Policy, d FailureDetail, n int64) {
	t := r.day(date)
	if t == nil {
		r.dropped += n
		return
	}
	c := t.find(&p, r.cfg.MaxDomains)
	switch {
	case c == nil:
		r.dropped += n
	case d.Type == "":
		c.Successful += n
	default:
		c.Failed += n
		if _, known := c.details[d]; !known && len(c.details) >= maxDetails {
			d = FailureDetail{Type: d.Type}
		}
		c.details[d] += n
	}
}

// day returns the tally of a day, and forgets the oldest beyond the limit. It is
// nil for one that is older than all that are kept.
func (r *Recorder) day(date string) *tally {
	t := r.days[date]
	if t != nil {
		return t
	}
	if len(r.days) >= maxDays {
		oldest := date
		for other := range r.days {
			oldest = min(oldest, other)
		}
		if oldest == date {
			return nil
		}
		delete(r.days, oldest)
	}
	t = &tally{domains: map[string][]*count{}}
	r.days[date] = t
	return t
}

// find returns the count of a policy, nil if there is no room for it.
func (t *tally) find(p *Policy, maxDomains int) *count {
	list, known := t.domains[p.Domain]
	for _, c := range list {
		if c.Policy.Type == p.Type && slices.Equal(c.Policy.Strings, p.Strings) && slices.Equal(c.Policy.MXHosts, p.MXHosts) {
			return c
		}
	}
	if !known && len(t.domains) >= maxDomains || len(list) >= maxPolicies {
		return nil
	}
	c := &count{Policy: *p, details: map[FailureDetail]int64{}}
	t.domains[p.Domain] = append(list, c)
	return c
}

// Dropped is how many results found no room.
func (r *Recorder) Dropped() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// Days lists the days of which something is known and that are over, oldest
// first.
func (r *Recorder) Days() ([]time.Time, error) {
	today := dateOf(r.cfg.Clock())
	r.mu.Lock()
	dates := make(map[string]bool)
	for date := range r.days {
		dates[date] = true
	}
	r.mu.Unlock()
	if r.cfg.Dir != "" {
		if err := listDir(r.cfg.Dir, dates); err != nil {
			return nil, err
		}
	}
	var days []time.Time
	for date := range dates {
		if day, err := time.Parse(time.DateOnly, date); err == nil && date < today {
			days = append(days, day)
		}
	}
	slices.SortFunc(days, time.Time.Compare)
	return days, nil
}

// Reports makes the reports of a day, in UTC, one for each domain, sorted. They
// are valid, and the same each time as long as nothing is counted. A day that is
// not over yet is reported as far as it is known.
func (r *Recorder) Reports(ctx context.Context, day time.Time) ([]*Report, error) {
	date := dateOf(day)
	t, err := r.whole(date)
	if err != nil {
		return nil, err
	}
	start, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil, err
	}
	var reports []*Report
	for domain, counts := range t.domains {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rep := &Report{
			Organization: r.cfg.Organization, Contact: r.cfg.Contact, ID: r.id(domain, date),
			Range: DateRange{Start: start, End: start.Add(24*time.Hour - time.Second)},
		}
		for _, c := range counts {
			rep.Policies = append(rep.Policies, c.result())
		}
		if rep.Validate() == nil { // what a file says may be anything
			reports = append(reports, rep)
		}
	}
	slices.SortFunc(reports, func(a, b *Report) int { return strings.Compare(a.Domain(), b.Domain()) })
	return reports, nil
}

// id names a report: the same one each time it is made.
func (r *Recorder) id(domain, date string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", r.cfg.Organization, domain, date))
	return date + "." + hex.EncodeToString(sum[:12]) + "@" + domain
}

func (c *count) result() PolicyResult {
	res := PolicyResult{Policy: c.Policy, Summary: Summary{Successful: c.Successful, Failed: c.Failed}}
	for d, n := range c.details {
		d.Sessions = n
		res.Failures = append(res.Failures, d)
	}
	slices.SortFunc(res.Failures, func(a, b FailureDetail) int {
		return strings.Compare(a.sortKey(), b.sortKey())
	})
	return res
}

// sortKey gives the details of a report a fixed order.
func (f *FailureDetail) sortKey() string {
	return strings.Join([]string{f.Type, f.Host, f.ReceivingIP, f.SendingIP, f.Code}, "\x00")
}

// Forget lets go of a day, once its reports were sent.
func (r *Recorder) Forget(day time.Time) error {
	date := dateOf(day)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.days, date)
	if r.cfg.Dir == "" {
		return nil
	}
	return removeFile(r.cfg.Dir, date)
}

// Close writes down what was counted. Results that come later are dropped.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.cfg.Dir == "" {
		return nil
	}
	return r.flush(r.cfg.Clock())
}

// Find asks where a domain wants its reports; found is false where it wants
// none. An error is the resolver's: nobody knows.
func Find(ctx context.Context, resolver transport.Resolver, domain string) (rec Record, found bool, err error) {
	answer, err := resolver.Resolve(ctx, "_smtp._tls."+domain, transport.DNSTypeTXT)
	if err != nil {
		return Record{}, false, err
	}
	n := 0
	for _, txt := range answer.Texts() {
		if strings.HasPrefix(txt, "v=TLSRPTv1") {
			n++
			rec, found = ParseRecord(txt)
		}
	}
	if n != 1 { // RFC 8460 section 3: of several, none counts
		return Record{}, false, nil
	}
	return rec, found, nil
}
