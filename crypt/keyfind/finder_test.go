package keyfind_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/keyfind"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func TestAFaultyConfigurationIsListed(t *testing.T) {
	t.Parallel()
	_, err := keyfind.New(keyfind.Config{WKD: true, MaxAge: -1, NegativeAge: -1, Timeout: -1, MaxEntries: -1})
	for _, field := range []string{"Resolver", "HTTPS", "MaxAge", "NegativeAge", "Timeout", "MaxEntries"} {
		if !strings.Contains(fmt.Sprint(err), "keyfind: "+field+": ") || !errors.Is(err, crypt.ErrConfig) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	if _, err := keyfind.New(keyfind.Config{Resolver: newWorld()}); err == nil {
		t.Error("nothing is switched on")
	}
}

// The example of draft-koch-openpgp-webkey-service section 3.1.
const (
	joe         = "Joe.Doe@example.org"
	joeAdvanced = "https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
	joeDirect   = "https://example.org/.well-known/openpgpkey/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
)

func TestTheDirectoryIsAskedAsTheDraftSays(t *testing.T) {
	t.Parallel()
	key := pgptest.New(pgptest.P256, joe, pgptest.Options{}).Binary()
	up := record{data: [][]byte{{127, 0, 0, 1}}}
	down := record{err: errors.New("servfail at example.org")}
	for name, c := range map[string]struct {
		advanced, direct record
		pages            map[string]page
		found            bool
		want             error
	}{
		"advanced":                        {up, up, map[string]page{joeAdvanced: {200, key, nil}}, true, nil},
		"direct":                          {record{}, up, map[string]page{joeDirect: {200, key, nil}}, true, nil},
		"direct only where it may":        {up, up, map[string]page{joeDirect: {200, key, nil}}, false, nil},
		"no such domain":                  {record{}, record{}, nil, false, nil},
		"no such person":                  {record{}, up, nil, false, nil},
		"gone":                            {record{}, up, map[string]page{joeDirect: {410, nil, nil}}, false, nil},
		"the other's domain is not known": {down, up, map[string]page{joeDirect: {200, key, nil}}, false, crypt.ErrSource},
		"the domain is not known":         {record{}, down, nil, false, crypt.ErrSource},
		"a redirect":                      {up, up, map[string]page{joeAdvanced: {302, key, nil}}, false, crypt.ErrSource},
		"a failure":                       {up, up, map[string]page{joeAdvanced: {500, key, nil}}, false, crypt.ErrSource},
		"another":                         {up, up, map[string]page{joeAdvanced: {200, key, errors.New(joe)}}, false, crypt.ErrSource},
		"armor":                           {up, up, map[string]page{joeAdvanced: {200, pgptest.Armored(pgptest.New(pgptest.P256, joe, pgptest.Options{})), nil}}, false, crypt.ErrBadKey},
		"a web page":                      {up, up, map[string]page{joeAdvanced: {200, []byte("<html>"), nil}}, false, crypt.ErrBadKey},
		"nothing":                         {up, up, map[string]page{joeAdvanced: {200, nil, nil}}, false, crypt.ErrBadKey},
		"too much":                        {up, up, map[string]page{joeAdvanced: {200, bytes.Repeat(key, 2000), nil}}, false, crypt.ErrSource},
	} {
		w := newWorld()
		w.set("openpgpkey.example.org", typeA, c.advanced)
		w.set("example.org", typeAAAA, c.direct)
		w.pages = c.pages
		found, err := newFinder(t, keyfind.Config{WKD: true, Resolver: w, HTTPS: w}).OpenPGP(t.Context(), address(joe))
		if !errors.Is(err, c.want) || c.found != (len(found) == 1) || err != nil && strings.Contains(err.Error(), "example") {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		if c.found && (found[0].Source != "wkd" || !bytes.Equal(found[0].Data, key) || found[0].Proven) {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func TestTheDNSCountsOnlyWithItsProof(t *testing.T) {
	t.Parallel()
	key := pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary()
	until := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		r    record
		n    int
		want error
	}{
		"signed":            {record{[][]byte{key}, true, until, nil}, 1, nil},
		"two":               {record{[][]byte{key, key}, true, until, nil}, 2, nil},
		"none":              {record{nil, true, until, nil}, 0, nil},
		"none, not signed":  {record{nil, false, until, nil}, 0, nil},
		"not signed":        {record{[][]byte{key}, false, until, nil}, 0, crypt.ErrUnproven},
		"nobody knows":      {record{err: errors.New("bogus: " + dana)}, 0, crypt.ErrSource},
		"armor":             {record{[][]byte{[]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")}, true, until, nil}, 0, crypt.ErrBadKey},
		"one of two is bad": {record{[][]byte{[]byte("x"), key}, true, until, nil}, 1, nil},
		"too many":          {record{slices.Repeat([][]byte{key}, 17), true, until, nil}, 0, crypt.ErrBadKey},
		"too large":         {record{[][]byte{bytes.Repeat(key, 2000)}, true, until, nil}, 0, crypt.ErrBadKey},
	} {
		w := newWorld()
		w.set(nameOf("dana", "_openpgpkey", "patient.example"), typeOPENPGPKEY, c.r)
		found, err := newFinder(t, keyfind.Config{OpenPGPKey: true, Resolver: w}).OpenPGP(t.Context(), address("dana@Patient.Example"))
		if !errors.Is(err, c.want) || len(found) != c.n || err != nil && strings.Contains(err.Error(), "dana") {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func TestWhatDNSSECProvesComesBeforeTheWeb(t *testing.T) {
	t.Parallel()
	key, other := pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary(), pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary()
	w := newWorld()
	name := nameOf("dana", "_openpgpkey", "patient.example")
	w.set("patient.example", typeA, record{data: [][]byte{{127, 0, 0, 1}}})
	w.pages["https://patient.example/.well-known/openpgpkey/hu/"+"x"] = page{}
	f := func() *keyfind.Finder {
		return newFinder(t, keyfind.Config{WKD: true, OpenPGPKey: true, Resolver: w, HTTPS: any404{w, other}})
	}
	want := func(source string, reason error) {
		t.Helper()
		found, err := f().OpenPGP(t.Context(), address(dana))
		if !errors.Is(err, reason) || reason == nil && (len(found) != 1 || found[0].Source != source) {
			t.Errorf("%v, %v, want %s", found, err, source)
		}
	}
	want("wkd", nil)
	w.set(name, typeOPENPGPKEY, record{data: [][]byte{key}, secure: true})
	want("openpgpkey", nil)
	w.set(name, typeOPENPGPKEY, record{data: [][]byte{key}})
	want("wkd", nil) // what is not proven is not there
	w.set(name, typeOPENPGPKEY, record{err: errors.New("bogus")})
	want("", crypt.ErrSource) // but an attack is no reason to look elsewhere
}

// any404 has one key at every URL.
type any404 struct {
	*world

	key []byte
}

func (a any404) Get(context.Context, string, int64) (int, string, []byte, error) {
	return 200, "", a.key, nil
}

func TestCertificatesComeFromTheDNS(t *testing.T) {
	t.Parallel()
	root := smimetest.NewAuthority()
	der := root.Issue(smimetest.P256, dana).Certificate.Raw
	rec := func(usage, selector, matching byte, data []byte) []byte {
		return append([]byte{usage, selector, matching}, data...)
	}
	for name, c := range map[string]struct {
		data          [][]byte
		found, proven bool
		want          error
	}{
		"of the domain's own":      {[][]byte{rec(3, 0, 0, der)}, true, true, nil},
		"of an authority":          {[][]byte{rec(1, 0, 0, der)}, true, false, nil},
		"a hash":                   {[][]byte{rec(3, 0, 1, der[:32])}, false, false, crypt.ErrBadKey},
		"a key alone":              {[][]byte{rec(3, 1, 0, der)}, false, false, crypt.ErrBadKey},
		"an authority":             {[][]byte{rec(2, 0, 0, root.Certificate.Raw)}, false, false, crypt.ErrBadKey},
		"garbage":                  {[][]byte{rec(3, 0, 0, []byte("x"))}, false, false, crypt.ErrBadKey},
		"nothing":                  {[][]byte{{3}}, false, false, crypt.ErrBadKey},
		"a hash and what it is of": {[][]byte{rec(3, 0, 1, der[:32]), rec(3, 0, 0, der)}, true, true, nil},
		"none":                     {nil, false, false, nil},
	} {
		w := newWorld()
		w.set(nameOf("dana", "_smimecert", "patient.example"), typeSMIMEA, record{data: c.data, secure: true})
		f := newFinder(t, keyfind.Config{SMIMEA: true, Resolver: w})
		found, err := f.Certificates(t.Context(), address(dana))
		if !errors.Is(err, c.want) || c.found != (len(found) == 1) || c.found && (found[0].Proven != c.proven || !bytes.Equal(found[0].Data, der) || found[0].Source != "smimea") {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		if found, err := f.OpenPGP(t.Context(), address(dana)); len(found) > 0 || err != nil {
			t.Errorf("what is off is asked: %v", err)
		}
	}
}

func TestAnswersAreRememberedAsLongAsTheyMay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	key := pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary()
	w := newWorld()
	f := newFinder(t, keyfind.Config{OpenPGPKey: true, Resolver: w, Clock: func() time.Time { return now }, MaxEntries: 2})
	name := nameOf("dana", "_openpgpkey", "patient.example")
	step := func(what string, questions int) {
		t.Helper()
		before := w.questions()
		if _, err := f.OpenPGP(t.Context(), address(dana)); err != nil && !errors.Is(err, crypt.ErrSource) {
			t.Error(err)
		}
		if got := w.questions() - before; got != questions {
			t.Errorf("%s: %d questions, want %d", what, got, questions)
		}
	}
	step("first", 1)
	step("none is remembered", 0)
	now = now.Add(6 * time.Minute)
	w.set(name, typeOPENPGPKEY, record{data: [][]byte{key}, secure: true, until: now.Add(10 * time.Minute)})
	step("for five minutes", 1)
	now = now.Add(9 * time.Minute)
	step("a key as long as the DNS says", 0)
	now = now.Add(2 * time.Minute)
	w.set(name, typeOPENPGPKEY, record{data: [][]byte{key}, secure: true, until: now.Add(100 * time.Hour)})
	step("and no longer", 1)
	now = now.Add(61 * time.Minute)
	w.set(name, typeOPENPGPKEY, record{err: errors.New("x")})
	step("at most an hour", 1)
	step("a failure is not remembered", 1)
	for _, other := range []string{"a", "b", "c"} {
		if _, err := f.OpenPGP(t.Context(), address(other+"@x.example")); err != nil {
			t.Error(err)
		}
	}
}

func TestManyWhoAskCostOneQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.slow = make(chan struct{})
	w.set(nameOf("dana", "_openpgpkey", "patient.example"), typeOPENPGPKEY, record{data: [][]byte{pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary()}, secure: true})
	f := newFinder(t, keyfind.Config{OpenPGPKey: true, Resolver: w})
	gone, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := f.OpenPGP(gone, address(dana))
		first <- err
	}()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if found, err := f.OpenPGP(t.Context(), address(dana)); err != nil || len(found) != 1 {
				t.Errorf("%v, %v", found, err)
			}
		})
	}
	cancel() // whoever asks first may leave, the others get their answer
	if err := <-first; err != nil && !errors.Is(err, crypt.ErrCanceled) {
		t.Error(err)
	}
	close(w.slow)
	group.Wait()
	if n := w.questions(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestASearchEnds(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.slow = make(chan struct{})
	f := newFinder(t, keyfind.Config{OpenPGPKey: true, Resolver: w, Timeout: time.Millisecond})
	if _, err := f.OpenPGP(t.Context(), address(dana)); !errors.Is(err, crypt.ErrSource) {
		t.Errorf("a slow server: %v", err)
	}
}

func TestAddressesWithoutADomainAreNotLookedFor(t *testing.T) {
	t.Parallel()
	w := newWorld()
	f := newFinder(t, keyfind.Config{OpenPGPKey: true, SMIMEA: true, Resolver: w})
	for _, a := range []string{"dana", "dana@[127.0.0.1]", ""} {
		if found, err := f.OpenPGP(t.Context(), address(a)); err != nil || found != nil {
			t.Errorf("%q: %v", a, err)
		}
	}
	if w.questions() != 0 {
		t.Error("somebody was asked")
	}
}

func FuzzDirectory(f *testing.F) {
	f.Add(200, pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary(), "dana")
	f.Add(404, []byte("-----BEGIN PGP"), "d a+n/a?")
	f.Fuzz(func(t *testing.T, status int, body []byte, local string) {
		w := newWorld()
		w.set("patient.example", typeA, record{data: [][]byte{{1}}})
		finder := newFinder(t, keyfind.Config{WKD: true, Resolver: w, HTTPS: fixed{status, body, t}})
		found, err := finder.OpenPGP(t.Context(), address(local+"@patient.example"))
		if err == nil && len(found) > 0 && (status != 200 || len(body) == 0 || body[0]&0x80 == 0) {
			t.Fatal("what is no key is taken")
		}
	})
}

type fixed struct {
	status int
	body   []byte
	t      *testing.T
}

func (f fixed) Get(_ context.Context, url string, _ int64) (int, string, []byte, error) {
	const start = "https://patient.example/.well-known/openpgpkey/hu/"
	name, local, ok := strings.Cut(strings.TrimPrefix(url, start), "?l=")
	if !strings.HasPrefix(url, start) || !ok || len(name) != 32 || strings.ContainsAny(local, " /?&#@+\r\n") {
		f.t.Errorf("a URL like %q", url)
	}
	return f.status, "", f.body, nil
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0x30}, []byte{0xc6})
	f.Add(append([]byte{1, 0, 0}, smimetest.NewAuthority().Certificate.Raw...), pgptest.New(pgptest.P256, dana, pgptest.Options{}).Binary())
	f.Fuzz(func(t *testing.T, a, b []byte) {
		w := newWorld()
		w.set(nameOf("dana", "_smimecert", "patient.example"), typeSMIMEA, record{data: [][]byte{a, b}, secure: true})
		w.set(nameOf("dana", "_openpgpkey", "patient.example"), typeOPENPGPKEY, record{data: [][]byte{a, b}, secure: true})
		finder := newFinder(t, keyfind.Config{SMIMEA: true, OpenPGPKey: true, Resolver: w})
		if found, err := finder.Certificates(t.Context(), address(dana)); (len(found) == 0) == (err == nil) {
			t.Fatal(len(found), err)
		}
		if found, err := finder.OpenPGP(t.Context(), address(dana)); (len(found) == 0) == (err == nil) {
			t.Fatal(len(found), err)
		}
	})
}

func ExampleNew() {
	// In your own code this is a Resolver of transport/lookup.
	dns := newWorld()
	key := pgptest.New(pgptest.Curve25519, "dana@patient.example", pgptest.Options{})
	dns.set(nameOf("dana", "_openpgpkey", "patient.example"), typeOPENPGPKEY, record{data: [][]byte{key.Binary()}, secure: true})
	finder, err := keyfind.New(keyfind.Config{OpenPGPKey: true, Resolver: dns})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := finder.OpenPGP(context.Background(), address("dana@patient.example"))
	fmt.Println(len(found), found[0].Source, err)
	found, err = finder.OpenPGP(context.Background(), address("lee@patient.example"))
	fmt.Println(len(found), err)
	// Output:
	// 1 openpgpkey <nil>
	// 0 <nil>
}
