package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	// redraw is the least time between two drawings of the line.
	redraw = 100 * time.Millisecond
	// every is how many messages pass between two lines where there is no
	// terminal.
	every = 100
	// barWidth is in characters.
	barWidth = 30
)

// progress shows how far the sending is: one line that is drawn again on a
// terminal, a line now and then elsewhere. It serves one goroutine at a time.
type progress struct {
	w        io.Writer
	terminal bool
	total    int
	done     int
	began    time.Time
	drawn    time.Time
}

func newProgress(w io.Writer, total int) *progress {
	return &progress{w: w, terminal: isTerminal(w), total: total, began: time.Now()}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// step counts one message.
func (p *progress) step() {
	p.done++
	switch {
	case p.terminal && (time.Since(p.drawn) >= redraw || p.done == p.total):
		p.drawn = time.Now()
		full := barWidth * p.done / p.total
		_, _ = fmt.Fprintf(p.w, "\r[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), p.done, p.total)
	case !p.terminal && (p.done%every == 0 || p.done == p.total):
		_, _ = fmt.Fprintf(p.w, "%d of %d done\n", p.done, p.total)
	}
}

// end closes the line.
func (p *progress) end() {
	if p.terminal && p.done > 0 {
		_, _ = fmt.Fprintf(p.w, " in %s\n", time.Since(p.began).Round(10*time.Millisecond))
	}
}
