package main

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/auditfile"
)

// evidence is what the audit log says after the run.
type evidence struct {
	file       string
	checkpoint string // the file
	report     *audit.Report
	// broken is why the chain doesn't verify, nil if it does.
	broken error
	// missing says that the log holds fewer outcomes than this run had.
	missing bool
}

func (e *evidence) ok() bool {
	return e.broken == nil && !e.missing && e.report.FindingCount == 0
}

// prove stops sending, signs a checkpoint of the log, and then reads the whole
// log anew from its file and holds it against the checkpoint.
//
// A checkpoint proves something only where whoever can write to the log can't
// write. A real job exports it to such a place, and keeps its key off the
// machine.
func (o *office) prove(ctx context.Context, res *result) (*evidence, error) {
	s := o.settings
	// The run may have been interrupted; what it did is proved all the same.
	ctx = context.WithoutCancel(ctx)
	origin := strings.ToLower(s.from.Address[strings.LastIndexByte(s.from.Address, '@')+1:]) + "/" + filepath.Base(s.auditFile)
	signed, err := o.log.Checkpoint(ctx, origin, s.checkpoint)
	if err != nil {
		return nil, err
	}
	if err := o.stopSending(ctx); err != nil {
		return nil, err
	}
	e := &evidence{file: s.auditFile, checkpoint: s.auditFile + ".checkpoint"}
	if err := os.WriteFile(e.checkpoint, signed, 0o600); err != nil {
		return nil, err
	}
	reader, err := auditfile.OpenReader(s.auditFile)
	if err != nil {
		return nil, err
	}
	public, _ := s.checkpoint.Public().(ed25519.PublicKey)
	e.report, e.broken = audit.Verify(ctx, reader, audit.VerifyOptions{Checkpoint: signed, Key: public, Origin: origin})
	var outcomes uint64
	for _, n := range e.report.Outcomes {
		outcomes += n
	}
	e.missing = outcomes < res.recorded
	return e, nil
}
