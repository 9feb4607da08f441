package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Limits of a Config.
const (
	// MinPseudonymKey is the least bytes of Config.PseudonymKey (FIPS 198-1
	// needs 14).
	MinPseudonymKey = 16
	// DefaultMaxBatch is how many records are written at once at most.
	DefaultMaxBatch = 1024
	// DefaultExportBuffer is how many records wait for an exporter at most.
	DefaultExportBuffer = 4096

	maxLibrary    = 200
	maxBatchBytes = 1 << 20
)

// Config says how a Log works. Sink and PseudonymKey are required.
type Config struct {
	// Sink stores the chain. The Log never closes it.
	Sink Sink
	// Runs tells which of the runs that share the sink are alive; mostly the
	// sink itself. Nil: the open intents of other runs are found by reading the
	// whole chain, reported by [Log.Recovered] and not closed.
	Runs Runs
	// PseudonymKey keys the pseudonyms of addresses and patients: at least
	// MinPseudonymKey random bytes, the same for as long as records shall be
	// found by address, and kept away from the log.
	PseudonymKey []byte
	// Known is the last head known from outside of the sink, from a checkpoint
	// say. New refuses with ErrRolledBack if the chain doesn't hold it. The zero
	// value asks for nothing.
	Known Head
	// Library goes into every record: name and version of the program's
	// e-mail library, up to 200 bytes.
	Library string
	// Clock defaults to time.Now.
	Clock func() time.Time
	// MaxBatch bounds the records of one write to the sink. Defaults to
	// DefaultMaxBatch.
	MaxBatch int
	// Exporters receive every record once it is durable. They never hold up an
	// append: each has a buffer of ExportBuffer records (and four times as many
	// KiB), and what doesn't fit is left out and counted.
	Exporters []Exporter
	// ExportBuffer defaults to DefaultExportBuffer.
	ExportBuffer int
}

// withDefaults returns a copy that is ready to use, or every fault.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(field, problem string) { faults = append(faults, &ConfigError{Field: field, Problem: problem}) }
	if c.Sink == nil {
		fault("Sink", "is required; open one with audit/auditfile")
	}
	if len(c.PseudonymKey) < MinPseudonymKey {
		fault("PseudonymKey", fmt.Sprintf("has %d bytes; give at least %d random ones", len(c.PseudonymKey), MinPseudonymKey))
	}
	if len(c.Library) > maxLibrary || !plain(c.Library) {
		fault("Library", fmt.Sprintf("is longer than %d bytes or not plain text; give a name and a version", maxLibrary))
	}
	if c.MaxBatch < 0 {
		fault("MaxBatch", "is negative; leave it 0 for the default")
	}
	if c.ExportBuffer < 0 {
		fault("ExportBuffer", "is negative; leave it 0 for the default")
	}
	for i, e := range c.Exporters {
		if e == nil {
			fault("Exporters", fmt.Sprintf("entry %d is nil; leave it out", i))
		}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = DefaultMaxBatch
	}
	if c.ExportBuffer == 0 {
		c.ExportBuffer = DefaultExportBuffer
	}
	return c, errors.Join(faults...)
}

func (c Config) summary() string {
	return fmt.Sprintf("audit.Config{Sink:%t, Runs:%t, PseudonymKey:[redacted], Exporters:%d}",
		c.Sink != nil, c.Runs != nil, len(c.Exporters))
}

// Format prints no key, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.summary()) }

// LogValue logs no key.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.summary()) }

// MarshalJSON encodes no key.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.summary()) }
