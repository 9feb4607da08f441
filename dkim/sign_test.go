package dkim_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/phimail/sdk/dkim"
	"github.com/phimail/sdk/dkim/dkimtest"
)

type verifier func(testing.TB, []byte, dkimtest.Records) []dkimtest.Result

func TestEachVerifierAcceptsBothSignatures(t *testing.T) {
	t.Parallel()
	verifiers := map[string]verifier{"go-msgauth": dkimtest.Msgauth, "OpenDKIM": dkimtest.OpenDKIM, "Mail::DKIM": dkimtest.MailDKIM}
	records := recordsOf(t, rsaAndEd()...)
	for name, text := range messages() {
		signed, ids := sign(t, newSigner(t, dkim.Config{}), "clinic.example", text)
		if !strings.HasSuffix(text, "\r\n") {
			signed = append(signed, "\r\n"...) // as it leaves by SMTP
		}
		if want := []string{"clinic.example/r1/rsa-sha256", "clinic.example/e1/ed25519-sha256"}; !slices.Equal(ids, want) {
			t.Fatalf("ids are %v, want %v", ids, want)
		}
		for by, verify := range verifiers {
			t.Run(name+" by "+by, func(t *testing.T) {
				t.Parallel()
				results := verify(t, signed, records)
				if len(results) != 2 || results[0].Status != dkimtest.Pass || results[0].Algorithm != "rsa-sha256" {
					t.Fatalf("the RSA signature did not pass: %+v", results)
				}
				if results[1].Status == dkimtest.Fail || by != "Mail::DKIM" && results[1].Status != dkimtest.Pass {
					t.Fatalf("the Ed25519 signature did not pass: %+v", results[1])
				}
			})
		}
	}
}

func messages() map[string]string {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	random := rand.New(rand.NewPCG(1, 2))
	var long strings.Builder
	for long.Len() < 300<<10 {
		long.WriteString(strings.Repeat("x y\t ", random.IntN(30)) + "\r\n")
	}
	return map[string]string{
		"a reminder":          message,
		"an empty body":       head + "\r\n\r\n",
		"a body of spaces":    head + "\r\n\r\n \t \r\n",
		"no final line end":   head + "\r\n\r\nend",
		"a long body":         head + "\r\n\r\n" + long.String(),
		"a long header":       "References: " + strings.Repeat("<0123456789@clinic.example>\r\n ", 1500) + "<1@clinic.example>\r\n" + message,
		"names in other case": strings.NewReplacer("Subject:", "SUBJECT:", "From:", "from:").Replace(message),
		"international names": strings.Replace(message, "Riverside Clinic", "=?windows-1252?Q?Klinik_Fl=FC?= =?utf-8?B?w58=?=", 1),
	}
}

func TestAChangedMessageFailsEachVerifier(t *testing.T) {
	t.Parallel()
	signed, _ := sign(t, newSigner(t, dkim.Config{}), "clinic.example", message)
	records := recordsOf(t, rsaAndEd()...)
	change := func(old, with string) string { return strings.Replace(string(signed), old, with, 1) }
	cases := map[string]string{
		"body":                 change("Dear", "Deer"),
		"body made longer":     string(signed) + "more\r\n",
		"subject":              change("appointment", "refund"),
		"second From on top":   "From: Other <other@evil.example>\r\n" + string(signed),
		"second From below":    change("X-Other:", "From: Other <other@evil.example>\r\nX-Other:"),
		"second Subject":       "Subject: pay here\r\n" + string(signed),
		"Reply-To added":       "Reply-To: other@evil.example\r\n" + string(signed),
		"Cc added":             "Cc: other@evil.example\r\n" + string(signed),
		"Content-Type doubled": "Content-Type: text/html\r\n" + string(signed),
		"encoding added":       "Content-Transfer-Encoding: base64\r\n" + string(signed),
		"unsubscribe added":    "List-Unsubscribe: <https://evil.example>\r\n" + string(signed),
		"expiry moved":         change("; x=1", "; x=2"),
	}
	for name, text := range cases {
		if text == string(signed) {
			t.Fatalf("%s: nothing was changed", name)
		}
		for by, verify := range map[string]verifier{"go-msgauth": dkimtest.Msgauth, "OpenDKIM": dkimtest.OpenDKIM, "Mail::DKIM": dkimtest.MailDKIM} {
			t.Run(name+" by "+by, func(t *testing.T) {
				t.Parallel()
				results := verify(t, []byte(text), records)
				// The change of x= is of the first signature only.
				if len(results) != 2 || results[0].Status != dkimtest.Fail || name != "expiry moved" && results[1].Status == dkimtest.Pass {
					t.Fatalf("a signature passed: %+v", results)
				}
			})
		}
	}
}

