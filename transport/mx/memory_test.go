package mx_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mx"
	"github.com/phimail/sdk/transport/transporttest"
)

// withPolicy is a domain with a policy of mode enforce.
func withPolicy(t testing.TB) *scene {
	t.Helper()
	s := newScene(t, "good.example. 300 IN MX 10 mx1.good.example.", "mx1.good.example. 300 IN A 127.0.0.1",
		`_mta-sts.good.example. 300 IN TXT "v=STSv1; id=1;"`)
	s.policies.set("good.example", enforce)
	return s
}

func byOf(t testing.TB, p *mx.Prober) string {
	t.Helper()
	r, err := p.Probe(t.Context(), "good.example")
	if err != nil {
		return err.Error()
	}
	return r.By + modeSuffix(r)
}

func modeSuffix(r *transport.Reach) string {
	if r.Policy == nil {
		return ""
	}
	return " " + r.Policy.Mode
}

func TestAddressesOfIPv6AndIPv4AreInTurn(t *testing.T) {
	t.Parallel()
	records := []string{"good.example. 300 IN MX 10 mx1.good.example."}
	for i := 1; i <= 8; i++ {
		records = append(records, fmt.Sprintf("mx1.good.example. 300 IN AAAA fd00::%d", i))
	}
	s := newScene(t, append(records, "mx1.good.example. 300 IN A 127.0.0.1", "mx1.good.example. 300 IN A 127.0.0.2")...)
	d, err := s.prober(t).Destination(t.Context(), "good.example")
	if err != nil {
		t.Fatal(err)
	}
	addrs := d.Servers[0].Addrs
	if len(addrs) != 10 {
		t.Fatalf("%v", addrs)
	}
	for i, four := range []bool{false, true, false, true, false, false, false, false, false, false} {
		if addrs[i].Is4() != four {
			t.Errorf("%v", addrs)
			break
		}
	}
}

func TestAnExcludedDomainWhoseDNSFailsIsRememberedToo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.dns.Fault("bad.example", 0, transporttest.DNSServFail)
	s.cfg.Exclude = []transport.Exclusion{{Domain: "bad.example"}}
	p := s.prober(t)
	asked := 0
	for i := range 10 {
		if r, err := p.Probe(t.Context(), "bad.example"); err != nil || r.Excluded == nil {
			t.Fatalf("%+v, %v", r, err)
		}
		if n := s.dns.AskedInAll(); i == 0 {
			asked = n
		} else if n != asked {
			t.Fatalf("%d questions for one probe, then %d", asked, n)
		}
	}
}

