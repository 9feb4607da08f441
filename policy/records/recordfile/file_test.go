//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package recordfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/records"
	"github.com/phimail/sdk/policy/records/recordfile"
	"github.com/phimail/sdk/policy/records/recordtest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("RECORDFILE_CHILD"); path != "" {
		child(path)
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string) *recordfile.File {
	t.Helper()
	f, err := recordfile.Open(recordfile.Config{Path: path, Tenant: "riverside"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func unsubscribe(i int) policy.Record {
	return policy.Record{
		ID: fmt.Sprintf("rec-%d", i), Tenant: "riverside", Kind: policy.Unsubscribe, Address: fmt.Sprintf("p%d@x.example", i),
		By: "svc", At: recordtest.Day(2), Source: "one-click",
	}
}

func add(t *testing.T, f *recordfile.File, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := f.Add(t.Context(), unsubscribe(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func has(t *testing.T, f policy.Records, address string) bool {
	t.Helper()
	found, err := f.Find(t.Context(), policy.RecordQuery{Tenant: "riverside", Addresses: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileKeepsTheContract(t *testing.T) {
	t.Parallel()
	recordtest.Run(t, recordtest.Harness{Durable: true, Open: func(t *testing.T, dir string) policy.RecordStore {
		t.Helper()
		f, err := recordfile.Open(recordfile.Config{Path: filepath.Join(dir, "records.jsonl")})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}})
}

// A crash may cut the last write off at any byte.
func TestATornWriteIsPutAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	add(t, open(t, whole), 0, 3)
	data := read(t, whole)
	second := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for n := second; n <= len(data); n++ {
		path := filepath.Join(dir, strconv.Itoa(n))
		write(t, path, data[:n])
		f := open(t, path)
		want := 2
		if n >= len(data)-1 {
			want = 3 // all but the end of its line
		}
		if f.Len() != want {
			t.Errorf("cut at %d: %d records, want %d", n-second, f.Len(), want)
		}
		add(t, f, 7, 8)
		if g := open(t, path); g.Len() != want+1 || !has(t, g, "p7@x.example") {
			t.Errorf("cut at %d: %d records after the next write", n-second, g.Len())
		}
		if torn := n > second && want == 2; torn {
			if aside := read(t, path+".torn"); !bytes.Equal(bytes.TrimSpace(aside), data[second:n]) {
				t.Errorf("cut at %d: %q was put aside", n-second, aside)
			}
		}
	}
}

// Each changed bit of what was written is found, but for the bits that make a
// line one of hand, and there the next line tells.
func TestAlteredFilesAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	add(t, open(t, whole), 0, 4)
	data := read(t, whole)
	path := filepath.Join(dir, "altered")
	last := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for i := range last {
		for _, bit := range []byte{1, 4, 32} {
			bad := bytes.Clone(data)
			bad[i] ^= bit
			write(t, path, bad)
			if _, err := recordfile.Open(recordfile.Config{Path: path}); !errors.Is(err, recordfile.ErrAltered) && !errors.Is(err, recordfile.ErrMalformed) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for name, bad := range map[string][][]byte{
		"a line removed":  {lines[0], lines[2], lines[3]},
		"the first":       {lines[1], lines[2], lines[3]},
		"two exchanged":   {lines[1], lines[0], lines[2], lines[3]},
		"one doubled":     {lines[0], lines[0], lines[1], lines[2], lines[3]},
		"one put between": {lines[0], []byte(`{"kind":"unsubscribe","withdrawn":true,"address":"p0@x.example","at":"2026-11-02"}` + "\n"), lines[1], lines[2], lines[3]},
		"a blank line":    {lines[0], []byte("\n"), lines[1], lines[2], lines[3]},
		"its digest gone": {lines[0], append(lines[1][:len(lines[1])-len(`,"sum":"00000000000000000000000000000000"}`)-1:len(lines[1])-len(`,"sum":"00000000000000000000000000000000"}`)-1], "}\n"...), lines[2], lines[3]},
	} {
		write(t, path, bytes.Join(bad, nil))
		_, err := recordfile.Open(recordfile.Config{Path: path})
		var e *recordfile.FileError
		if !errors.Is(err, recordfile.ErrAltered) || !errors.As(err, &e) || e.Line == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLinesByHandCountAndAreCoveredByTheNext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	write(t, path, []byte("# people who wrote to us\r\n\r\n{\"kind\":\"unsubscribe\",\"address\":\"Ada@Example.org\"}"))
	f := open(t, path)
	if !has(t, f, "ada@example.org") {
		t.Error("a line without its end does not count")
	}
	add(t, f, 0, 1)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = file.WriteString(`{"kind":"bounce","address":"b@x.example"}` + "\n"); errors.Join(err, file.Close()) != nil {
		t.Fatal(err)
	}
	if !has(t, f, "b@x.example") || !has(t, f, "ada@example.org") || !has(t, f, "p0@x.example") {
		t.Error("a line that was appended by hand is not seen")
	}
	add(t, f, 1, 2)
	if g := open(t, path); g.Len() != 4 {
		t.Errorf("%d records", g.Len())
	}
	write(t, path, bytes.Replace(read(t, path), []byte("b@x.example"), []byte("c@x.example"), 1))
	if _, err := f.Find(t.Context(), policy.RecordQuery{}); !errors.Is(err, recordfile.ErrAltered) {
		t.Errorf("a covered line was changed: %v", err)
	}
}

func TestFaultsNameTheLineAndRepeatNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const marker = "marker4711"
	for name, c := range map[string]struct {
		content string
		class   error
		line    int
	}{
		"not JSON":                {"\n" + marker + "\n", recordfile.ErrMalformed, 2},
		"not JSON, and no end":    {"\n" + marker, recordfile.ErrMalformed, 2},
		"an unknown name":         {`{"kind":"bounce","address":"a@x.example","` + marker + `":1}` + "\n", recordfile.ErrMalformed, 1},
		"a kind it may not hold":  {`{"kind":"plain-email","patient":"` + marker + `","wording":"w","at":"2026-11-02"}` + "\n", recordfile.ErrMalformed, 1},
		"a line of a megabyte":    {strings.Repeat(marker, 100_000) + "\n", recordfile.ErrMalformed, 1},
		"a digest that is wrong":  {`{"id":"` + marker + `","kind":"bounce","address":"a@x.example","sum":"00000000000000000000000000000000"}` + "\n", recordfile.ErrAltered, 1},
		"binary":                  {"\x00\xff" + marker + "\n", recordfile.ErrMalformed, 1},
		"hand-written and broken": {`{"kind":"bounce","address":"` + marker, recordfile.ErrMalformed, 1},
	} {
		path := filepath.Join(dir, name)
		write(t, path, []byte(c.content))
		_, err := recordfile.Open(recordfile.Config{Path: path, Kinds: []policy.RecordKind{policy.Bounce, policy.Unsubscribe}})
		var e *recordfile.FileError
		if !errors.As(err, &e) || !errors.Is(err, c.class) || e.Line != c.line {
			t.Errorf("%s: %v; want line %d", name, err, c.line)
		}
		if s := fmt.Sprintf("%v %+v %#v %q", err, err, err, err); strings.Contains(s, marker) {
			t.Errorf("%s: the error repeats the line: %s", name, s)
		}
	}
}

func TestFilesThatCanNotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	write(t, shared, nil)
	if err := os.Chmod(shared, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]recordfile.Config{
		"no path": {}, "a directory": {Path: dir}, "no such directory": {Path: filepath.Join(dir, "no", "x")}, "anybody may write": {Path: shared},
	} {
		if _, err := recordfile.Open(cfg); !errors.Is(err, recordfile.ErrStorage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := filepath.Join(dir, "gone")
	f := open(t, path)
	add(t, f, 0, 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Find(t.Context(), policy.RecordQuery{}); !errors.Is(err, recordfile.ErrAltered) {
		t.Errorf("a file that is gone: %v", err)
	}
	reader, err := recordfile.Open(recordfile.Config{Path: filepath.Join(dir, "none"), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Add(t.Context(), unsubscribe(1)); !errors.Is(err, recordfile.ErrStorage) {
		t.Errorf("a reader wrote: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a reader made the file")
	}
	add(t, open(t, filepath.Join(dir, "none")), 0, 1)
	if !has(t, reader, "p0@x.example") {
		t.Error("a reader does not see a file that was made later")
	}
	info, err := os.Stat(filepath.Join(dir, "none"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAddWaitsForTheLockUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	f := open(t, path)
	release := lock(t, path+".lock")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Add(ctx, unsubscribe(1)); !errors.Is(err, context.DeadlineExceeded) || f.Len() != 0 {
		t.Errorf("%v", err)
	}
	release()
	add(t, f, 1, 2)
}

// child adds records until it is killed, and says which are acknowledged.
func child(path string) {
	f, err := recordfile.Open(recordfile.Config{Path: path, Tenant: "riverside"})
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	for i := range 1000 {
		r := unsubscribe(i)
		r.ID = fmt.Sprintf("rec-%d-%d", os.Getpid(), i)
		r.Address = fmt.Sprintf("p%d-%d@x.example", os.Getpid(), i)
		if err := f.Add(context.Background(), r); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		_, _ = fmt.Fprintln(os.Stdout, r.Address)
	}
}

// Whatever a killed process acknowledged is there, and the others go on.
func TestKilledProcessesLoseNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	var outputs []*bytes.Buffer
	var running []*exec.Cmd
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "RECORDFILE_CHILD="+path)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out := &bytes.Buffer{}
		buf := make([]byte, 256)
		for bytes.Count(out.Bytes(), []byte("\n")) < 5 { // it is at work
			n, err := pipe.Read(buf)
			out.Write(buf[:n])
			if err != nil {
				t.Fatal(err, out.String())
			}
		}
		outputs, running = append(outputs, out), append(running, cmd)
		if len(running) < 3 {
			continue
		}
		for _, c := range running {
			if err := c.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = c.Wait()
		}
	}
	f := open(t, path)
	for _, out := range outputs {
		for address := range strings.Lines(out.String()) {
			if strings.HasSuffix(address, "\n") && !has(t, f, strings.TrimSpace(address)) {
				t.Errorf("%s was acknowledged and is lost", strings.TrimSpace(address))
			}
		}
	}
	add(t, f, 0, 1)
}

func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	s := open(f, path)
	if err := s.Add(context.Background(), unsubscribe(1), unsubscribe(2)); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-9])
	f.Add([]byte("# x\n{\"kind\":\"bounce\",\"address\":\"a@x.example\"}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := recordfile.Open(recordfile.Config{Path: path})
		if err != nil {
			if _, ok := errors.AsType[*recordfile.FileError](err); !ok {
				t.Errorf("an untyped error: %v", err)
			}
			return
		}
		before := file.Len()
		if err := file.Add(t.Context(), unsubscribe(99_999)); err != nil {
			t.Fatal(err)
		}
		again, err := recordfile.Open(recordfile.Config{Path: path})
		if err != nil || again.Len() < before || again.Len() > before+1 {
			t.Errorf("%d records became %v", before, err)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	path := filepath.Join(b.TempDir(), "records.jsonl")
	f := open(b, path)
	const suppressed = 100_000
	list := make([]policy.Record, suppressed)
	for i := range list {
		list[i] = unsubscribe(i)
	}
	if err := f.Add(b.Context(), list...); err != nil {
		b.Fatal(err)
	}
	q := policy.RecordQuery{Tenant: "riverside"}
	for i := range 20 {
		q.Addresses = append(q.Addresses, fmt.Sprintf("q%d@x.example", i))
	}
	q.Addresses[7] = "p777@x.example"
	b.ReportAllocs()
	for b.Loop() {
		if found, err := f.Find(b.Context(), q); err != nil || len(found) != 1 {
			b.Fatal(len(found), err)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	f, err := recordfile.Open(recordfile.Config{Path: filepath.Join(dir, "suppress.jsonl"), Tenant: "riverside"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = f.Add(ctx, policy.Record{
		Tenant: "riverside", Kind: policy.Unsubscribe, Address: "ada@example.org",
		By: "svc-web", At: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), Source: "one-click",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := f.Find(ctx, policy.RecordQuery{Tenant: "riverside", Addresses: []string{"ada@example.org"}})
	fmt.Println(len(found), found[0].Kind, found[0].Source, err)
	// Output: 1 unsubscribe one-click <nil>
}

func TestAFileMayRefuseRecords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	f, err := recordfile.Open(recordfile.Config{Path: path, Tenant: "riverside", Accept: func(r *policy.Record) error {
		if r.Withdrawn {
			return &records.Error{Field: "withdrawn", Reason: "not here"}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	back := unsubscribe(1)
	back.Withdrawn = true
	err = f.Add(t.Context(), unsubscribe(0), back)
	if e, ok := errors.AsType[*records.Error](err); !ok || e.Index != 1 || e.Field != "withdrawn" || f.Len() != 0 {
		t.Errorf("added: %v", err)
	}
	add(t, f, 0, 1)
	write(t, path, append(read(t, path), `{"kind":"bounce","withdrawn":true,"address":"b@x.example","at":"2026-01-02"}`+"\n"...))
	_, err = f.Find(t.Context(), policy.RecordQuery{})
	if e, ok := errors.AsType[*recordfile.FileError](err); !ok || e.Line != 2 || !strings.Contains(err.Error(), "withdrawn: not here") {
		t.Errorf("read: %v", err)
	}
}
