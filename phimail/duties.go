package phimail

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/phimail/sdk/phimail/internal/compose"
	"github.com/phimail/sdk/policy"
)

// duties are what the verdicts of all who would get the message ask of it as a
// whole: everybody gets the same content.
func duties(verdicts []policy.Verdict) policy.Duties {
	all := policy.Pass()
	for i := range verdicts {
		if v := &verdicts[i]; len(v.Modes) > 0 {
			r := policy.Pass()
			r.Duties = v.Duties
			all = all.And(r)
		}
	}
	return all.Duties
}

// comply changes the message as the duties ask and builds it anew. The digest of
// the content, and with it the plan, is of what will be sent.
func (p *Plan) comply(ctx context.Context, d policy.Duties) error {
	if len(d.Notices)+len(d.Header)+len(d.Rename) == 0 {
		return nil
	}
	m := &p.draft.compose
	// A duty's fields stand in place of the message's own of these names: a pair
	// such as RFC 8058's is whole or worth nothing.
	m.Header = slices.DeleteFunc(m.Header, func(f compose.Field) bool {
		return slices.ContainsFunc(d.Header, func(h policy.HeaderField) bool { return strings.EqualFold(f.Name, h.Name) })
	})
	for _, h := range d.Header {
		m.Header = append(m.Header, compose.Field(h))
	}
	if err := p.rename(d.Rename); err != nil {
		return err
	}
	notices := make([]compose.Notice, len(d.Notices))
	for i, n := range d.Notices {
		notices[i] = compose.Notice{Text: n.Text, HTML: n.HTML}
	}
	if err := m.AddNotices(notices); err != nil {
		return err
	}
	content, err := p.client.build(ctx, p.draft)
	if err != nil {
		return err
	}
	p.content = content
	return nil
}

// rename gives attachments neutral names.
func (p *Plan) rename(numbers []int) error {
	m := &p.draft.compose
	files := p.draft.files()
	names := make(map[int]string, len(numbers))
	for _, k := range numbers {
		if k < len(files) {
			names[k] = neutralName(k, files[k].Name)
		}
	}
	if m.Entity != nil {
		entity, err := m.Entity.Rename(names)
		if err == nil {
			m.Entity = entity
		}
		return err
	}
	for k, name := range names {
		m.Attachments[k].Name = name
	}
	return nil
}

// neutralName keeps the extension, by which the recipient's system opens the
// file.
func neutralName(k int, name string) string {
	ext := strings.ToLower(path.Ext(name))
	if len(ext) > 6 || strings.Trim(ext, ".abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		ext = ""
	}
	return "attachment-" + strconv.Itoa(k+1) + ext
}

// replaceSubject builds what travels by TLS with the neutral subject, where that
// is asked for. Of the further fields those stay that stand outside sealed modes:
// the others (Thread-Topic, Comments, X-*) may repeat what the subject says. In
// sealed modes the real ones travel inside.
func (p *Plan) replaceSubject(ctx context.Context) error {
	for i := range p.recipients {
		v := &p.recipients[i].verdict // the last one, which may know of a changed key
		if p.recipients[i].stop != nil || p.recipients[i].mode != policy.TLS || !v.ReplaceSubject {
			continue
		}
		d := *p.draft
		if d.compose.Subject = v.Subject; d.compose.Subject == "" {
			d.compose.Subject = policy.DefaultSubject
		}
		d.compose.Header = d.compose.ActedUpon()
		content, err := p.client.build(ctx, &d)
		if err != nil {
			return err
		}
		p.clear = content
		return nil
	}
	return nil
}

// inClear is the content of mode TLS.
func (p *Plan) inClear() *content {
	if p.clear != nil {
		return p.clear
	}
	return p.content
}

// files are the attachments, in the order in which findings number them.
func (d *draft) files() []compose.Attachment {
	if d.msg.Entity == nil {
		return d.compose.Attachments
	}
	_, _, files := d.compose.Entity.Content()
	return files
}