func TestFieldsAddedOutsideTheSignaturePass(t *testing.T) {
	t.Parallel()
	signed, ids := sign(t, newSigner(t, dkim.Config{}), "clinic.example", message)
	relayed := "Received: by relay.example; Mon, 05 Jan 2026 15:04:06 +0000\r\n" + strings.Replace(string(signed), "\r\n\ton\tMonday", " on\r\n  Monday", 1)
	slices.Sort(ids)
	if got := dkimtest.Passed(dkimtest.Msgauth(t, []byte(relayed), recordsOf(t, rsaAndEd()...))); !slices.Equal(got, ids) {
		t.Fatalf("passed %v, want %v", got, ids)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	signed, _ := sign(t, newSigner(t, dkim.Config{Expiry: 48 * time.Hour}), "CLINIC.example", message)
	head, _, _ := strings.Cut(string(signed), "From: ")
	fields := strings.SplitAfter(head, "==\r\n")
	if len(fields) != 3 || fields[2] != "" {
		t.Fatalf("not two fields that end with CRLF: %q", head)
	}
	for _, field := range fields[:2] {
		for line := range strings.SplitSeq(field, "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
				t.Errorf("a line of %d octets: %q", len(line), line)
			}
		}
		tags := map[string]string{}
		for spec := range strings.SplitSeq(strings.TrimPrefix(field, "DKIM-Signature:"), ";") {
			name, value, _ := strings.Cut(spec, "=")
			tags[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		if _, ok := tags["l"]; ok {
			t.Error("l= is present")
		}
		if tags["c"] != "relaxed/relaxed" || tags["d"] != "clinic.example" || tags["v"] != "1" {
			t.Errorf("tags are %v", tags)
		}
		signedAt, expires := number(t, tags["t"]), number(t, tags["x"])
		if d := expires - signedAt; d < 48*3600-1 || d > 48*3600 {
			t.Errorf("x= is %d seconds after t=", d)
		}
		checkOversigned(t, strings.Split(tags["h"], ":"))
	}
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkOversigned(t *testing.T, names []string) {
	t.Helper()
	count := map[string]int{}
	for _, n := range names {
		count[strings.ToLower(n)]++
	}
	for name, want := range map[string]int{
		"from": 2, "to": 2, "subject": 2, "date": 2, "message-id": 2, "mime-version": 2, "content-type": 2,
		"cc": 1, "sender": 1, "reply-to": 1, "in-reply-to": 1, "references": 1, "content-transfer-encoding": 1,
		"content-id": 1, "content-disposition": 1, "list-unsubscribe": 1, "list-unsubscribe-post": 1, "x-other": 0,
	} {
		if count[name] != want {
			t.Errorf("h= lists %s %d times, want %d", name, count[name], want)
		}
	}
}

func TestTheMessageIsReadInPieces(t *testing.T) {
	t.Parallel()
	s := newSigner(t, dkim.Config{})
	records := recordsOf(t, rsaAndEd()...)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte at a time":    iotest.OneByteReader,
		"end with the data":     iotest.DataErrReader,
		"half of what is asked": iotest.HalfReader,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields, ids, err := s.Sign(t.Context(), "clinic.example", func() (io.ReadCloser, error) {
				return io.NopCloser(wrap(strings.NewReader(message))), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := dkimtest.Passed(dkimtest.Msgauth(t, append(fields, message...), records)); len(got) != len(ids) {
				t.Fatalf("passed %v", got)
			}
		})
	}
}

func TestALargeMessageIsNotHeld(t *testing.T) {
	t.Parallel()
	s := newSigner(t, dkim.Config{})
	line := strings.Repeat("b", 76) + "\r\n"
	pieces := &repeated{head: strings.Replace(message, "Dear", line, 1), line: line, left: 10 << 20}
	if _, _, err := s.Sign(t.Context(), "clinic.example", func() (io.ReadCloser, error) { return pieces, nil }); err != nil {
		t.Fatal(err)
	}
	if !pieces.closed || pieces.largest > 64<<10 {
		t.Fatalf("closed: %t; the largest read was of %d bytes", pieces.closed, pieces.largest)
	}
}

// repeated yields a head and then left bytes of lines.
type repeated struct {
	head, line    string
	left, largest int
	closed        bool
}

func (r *repeated) Read(b []byte) (int, error) {
	r.largest = max(r.largest, len(b))
	if r.head == "" {
		if r.left <= 0 {
			return 0, io.EOF
		}
		r.head, r.left = r.line, r.left-len(r.line)
	}
	n := copy(b, r.head)
	r.head = r.head[n:]
	return n, nil
}

func (r *repeated) Close() error { r.closed = true; return nil }

func TestManyGoroutinesSignAtOnce(t *testing.T) {
	t.Parallel()
	s := newSigner(t, dkim.Config{})
	records := recordsOf(t, rsaAndEd()...)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			text := strings.Replace(message, "Monday", "day "+strconv.Itoa(i), 1)
			fields, _, err := s.Sign(context.Background(), "clinic.example", open(text))
			if err != nil {
				t.Error(err)
				return
			}
			if got := dkimtest.Passed(dkimtest.Msgauth(t, append(fields, text...), records)); len(got) != 2 {
				t.Errorf("passed %v", got)
			}
		})
	}
	wg.Wait()
}

