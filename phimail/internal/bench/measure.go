package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// rounds is how often contenders take turns; the median of the rounds counts,
// since other work on the machine comes and goes.
const rounds = 5

// contender does n units of the same work as its peers.
type contender struct {
	name string
	run  func(n int) error
}

// cost is what one unit took.
type cost struct {
	wall, cpu time.Duration
}

// lap measures one turn of c.
func lap(n int, c contender) (cost, error) {
	cpu, begin := cpuTime(), time.Now()
	if err := c.run(n); err != nil {
		return cost{}, fmt.Errorf("%s: %w", c.name, err)
	}
	wall := time.Since(begin)
	return cost{wall / time.Duration(n), (cpuTime() - cpu) / time.Duration(n)}, nil
}

// race lets the contenders take turns and returns the median cost of a unit.
func race(n int, contenders ...contender) (map[string]cost, error) {
	samples := map[string][]cost{}
	for range rounds {
		for _, c := range contenders {
			one, err := lap(n, c)
			if err != nil {
				return nil, err
			}
			samples[c.name] = append(samples[c.name], one)
		}
	}
	medians := map[string]cost{}
	for name, s := range samples {
		medians[name] = cost{
			median(s, func(c cost) time.Duration { return c.wall }),
			median(s, func(c cost) time.Duration { return c.cpu }),
		}
	}
	return medians, nil
}

// fastest lets the contenders take many short turns and returns the least wall
// and the least CPU. It is for work that waits for nobody, which other work on the
// machine can only slow down. Each turn begins with one unit that does not count,
// so that buffers and caches are those of a process that does this all day.
func fastest(turns, n int, contenders ...contender) (map[string]cost, error) {
	best := map[string]cost{}
	for turn := range turns {
		for _, c := range contenders {
			if err := c.run(1); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			one, err := lap(n, c)
			if err != nil {
				return nil, err
			}
			if turn > 0 {
				one = cost{min(one.wall, best[c.name].wall), min(one.cpu, best[c.name].cpu)}
			}
			best[c.name] = one
		}
	}
	return best, nil
}

func median(s []cost, by func(cost) time.Duration) time.Duration {
	v := make([]time.Duration, len(s))
	for i, c := range s {
		v[i] = by(c)
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// cpuTime is the CPU this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spread does n units on some workers at once; each gets its number.
func spread(n, workers int, do func(worker, n int) error) error {
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		share := n / workers
		if w < n%workers {
			share++
		}
		wg.Go(func() { errs[w] = do(w, share) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// table prints rows of what was measured, each cost also as a multiple of base.
func table(w io.Writer, title, base string, costs map[string]cost, order []string) {
	fmt.Fprintf(w, "\n%s\n", title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\twall\tCPU here\twall, %s = 1\t\n", base)
	for _, name := range order {
		c, ok := costs[name]
		if !ok {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t\n", name, short(c.wall), short(c.cpu), float64(c.wall)/float64(costs[base].wall))
	}
	_ = t.Flush()
}

func short(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1e3) }

// verdict prints a figure beside its goal.
func verdict(w io.Writer, what string, got, goal float64, atLeast bool) {
	word, held := "at most", got <= goal
	if atLeast {
		word, held = "at least", got >= goal
	}
	mark := "held"
	if !held {
		mark = "MISSED"
	}
	fmt.Fprintf(w, "  %s: %.2f (%s %.2f: %s)\n", what, got, word, goal, mark)
}
