package audit

import (
	"context"
	"log/slog"
)

// NewSlogExporter returns an exporter that logs each record at level Info with
// its number, its hash and the event's codes as attributes, and each gap at
// level Warn. The logger's handler decides where to and how.
func NewSlogExporter(logger *slog.Logger) Exporter { return slogExporter{logger} }

type slogExporter struct{ logger *slog.Logger }

// Export logs recs.
func (s slogExporter) Export(ctx context.Context, recs []Record, lost uint64) {
	if lost > 0 {
		s.logger.LogAttrs(ctx, slog.LevelWarn, "audit gap", slog.Uint64("lost", lost))
	}
	for i := range recs {
		_, _, event, err := DecodeBody(recs[i].Body)
		if err != nil {
			s.logger.LogAttrs(ctx, slog.LevelWarn, "audit record not readable", slog.Uint64("seq", recs[i].Seq))
			continue
		}
		s.logger.LogAttrs(ctx, slog.LevelInfo, "audit",
			slog.Uint64("seq", recs[i].Seq), slog.String("hash", recs[i].Hash.String()), slog.Any("event", event))
	}
}

// LogValue is a closed list of attributes: who, what, how and what became of
// it. The whole event is in the record.
func (e Event) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 32)
	text := func(name, v string) {
		if v != "" {
			attrs = append(attrs, slog.String(name, v))
		}
	}
	text("kind", string(e.Kind))
	text("time", e.Time)
	text("run", e.Run)
	text("attempt", e.Attempt)
	if e.Item != 0 {
		attrs = append(attrs, slog.Int("item", e.Item))
	}
	text("tenant", e.Tenant)
	text("actor", e.Actor)
	text("role", e.Role)
	text("purpose", e.Purpose)
	text("stream", e.Stream)
	text("label", e.Label)
	text("message_id", e.MessageID)
	text("recipient", e.Recipient)
	text("recipient_domain", e.RecipientDomain)
	text("decision", e.Decision)
	text("mode", e.Mode)
	text("need", e.Need)
	text("assurance", e.Assurance)
	text("transport", e.Transport)
	text("tls_version", e.TLSVersion)
	text("tls_verified", e.TLSVerified)
	text("proven_by", e.ProvenBy)
	text("status", e.Status)
	text("reason", e.Reason)
	text("stage", e.Stage)
	if e.Code != 0 {
		attrs = append(attrs, slog.Int("code", e.Code))
	}
	text("enhanced", e.Enhanced)
	if e.Retryable {
		attrs = append(attrs, slog.Bool("retryable", true))
	}
	return slog.GroupValue(attrs...)
}