func TestAPolicyOutlivesItsRecordItsHostAndTheProcess(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	s.cfg.CacheDir = filepath.Join(t.TempDir(), "probe")
	p := s.prober(t)
	if by := byOf(t, p); by != "mta-sts enforce" {
		t.Fatal(by)
	}
	first := s.clock.Now()
	// The domain takes it all away (RFC 8461 section 5.1).
	s.dns.Remove("_mta-sts.good.example")
	s.policies.fail(&transport.Error{Status: transport.Deferred, Reason: transport.ErrFetch})
	s.clock.advance(24 * time.Hour)
	for name, p := range map[string]*mx.Prober{"the same": p, "after a restart": s.prober(t)} {
		r, err := p.Probe(t.Context(), "good.example")
		if err != nil || r.By != "mta-sts" || !r.Policy.Fetched.Equal(first) || r.Policy.ID != "1" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	// Nor does a failing DNS lower it.
	s.dns.Fault("_mta-sts.good.example", 0, transporttest.DNSServFail)
	s.clock.advance(24 * time.Hour)
	if by := byOf(t, s.prober(t)); by != "mta-sts enforce" {
		t.Error(by)
	}
	// It ends with its max_age, and then nobody knows.
	s.clock.advance(5 * 24 * time.Hour)
	if by := byOf(t, s.prober(t)); !strings.Contains(by, string(transport.ErrDNSServFail)) {
		t.Error(by)
	}
	s.dns.Fault("_mta-sts.good.example", 0, "")
	s.clock.advance(time.Hour)
	if by := byOf(t, s.prober(t)); by != "" {
		t.Error(by)
	}
	left, err := filepath.Glob(filepath.Join(s.cfg.CacheDir, "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFilesArePrivateAndHoldNoNamesOutside(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	s.cfg.CacheDir = filepath.Join(t.TempDir(), "probe")
	_ = byOf(t, s.prober(t))
	files, err := os.ReadDir(s.cfg.CacheDir)
	if err != nil || len(files) != 1 || strings.Contains(files[0].Name(), "good") {
		t.Fatalf("%v, %v", files, err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestProcessesShareWhatOneHasFetched(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	s.cfg.CacheDir = t.TempDir()
	s.policies.set("good.example", strings.Replace(enforce, "604800", "7200", 1))
	one, other := s.prober(t), s.prober(t)
	_ = byOf(t, one)
	s.clock.advance(2 * time.Hour)
	if by := byOf(t, other); by != "mta-sts enforce" || s.policies.count() != 2 {
		t.Fatalf("%s after %d fetches", by, s.policies.count())
	}
	s.clock.advance(time.Hour) // what the first knows has ended, what the other wrote has not
	if by := byOf(t, one); by != "mta-sts enforce" || s.policies.count() != 2 {
		t.Errorf("%s after %d fetches", by, s.policies.count())
	}
}

func TestADamagedFileIsNoPolicy(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	s.cfg.CacheDir = t.TempDir()
	_ = byOf(t, s.prober(t))
	files, err := filepath.Glob(filepath.Join(s.cfg.CacheDir, "sts-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	s.dns.Remove("_mta-sts.good.example")
	for name, text := range map[string]string{
		"cut off": string(good[:len(good)/2]), "empty": "", "another domain's": strings.Replace(string(good), "good.example", "evil.example", 1),
		"of the future":   strings.Replace(string(good), s.clock.Now().UTC().Format("2006"), "2999", 1),
		"another version": strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"another mode":    strings.Replace(string(good), "enforce", "anything", 1),
	} {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(time.Hour)
		if by := byOf(t, s.prober(t)); by != "" {
			t.Errorf("%s: %s", name, by)
		}
	}
}

func TestANewIDBringsANewPolicyAndAFailedFetchKeepsTheOld(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	p := s.prober(t)
	_ = byOf(t, p)
	change := func(id string) {
		s.dns.Remove("_mta-sts.good.example")
		if err := s.dns.Add(`_mta-sts.good.example. 300 IN TXT "v=STSv1; id=` + id + `;"`); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(time.Hour)
	}
	change("2")
	s.policies.set("good.example", "<html>")
	if by := byOf(t, p); by != "mta-sts enforce" || s.policies.count() != 2 {
		t.Errorf("%s after %d fetches", by, s.policies.count())
	}
	// What could not be had is not asked for again at once.
	s.clock.advance(2 * time.Minute)
	if by := byOf(t, p); by != "mta-sts enforce" || s.policies.count() != 2 {
		t.Errorf("%s after %d fetches", by, s.policies.count())
	}
	s.policies.set("good.example", "version: STSv1\nmode: none\nmax_age: 86400\n")
	s.clock.advance(time.Hour)
	if by := byOf(t, p); by != " none" || s.policies.count() != 3 {
		t.Errorf("%q after %d fetches", by, s.policies.count())
	}
	s.clock.advance(time.Hour)
	if _ = byOf(t, p); s.policies.count() != 3 {
		t.Errorf("%d fetches of what has not changed", s.policies.count())
	}
	s.clock.advance(25 * time.Hour)
	if _ = byOf(t, p); s.policies.count() != 4 {
		t.Errorf("%d fetches; a policy is fetched again after a day", s.policies.count())
	}
}

func TestMaxAgeZeroIsNotKept(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	s.cfg.CacheDir = t.TempDir()
	s.policies.set("good.example", strings.Replace(enforce, "604800", "0", 1))
	p := s.prober(t)
	r, err := p.Probe(t.Context(), "good.example")
	if err != nil || r.By != "mta-sts" || r.Until.Sub(s.clock.Now()) > time.Minute {
		t.Fatalf("%+v, %v", r, err)
	}
	if files, err := os.ReadDir(s.cfg.CacheDir); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
	s.dns.Remove("_mta-sts.good.example")
	s.clock.advance(time.Hour)
	if by := byOf(t, p); by != "" {
		t.Errorf("%s holds without a record", by)
	}
}

func TestAThousandSendsMakeOneLookUp(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	p := s.prober(t)
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 1000 {
		wg.Go(func() {
			if r, err := p.Probe(t.Context(), "good.example"); err == nil && r.Proven {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if n := s.dns.Asked("good.example", dns.TypeMX); good.Load() != 1000 || n != 1 || s.policies.count() != 1 {
		t.Errorf("%d good, %d questions, %d fetches", good.Load(), n, s.policies.count())
	}
	_ = byOf(t, p)
	if n := s.dns.Asked("good.example", dns.TypeMX); n != 1 {
		t.Errorf("%d questions when warm", n)
	}
}

func TestACallerWhoGivesUpLeavesTheOthersTheirAnswer(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	entered, release := make(chan struct{}), make(chan struct{})
	s.cfg.Fetch = func(ctx context.Context, url string, limit int64) (int, string, []byte, error) {
		close(entered)
		select {
		case <-release:
		case <-ctx.Done():
			return 0, "", nil, ctx.Err()
		}
		return s.policies.Get(ctx, url, limit)
	}
	p := s.prober(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone, stays := make(chan error, 1), make(chan string, 1)
	go func() {
		_, err := p.Probe(ctx, "good.example")
		gone <- err
	}()
	<-entered
	go func() { stays <- byOf(t, p) }()
	cancel()
	if err := <-gone; !errors.Is(err, transport.ErrCanceled) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	if by := <-stays; by != "mta-sts enforce" {
		t.Error(by)
	}
}

func TestAFailureIsForgottenSoonAndDoesNotReplaceWhatHolds(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	p := s.prober(t)
	s.dns.Fault("good.example", dns.TypeMX, transporttest.DNSServFail)
	for range 3 {
		if by := byOf(t, p); !strings.Contains(by, string(transport.ErrDNSServFail)) {
			t.Fatal(by)
		}
	}
	asked := s.dns.Asked("good.example", dns.TypeMX)
	s.dns.Fault("good.example", dns.TypeMX, "")
	s.clock.advance(10 * time.Second)
	if by := byOf(t, p); by != "mta-sts enforce" || asked > 2 {
		t.Errorf("%s, %d questions while it failed", by, asked)
	}
	// Near the end it is looked up beside, and a failure changes nothing.
	s.dns.Fault("good.example", dns.TypeMX, transporttest.DNSServFail)
	s.clock.advance(270 * time.Second)
	for range 3 {
		if by := byOf(t, p); by != "mta-sts enforce" {
			t.Error(by)
		}
	}
}

func TestWhatIsSoonToEndIsLookedUpBeside(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	var asked atomic.Int64
	seen := make(chan struct{}, 8)
	inner := s.cfg.Resolver
	s.cfg.Resolver = resolverFunc(func(ctx context.Context, name string, kind transport.DNSType) (*transport.Answer, error) {
		if name == "good.example" && kind == transport.DNSTypeMX {
			asked.Add(1)
			seen <- struct{}{}
		}
		a, err := inner.Resolve(ctx, name, kind)
		if a != nil { // the resolver's own memory is not what is tested
			b := *a
			b.Until = s.clock.Now().Add(5 * time.Minute)
			a = &b
		}
		return a, err
	})
	p := s.prober(t)
	_ = byOf(t, p)
	<-seen
	s.clock.advance(250 * time.Second)
	if by := byOf(t, p); by != "mta-sts enforce" { // at once, from memory
		t.Error(by)
	}
	<-seen
	if n := asked.Load(); n != 2 {
		t.Errorf("%d look-ups", n)
	}
}

type resolverFunc func(context.Context, string, transport.DNSType) (*transport.Answer, error)

func (f resolverFunc) Resolve(ctx context.Context, name string, t transport.DNSType) (*transport.Answer, error) {
	return f(ctx, name, t)
}

func TestExcludedDomainsAreNeverProven(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	since := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	for domain, excluded := range map[string]bool{
		"good.example": true, "Good.Example.": true, ".example": true, ".good.example": false, "ood.example": false, "example": false,
	} {
		s.cfg.Exclude = []transport.Exclusion{{Domain: domain, Since: since, Reason: "weak"}}
		r, err := s.prober(t).Probe(t.Context(), "good.example")
		if err != nil || (r.Excluded != nil) != excluded || r.Proven == excluded {
			t.Errorf("%s: %+v, %v", domain, r, err)
		}
		if excluded && (r.Reason != transport.ErrExcluded || !r.Excluded.Since.Equal(since)) {
			t.Errorf("%+v", r)
		}
	}
	s.dns.Fault("good.example", 0, transporttest.DNSServFail)
	s.clock.advance(time.Hour)
	s.cfg.Exclude = []transport.Exclusion{{Domain: "good.example"}}
	if r, err := s.prober(t).Probe(t.Context(), "good.example"); err != nil || r.Excluded == nil || r.Proven {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for i := range 40 {
		if err := s.dns.Add(fmt.Sprintf("d%d.example. 300 IN MX 10 mx.d%d.example.", i, i), fmt.Sprintf("mx.d%d.example. 300 IN A 127.0.0.1", i)); err != nil {
			t.Fatal(err)
		}
	}
	s.cfg.MaxDomains = 10
	p := s.prober(t)
	for i := range 40 {
		if _, err := p.Probe(t.Context(), fmt.Sprintf("d%d.example", i)); err != nil {
			t.Error(err)
		}
	}
	if got := fmt.Sprintf("%+v", p); got != "mx.Prober{domains: 10}" {
		t.Error(got)
	}
}

func TestAClosedProberDefersAndInvalidConfigsAreRefused(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	p := s.prober(t)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Probe(t.Context(), "good.example"); !errors.Is(err, transport.ErrClosed) || !errors.Is(err, transport.ErrDeferred) {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for field, cfg := range map[string]mx.ProberConfig{
		"Resolver":          {Fetch: s.cfg.Fetch},
		"Fetch":             {Resolver: s.cfg.Resolver},
		"Exclude[0].Domain": {Resolver: s.cfg.Resolver, Fetch: s.cfg.Fetch, Exclude: []transport.Exclusion{{Domain: "a b"}}},
		"CacheDir":          {Resolver: s.cfg.Resolver, Fetch: s.cfg.Fetch, CacheDir: file},
		"Hello":             {Resolver: s.cfg.Resolver, Fetch: s.cfg.Fetch, Hello: "x\r\n"},
		"Timeout":           {Resolver: s.cfg.Resolver, Fetch: s.cfg.Fetch, Timeout: time.Hour},
		"MaxDomains":        {Resolver: s.cfg.Resolver, Fetch: s.cfg.Fetch, MaxDomains: -1},
	} {
		if _, err := mx.NewProber(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := withPolicy(t).prober(t).Probe(t.Context(), "no domain"); !errors.Is(err, transport.ErrNoDomain) {
		t.Error(err)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := withPolicy(t)
	entered := make(chan struct{})
	s.cfg.Fetch = func(ctx context.Context, _ string, _ int64) (int, string, []byte, error) {
		close(entered)
		<-ctx.Done()
		return 0, "", nil, ctx.Err()
	}
	p := s.prober(t)
	done := make(chan error, 1)
	go func() {
		_, err := p.Probe(context.WithoutCancel(t.Context()), "good.example")
		done <- err
	}()
	<-entered
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("a policy that did not come proved something")
	}
}
