package crypt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/phimail/sdk/crypt"
)

const entity = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nYour results.\r\n"

// jobOf protects an entity of a message with a subject and a Bcc.
func jobOf(body string) *crypt.Job {
	return &crypt.Job{
		From: mail.Address{Address: "no-reply@clinic.example"},
		Header: []crypt.Field{
			{Name: "From", Value: "no-reply@clinic.example"}, {Name: "Subject", Value: "Blood test"},
			{Name: "bcc", Value: "hidden@home.example"}, {Name: "Content-Language", Value: "en"},
			{Name: "HP-Outer", Value: "Subject: planted"},
		},
		Outer: []crypt.Field{
			{Name: "From", Value: "no-reply@clinic.example"}, {Name: "Subject", Value: "Secure message"},
			{Name: "Bcc", Value: "hidden@home.example"}, {Name: "MIME-Version", Value: "1.0"},
		},
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil },
		Size:   int64(len(body)),
	}
}

// ways to make a pass: byte by byte, at once, and first the one, then the other.
var ways = [...]func(io.Writer, io.Reader) error{
	func(w io.Writer, r io.Reader) error {
		_, err := io.Copy(w, iotest.OneByteReader(r))
		return err
	},
	func(w io.Writer, r io.Reader) error {
		_, err := r.(io.WriterTo).WriteTo(w)
		return err
	},
	func(w io.Writer, r io.Reader) error {
		if _, err := io.CopyN(w, struct{ io.Reader }{r}, 3); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		_, err := r.(io.WriterTo).WriteTo(w)
		return err
	},
}

func payloadOf(t testing.TB, job *crypt.Job, protection crypt.Protection) string {
	t.Helper()
	p, err := crypt.NewPayload(job, protection)
	if err != nil {
		t.Fatal(err)
	}
	var passes [3]string
	for i, pass := range ways {
		r, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := pass(&b, r); err != nil {
			t.Fatal(err)
		}
		if err := pass(&b, r); err != nil {
			t.Errorf("at the end: %v", err)
		}
		passes[i] = b.String()
	}
	if passes[0] != passes[1] || passes[0] != passes[2] || int64(len(passes[0])) != p.Size() {
		t.Errorf("passes of %d, %d and %d bytes, size %d", len(passes[0]), len(passes[1]), len(passes[2]), p.Size())
	}
	return passes[0]
}

func TestPayloadCarriesTheHeader(t *testing.T) {
	t.Parallel()
	const fields = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\nFrom: no-reply@clinic.example\r\nSubject: Blood test\r\n"
	const body = "\r\nYour results.\r\n"
	for protection, want := range map[crypt.Protection]string{
		crypt.SignedOnly: "Content-Type: text/plain; charset=utf-8; hp=\"clear\"; protected-headers=\"v1\"\r\n" + fields + body,
		crypt.Encrypted: "Content-Type: text/plain; charset=utf-8; hp=\"cipher\"; protected-headers=\"v1\"\r\n" + fields +
			"HP-Outer: From: no-reply@clinic.example\r\nHP-Outer: Subject: Secure message\r\n" + body,
	} {
		if got := payloadOf(t, jobOf(entity), protection); got != want {
			t.Errorf("%s: got\n%s", protection, got)
		}
	}
}

func TestProtectedHeaderIsReadBack(t *testing.T) {
	t.Parallel()
	job := jobOf(entity)
	long := strings.Repeat("=?utf-8?q?Bl=C3=A4tter?= ", 40) + "end"
	job.Header = append(job.Header, crypt.Field{Name: "X-Long", Value: long})
	got, ok := crypt.ReadProtected([]byte(payloadOf(t, job, crypt.Encrypted)))
	if !ok || got.Protection != crypt.Encrypted {
		t.Fatalf("%t, %v", ok, got)
	}
	if want := []crypt.Field{job.Header[0], job.Header[1], {Name: "X-Long", Value: long}}; !slices.Equal(got.Fields, want) {
		t.Errorf("%d fields", len(got.Fields))
	}
	if want := job.Outer[:2]; !slices.Equal(got.Outer, want) {
		t.Errorf("%d outer fields", len(got.Outer))
	}
	got, ok = crypt.ReadProtected([]byte(payloadOf(t, job, crypt.SignedOnly)))
	if !ok || got.Protection != crypt.SignedOnly || len(got.Fields) != 3 || len(got.Outer) != 0 {
		t.Errorf("signed only: %t, %v", ok, got)
	}
}

