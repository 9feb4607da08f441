package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

// collector is an exporter that a test can hold up.
type collector struct {
	mu      sync.Mutex
	seqs    []uint64
	bodies  int
	lost    uint64
	entered chan struct{} // if set, receives a value at each call
	gate    chan struct{} // if set, each call takes a value
	panics  bool
}

func (c *collector) Export(ctx context.Context, recs []audit.Record, lost uint64) {
	if c.entered != nil {
		c.entered <- struct{}{}
	}
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost += lost
	for _, r := range recs {
		c.seqs = append(c.seqs, r.Seq)
		if _, err := audit.ParseRecord(r.Body); err == nil {
			c.bodies++
		}
	}
	if c.panics {
		panic("marker@clinic.example")
	}
}

func TestExportersGetEveryRecordInOrder(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	one, two := &collector{}, &collector{}
	cfg := config(s)
	cfg.Exporters = []audit.Exporter{one, two}
	l := open(t, cfg)
	crowd(l, 8, 10)
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*collector{one, two} {
		if len(c.seqs) != 161 || c.bodies != 161 || !slices.IsSorted(c.seqs) || c.seqs[0] != 1 || c.lost != 0 {
			t.Errorf("%d records, %d sound, from %d, lost %d", len(c.seqs), c.bodies, c.seqs[0], c.lost)
		}
	}
	if lost := l.Exported(); !slices.Equal(lost, []uint64{0, 0}) {
		t.Errorf("lost %v", lost)
	}
}

func TestExportersGetWhatRecoveryWrote(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	mustAppend(t, open(t, config(s)), intent("a", 1))
	s.KillAll()
	c := &collector{}
	cfg := config(s)
	cfg.Exporters = []audit.Exporter{c}
	if err := open(t, cfg).Close(ctx); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.seqs, []uint64{3, 4}) {
		t.Errorf("exported %v, want the run and the outcome", c.seqs)
	}
}

func TestSlowExporterLosesCountedRecordsAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	c := &collector{entered: make(chan struct{}, 10), gate: make(chan struct{})}
	cfg := config(s)
	cfg.Exporters, cfg.ExportBuffer = []audit.Exporter{c}, 5
	l := open(t, cfg)
	mustAppend(t, l, intent("a", 1)) // records 1 and 2
	<-c.entered
	for i := range 20 {
		mustAppend(t, l, intent("a", i+2)) // 3 to 22
	}
	c.gate <- struct{}{}
	<-c.entered
	c.gate <- struct{}{} // 3 to 7
	<-c.entered
	c.gate <- struct{}{} // the gap
	mustAppend(t, l, intent("b", 1))
	<-c.entered
	c.gate <- struct{}{}
	if err := l.Close(ctx); !errors.Is(err, audit.ErrOpenIntents) {
		t.Fatal(err)
	}
	if !slices.Equal(c.seqs, []uint64{1, 2, 3, 4, 5, 6, 7, 23}) || c.lost != 15 || l.Exported()[0] != 15 {
		t.Errorf("exported %v, told of %d lost, counted %d", c.seqs, c.lost, l.Exported()[0])
	}
}

func TestPanickingExporterHarmsNothing(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	bad, good := &collector{panics: true}, &collector{}
	cfg := config(s)
	cfg.Exporters = []audit.Exporter{bad, good}
	l := open(t, cfg)
	mustAppend(t, l, intent("a", 1))
	mustAppend(t, l, outcome("a", 1, "accepted"))
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if len(bad.seqs) != 3 || len(good.seqs) != 3 || !slices.Equal(l.Exported(), []uint64{3, 0}) {
		t.Errorf("bad got %v, good got %v, lost %v", bad.seqs, good.seqs, l.Exported())
	}
}

func TestCloseCancelsAHangingExporter(t *testing.T) {
	t.Parallel()
	s := audittest.NewSink()
	c := &collector{entered: make(chan struct{}, 1), gate: make(chan struct{})}
	cfg := config(s)
	cfg.Exporters = []audit.Exporter{c}
	l := open(t, cfg)
	mustAppend(t, l, outcome("a", 1, "refused"))
	<-c.entered
	within, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.Close(within); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
}

func TestSlogExporter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := audittest.NewSink()
	cfg := config(s)
	cfg.Exporters = []audit.Exporter{audit.NewSlogExporter(slog.New(slog.NewJSONHandler(&out, nil)))}
	l := open(t, cfg)
	e := goldenEvent()
	e.Kind, e.Status = audit.KindIntent, ""
	mustAppend(t, l, e)
	e.Kind, e.Status = audit.KindOutcome, audit.StatusAccepted
	mustAppend(t, l, e)
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	var line struct {
		Level string         `json:"level"`
		Msg   string         `json:"msg"`
		Hash  string         `json:"hash"`
		Seq   uint64         `json:"seq"`
		Event map[string]any `json:"event"`
	}
	if err := json.Unmarshal([]byte(lines[2]), &line); err != nil {
		t.Fatal(err)
	}
	if line.Level != "INFO" || line.Msg != "audit" || line.Seq != 3 || line.Hash != verified(t, s).Head.Hash.String() {
		t.Errorf("line %s", lines[2])
	}
	for name, want := range map[string]any{
		"kind": "outcome", "attempt": e.Attempt, "item": 3.0, "status": "accepted", "mode": "tls", "code": 250.0,
		"enhanced": "2.0.0", "recipient_domain": "patient.example", "retryable": true,
	} {
		if line.Event[name] != want {
			t.Errorf("%s is %v, want %v", name, line.Event[name], want)
		}
	}
}

func TestSlogExporterTellsOfGaps(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := audit.NewSlogExporter(slog.New(slog.NewTextHandler(&out, nil)))
	e.Export(ctx, []audit.Record{{Seq: 9, Body: []byte("marker@clinic.example")}}, 4)
	text := out.String()
	if !strings.Contains(text, `msg="audit gap" lost=4`) || !strings.Contains(text, `msg="audit record not readable" seq=9`) || strings.Contains(text, "marker") {
		t.Errorf("logged %s", text)
	}
}
