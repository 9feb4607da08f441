package tlsrpt

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A day's file holds what was counted between two writes, a line each:
// {"policy":{...},"ok":3,"failed":1,"details":[...]}. A line is written at once
// and begins with a line end of its own, so that processes may share a file and a
// line that was cut off costs nothing but itself.

// Limits of a day's file, in bytes.
const (
	maxFile = 16 << 20
	maxLine = 1 << 20
)

// line is a count in a file.
type line struct {
	count

	Details []FailureDetail `json:"details,omitempty"`
}

func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fileFault("make", err)
	}
	return nil
}

func fileName(dir, date string) string { return filepath.Join(dir, "tlsrpt-"+date+".jsonl") }

// fileFault keeps the system's word and leaves the path out.
func fileFault(what string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("tlsrpt: can't %s the counts in Config.Dir: %w", what, err)
}

func listDir(dir string, dates map[string]bool) error {
	names, err := filepath.Glob(filepath.Join(dir, "tlsrpt-*.jsonl"))
	if err != nil {
		return fileFault("list", err)
	}
	for _, name := range names {
		date := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "tlsrpt-"), ".jsonl")
		if _, err := time.Parse(time.DateOnly, date); err == nil {
			dates[date] = true
		}
	}
	return nil
}

func removeFile(dir, date string) error {
	if err := os.Remove(fileName(dir, date)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileFault("remove", err)
	}
	return nil
}

// flush appends what was counted to the files, and forgets it in memory. What
// can't be written stays. The caller holds r.mu.
func (r *Recorder) flush(now time.Time) error {
	r.flushed = now
	var errs []error
	for date, t := range r.days {
		if err := t.append(fileName(r.cfg.Dir, date)); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(r.days, date)
	}
	r.removeOld()
	return errors.Join(errs...)
}

// removeOld forgets the files of days that nobody asked for in time.
func (r *Recorder) removeOld() {
	dates := map[string]bool{}
	if listDir(r.cfg.Dir, dates) != nil {
		return
	}
	limit := dateOf(r.cfg.Clock().AddDate(0, 0, -maxDays))
	for date := range dates {
		if date < limit {
			_ = removeFile(r.cfg.Dir, date) // tried again next time
		}
	}
}

// append writes all counts of a day in one write.
func (t *tally) append(path string) error {
	var b []byte
	for _, counts := range t.domains {
		for _, c := range counts {
			res := c.result()
			data, err := json.Marshal(line{count: count{Policy: c.Policy, Successful: c.Successful, Failed: c.Failed}, Details: res.Failures})
			if err != nil {
				return fileFault("write", err)
			}
			b = append(append(append(b, '\n'), data...), '\n')
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fileFault("write", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size()+int64(len(b)) > maxFile {
		err = errors.New("the day's file is full")
	}
	if err == nil {
		_, err = f.Write(b)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fileFault("write", err)
	}
	return nil
}

// whole is all that is known of a day, from memory and file.
func (r *Recorder) whole(date string) (*tally, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := &Recorder{cfg: r.cfg, days: map[string]*tally{}}
	if t := r.days[date]; t != nil {
		for _, counts := range t.domains {
			for _, c := range counts {
				res := c.result()
				sum.merge(date, &line{count: *c, Details: res.Failures})
			}
		}
	}
	if r.cfg.Dir != "" {
		f, err := os.Open(fileName(r.cfg.Dir, date))
		if err == nil {
			err = errors.Join(sum.read(date, f), f.Close())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fileFault("read", err)
		}
	}
	return sum.day(date), nil
}

// read adds the lines of a day's file. One that is not whole is passed over.
func (r *Recorder) read(date string, f io.Reader) error {
	s := bufio.NewScanner(io.LimitReader(f, maxFile))
	s.Buffer(nil, maxLine)
	for s.Scan() {
		var l line
		if len(s.Bytes()) == 0 || json.Unmarshal(s.Bytes(), &l) != nil {
			continue
		}
		r.merge(date, &l)
	}
	return s.Err()
}

// merge adds what one line counted. What can't be told of a valid report is left
// out: the file is ours, and may have been damaged.
func (r *Recorder) merge(date string, l *line) {
	p := Policy{Type: l.Policy.Type, Domain: l.Policy.Domain, Strings: bounded(l.Policy.Strings), MXHosts: bounded(l.Policy.MXHosts)}
	res := PolicyResult{Policy: p, Summary: Summary{Successful: l.Successful, Failed: l.Failed}, Failures: l.Details}
	if len(res.faults()) > 0 {
		return
	}
	if l.Successful > 0 {
		r.add(date, p, FailureDetail{}, l.Successful)
	}
	for _, d := range l.Details {
		n := d.Sessions
		d.Sessions, d.Information = 0, ""
		r.add(date, p, d, n)
	}
}