func TestEntityOfAnyKindIsProtected(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ entity, has string }{
		"no Content-Type":      {"MIME-Version: 1.0\r\n\r\nx", "Content-Type: text/plain; charset=us-ascii; hp=\"cipher\";"},
		"no header":            {"\r\nx", "Content-Type: text/plain; charset=us-ascii; hp=\"cipher\";"},
		"claims of its own":    {"Content-Type: text/plain; hp=clear; protected-headers=v2\r\n\r\nx", "Content-Type: text/plain; hp=\"cipher\"; protected-headers=\"v1\"\r\n"},
		"a boundary in quotes": {"Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\n--a b--\r\n", "multipart/mixed; boundary=\"a b\"; hp=\"cipher\";\r\n"},
		"a comment":            {"Content-Type: text/html; charset=utf-8\r\nContent-Description: long " + strings.Repeat("word ", 40) + "\r\n\r\nx", "\r\n word"},
		"LF in the header":     {"Content-Language: en\nContent-Type: text/html\r\n\r\nx", "Content-Language: en\r\n"},
	} {
		got := payloadOf(t, jobOf(tt.entity), crypt.Encrypted)
		if !strings.Contains(got, tt.has) || strings.Count(got, "hp=") != 1 {
			t.Errorf("%s: got\n%s", name, got)
		}
		if _, ok := crypt.ReadProtected([]byte(got)); !ok {
			t.Errorf("%s: not read back", name)
		}
	}
}

// RFC 9787, "Cryptographic Payload": it is the first part that is no cryptographic
// layer, so a signed body must not become the payload's root.
func TestSignedEntityIsWrapped(t *testing.T) {
	t.Parallel()
	signed := "Content-Type: multipart/signed; micalg=sha-256;\r\n boundary=s\r\n\r\n--s\r\n\r\nx\r\n--s--\r\n"
	got := payloadOf(t, jobOf(signed), crypt.Encrypted)
	if !strings.HasPrefix(got, "Content-Type: multipart/mixed; boundary=\"=_") || strings.Count(got, "hp=") != 1 {
		t.Errorf("got\n%s", got)
	}
	if _, body, _ := strings.Cut(got, "\r\n\r\n"); !strings.Contains(body, "\r\n"+signed+"\r\n--=_") {
		t.Errorf("the body is\n%s", body)
	}
}

func TestWhatCanNotBeProtectedIsRefused(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(*crypt.Job){
		"a subject in the entity": func(j *crypt.Job) { *j = *jobOf("Subject: x\r\nContent-Type: text/plain\r\n\r\nx") },
		"two types":               func(j *crypt.Job) { *j = *jobOf("Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx") },
		"a malformed type":        func(j *crypt.Job) { *j = *jobOf("Content-Type: ;\r\n\r\nx") },
		"no body":                 func(j *crypt.Job) { *j = *jobOf("Content-Type: text/plain\r\n") },
		"a long header":           func(j *crypt.Job) { *j = *jobOf(strings.Repeat("Content-X: y\r\n", 9000) + "\r\nx") },
		"a line break in a field": func(j *crypt.Job) { j.Header[1].Value = "x\r\nBcc: y" },
		"one in a field outside":  func(j *crypt.Job) { j.Outer[1].Value = "x\ny" },
		"a name that is none":     func(j *crypt.Job) { j.Header[1].Name = "a b" },
		"a word over 998 bytes":   func(j *crypt.Job) { j.Header[1].Value = strings.Repeat("x", 999) },
		"a size below the header": func(j *crypt.Job) { j.Size = 3 },
		"an entity that fails":    func(j *crypt.Job) { j.Entity = func() (io.ReadCloser, error) { return nil, errors.New("foreign") } },
		"a reader that fails": func(j *crypt.Job) {
			j.Entity = func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(errors.New("foreign"))), nil }
		},
	} {
		job := jobOf(entity)
		alter(job)
		if _, err := crypt.NewPayload(job, crypt.Encrypted); !errors.Is(err, crypt.ErrEntity) || strings.Contains(err.Error(), "foreign") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := crypt.NewPayload(jobOf(entity), ""); !errors.Is(err, crypt.ErrConfig) {
		t.Errorf("no protection: %v", err)
	}
}