func TestAMessageThatCannotBeReadIsNotSigned(t *testing.T) {
	t.Parallel()
	mine := errors.New("the attachment has changed")
	ctx, cancel := context.WithCancel(t.Context())
	cases := map[string]struct {
		ctx     context.Context
		message func() (io.ReadCloser, error)
		want    []error
	}{
		"open fails":            {t.Context(), func() (io.ReadCloser, error) { return nil, mine }, []error{dkim.ErrRead, mine}},
		"header breaks off":     {t.Context(), broken(message[:40], mine), []error{dkim.ErrRead, mine}},
		"body breaks off":       {t.Context(), broken(message, mine), []error{dkim.ErrRead, mine}},
		"never ends the header": {t.Context(), broken(message[:40], io.EOF), []error{dkim.ErrMessage}},
		"yields nothing":        {t.Context(), broken("", nil), []error{dkim.ErrRead, io.ErrNoProgress}},
		"close fails":           {t.Context(), func() (io.ReadCloser, error) { return failingClose{strings.NewReader(message), mine}, nil }, []error{dkim.ErrRead, mine}},
		"context ends": {ctx, func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(message), readerFunc(func(b []byte) (int, error) { cancel(); return len(b), nil }))), nil
		}, []error{dkim.ErrCanceled, context.Canceled}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counted := &countingSigner{Signer: rsaKey()}
			s := newSigner(t, dkim.Config{Keys: dkim.StaticKeys(dkim.Key{Domain: "clinic.example", Selector: "r1", Signer: counted})})
			fields, ids, err := s.Sign(c.ctx, "clinic.example", c.message)
			for _, want := range c.want {
				if !errors.Is(err, want) {
					t.Errorf("the error %q is not %q", err, want)
				}
			}
			if strings.Contains(err.Error(), mine.Error()) || fields != nil || ids != nil {
				t.Errorf("got %q, %v and the error %q", fields, ids, err)
			}
			if n := counted.calls.Load(); name != "close fails" && n != 0 {
				t.Errorf("the key signed %d times", n)
			}
		})
	}
}

func TestAReaderThatPanicsLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	s := newSigner(t, dkim.Config{})
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	// What is left behind is found by the check for goroutines in TestMain.
	_, ids, err := s.Sign(t.Context(), "clinic.example", func() (io.ReadCloser, error) {
		tail := readerFunc(func([]byte) (int, error) { panic("reader") })
		return io.NopCloser(io.MultiReader(strings.NewReader(sized(2*bufferOfSigner)), tail)), nil
	})
	t.Errorf("signed by %v, %v", ids, err)
}

// bufferOfSigner is about what a Signer reads before it starts to hash.
const bufferOfSigner = 32 << 10

func broken(text string, err error) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		tail := readerFunc(func([]byte) (int, error) { return 0, err })
		return io.NopCloser(io.MultiReader(strings.NewReader(text), tail)), nil
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

type failingClose struct {
	io.Reader

	err error
}

func (f failingClose) Close() error { return f.err }