func TestEntityThatChangesFailsThePass(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		later string
		err   error
		want  error
	}{
		"shorter":        {later: entity[:len(entity)-1], want: crypt.ErrEntity},
		"cut in header":  {later: entity[:9], want: crypt.ErrEntity},
		"longer":         {later: entity + "x", want: crypt.ErrEntity},
		"another header": {later: strings.Replace(entity, "utf-8", "utf-7", 1), want: crypt.ErrEntity},
		"fails":          {err: errors.New("foreign"), want: crypt.ErrEntity},
		"is cancelled":   {err: context.Canceled, want: crypt.ErrCanceled},
	} {
		for i, pass := range ways {
			for _, plain := range []bool{false, true} { // the entity is no io.WriterTo
				var later io.Reader = strings.NewReader(tt.later)
				if tt.err != nil {
					later = iotest.ErrReader(tt.err)
				}
				if plain {
					later = struct{ io.Reader }{later}
				}
				job := jobOf(entity)
				job.Entity = sequence(strings.NewReader(entity), later)
				p, err := crypt.NewPayload(job, crypt.Encrypted)
				if err != nil {
					t.Fatal(err)
				}
				r, err := p.Open()
				if err == nil {
					err = pass(io.Discard, r)
				}
				if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "foreign") {
					t.Errorf("%s, way %d: %v", name, i, err)
				}
			}
		}
	}
}

// A writer's error is the caller's own, and the entity may hide it.
func TestAWriterThatFailsEndsThePass(t *testing.T) {
	t.Parallel()
	p, err := crypt.NewPayload(jobOf(entity), crypt.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	for limit := range p.Size() {
		r, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		w := &limited{left: limit, err: full}
		if n, err := r.(io.WriterTo).WriteTo(w); !errors.Is(err, full) || n != limit {
			t.Fatalf("after %d bytes: %d, %v", limit, n, err)
		}
	}
}

// limited takes so many bytes, then fails.
type limited struct {
	left int64
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.left, int64(len(p)))
	if l.left -= n; n < int64(len(p)) {
		return int(n), l.err
	}
	return int(n), nil
}

// sequence yields one reader after another.
func sequence(list ...io.Reader) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		r := list[0]
		list = list[1:]
		return io.NopCloser(r), nil
	}
}

func TestClaimsOfHostilePayloadsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in string
		ok bool
	}{
		"RFC 9788":         {"Content-Type: text/plain; hp=\"cipher\"\r\n\r\n", true},
		"upper case":       {"CONTENT-TYPE: TEXT/PLAIN; HP=CLEAR\r\n\r\n", true},
		"older":            {"Content-Type: text/plain; protected-headers=v1\r\n\r\n", true},
		"no claim":         {"Content-Type: text/plain\r\nSubject: x\r\n\r\n", false},
		"no type":          {"Subject: x\r\n\r\n", false},
		"unknown":          {"Content-Type: text/plain; hp=other; protected-headers=v1\r\n\r\n", false},
		"two types":        {"Content-Type: text/plain; hp=clear\r\nContent-Type: text/plain; hp=cipher\r\n\r\n", false},
		"twice in one":     {"Content-Type: text/plain; hp=clear; hp=cipher\r\n\r\n", false},
		"too many fields":  {"Content-Type: text/plain; hp=clear\r\n" + strings.Repeat("A: b\r\n", 600) + "\r\n", false},
		"too long a field": {"Content-Type: text/plain; hp=clear\r\nA: " + strings.Repeat("b", 70<<10) + "\r\n\r\n", false},
	} {
		if _, ok := crypt.ReadProtected([]byte(tt.in)); ok != tt.ok {
			t.Errorf("%s: %t", name, ok)
		}
	}
	got, ok := crypt.ReadProtected([]byte("Content-Type: text/plain; hp=cipher\r\nHP-Outer: Subject: a\r\nHP-Outer: none\r\nhp-outer: b c: d\r\n\r\n"))
	if !ok || !slices.Equal(got.Outer, []crypt.Field{{Name: "Subject", Value: "a"}}) {
		t.Errorf("outer fields: %d", len(got.Outer))
	}
}

func FuzzReadProtected(f *testing.F) {
	f.Add([]byte("Content-Type: text/plain; hp=\"cipher\"\r\nSubject: a\r\nHP-Outer: Subject: b\r\n\r\nx"))
	f.Add([]byte("Content-Type: text/plain;\n protected-headers=v1\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, ok := crypt.ReadProtected(in)
		if !ok {
			return
		}
		for _, field := range slices.Concat(p.Fields, p.Outer) {
			if strings.ContainsAny(field.Name+field.Value, "\r\n\x00") {
				t.Fatal("a field breaks its line")
			}
		}
	})
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(entity), "Blood test", "Secure message")
	f.Add([]byte("Content-Type: multipart/signed; boundary=x\r\n\r\n"), "a  b", "")
	f.Fuzz(func(t *testing.T, body []byte, subject, outer string) {
		job := jobOf(string(body))
		job.Header[1].Value, job.Outer[1].Value = subject, outer
		p, err := crypt.NewPayload(job, crypt.Encrypted)
		if err != nil {
			return
		}
		r, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || int64(len(b)) != p.Size() {
			t.Fatal(len(b), p.Size(), err)
		}
		head, _, _ := bytes.Cut(b, []byte("\r\n\r\n"))
		for line := range bytes.SplitSeq(head, []byte("\r\n")) {
			if len(line) > 998 {
				t.Fatal("a line is too long")
			}
		}
		got, ok := crypt.ReadProtected(b)
		if len(head) < 60<<10 && (!ok || got.Protection != crypt.Encrypted || len(got.Fields) != 2 || got.Fields[1].Value != strings.Trim(subject, " \t")) {
			t.Fatalf("not read back: %t", ok)
		}
	})
}

func ExampleNewPayload() {
	job := jobOf(entity)
	p, err := crypt.NewPayload(job, crypt.Encrypted)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := p.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	b, _ := io.ReadAll(r)
	fmt.Println(strings.ReplaceAll(string(b), "\r\n", "\n"))
	// Output:
	// Content-Type: text/plain; charset=utf-8; hp="cipher"; protected-headers="v1"
	// MIME-Version: 1.0
	// Content-Transfer-Encoding: 7bit
	// From: no-reply@clinic.example
	// Subject: Blood test
	// HP-Outer: From: no-reply@clinic.example
	// HP-Outer: Subject: Secure message
	//
	// Your results.
}

func TestPayloadsPrintNothing(t *testing.T) {
	t.Parallel()
	payload, err := crypt.NewPayload(jobOf(entity), crypt.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	protected, ok := crypt.ReadProtected([]byte(payloadOf(t, jobOf(entity), crypt.Encrypted)))
	if !ok {
		t.Fatal("not read back")
	}
	head, _, _ := payload.Parts()
	var none *crypt.Payload
	for _, v := range []any{payload, none, protected, *protected, crypt.Signature{Before: head, After: head}} {
		out, err := json.Marshal(v)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		for _, s := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", v, v, v, v, v, v), string(out), log.String()} {
			if err != nil || strings.Contains(s, "Blood") || strings.Contains(s, "no-reply") || strings.Contains(s, "426c6f6f64") {
				t.Errorf("%T prints %s, %v", v, s, err)
			}
		}
	}
}
