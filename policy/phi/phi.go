package phi

//go:generate go run ./internal/genvocab -out internal/vocab/vocab.bin -terms internal/genvocab/terms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/phimail/sdk/policy"
)

// DefaultThreshold is the score from which a message counts as PHI. It favours
// finding: a false alarm costs encryption, a miss a breach.
const DefaultThreshold = 0.5

// MaxText is the most text that is read of one field or attachment, in bytes. A
// message with more counts as PHI, with the code "input-size".
const MaxText = 32 << 20

// Options set up [New]. The zero value is ready for use.
type Options struct {
	// Threshold is the score from which a message counts as PHI, above 0 and at
	// most 1. Zero means DefaultThreshold. A lower one finds more.
	Threshold float64
	// Terms are the host's own words that are PHI or about health: names of its
	// programmes, forms of its record numbers. See [Term].
	Terms []Term
	// Allow are values that identify nobody: the clinic's own name, address,
	// telephone numbers and e-mail addresses. A value in a message is compared
	// without case, and a number by its digits. An entry that begins with "@"
	// allows all addresses of that domain.
	Allow []string
	// Extractors read attachments of kinds that this module can't read. An
	// attachment that nobody can read counts as PHI.
	Extractors []policy.Extractor
}

// Detector finds protected health information in a message. It implements
// [policy.Classifier] and is safe for concurrent use.
type Detector struct {
	threshold  float64
	terms      *terms
	allow      *allowList
	extractors []policy.Extractor
	scans      sync.Pool
}

// New makes a Detector. Its error lists every fault of the options, by its place
// and not by its text.
func New(o Options) (*Detector, error) {
	d := &Detector{threshold: o.Threshold, extractors: slices.Clone(o.Extractors)}
	var errs []error
	if d.threshold == 0 {
		d.threshold = DefaultThreshold
	}
	if !(d.threshold > 0 && d.threshold <= 1) {
		errs = append(errs, errors.New("phi: Threshold must be above 0 and at most 1"))
	}
	for i, e := range o.Extractors {
		if e == nil {
			errs = append(errs, fmt.Errorf("phi: Extractors[%d] is nil", i))
		}
	}
	var err error
	if d.terms, err = newTerms(o.Terms); err != nil {
		errs = append(errs, err)
	}
	if d.allow, err = newAllowList(o.Allow); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	d.scans.New = func() any { return &scan{d: d, r: reader{recent: new([recentWords]lookedUp)}} }
	return d, nil
}

// Classify says whether a message holds protected health information: an
// identifier of a person together with their health, care or payment for care.
// A message that holds none has no findings either; [Detector.Report] has them.
// Its error is that of ctx.
func (d *Detector) Classify(ctx context.Context, c *policy.Content) (policy.Classification, error) {
	return d.classify(ctx, c, false)
}

// classify leaves out the findings of a message that is not PHI, unless all are
// asked for.
func (d *Detector) classify(ctx context.Context, c *policy.Content, all bool) (policy.Classification, error) {
	s := d.scan()
	defer d.release(s)
	if err := s.content(ctx, c); err != nil {
		return policy.Classification{Score: 1, Codes: []string{CodeInterrupted}}, err
	}
	return s.verdict(c, all), nil
}

// Report is what [Detector.Report] returns.
type Report struct {
	policy.Classification

	// Reasons say in words, in order of weight, why. They hold nothing of the
	// message.
	Reasons []string
}

// Report classifies like Classify and says why in words. It also has the
// identifiers in a message that is not PHI.
func (d *Detector) Report(ctx context.Context, c *policy.Content) (Report, error) {
	class, err := d.classify(ctx, c, true)
	if err != nil {
		return Report{Classification: class}, err
	}
	return Report{class, explain(class)}, nil
}

func (d *Detector) scan() *scan { return d.scans.Get().(*scan) } //nolint:forcetypeassert // only scans are put in

// release forgets what was read, for the next message.
func (d *Detector) release(s *scan) {
	s.forget()
	d.scans.Put(s)
}

// maxKept is how much memory for tokens and copies is kept between messages.
const maxKept = 2 << 20

func (s *scan) forget() {
	buf, hits, norm := s.buf[:0], s.hits[:0], s.norm
	for i := range norm {
		clear(norm[i].text)
		norm[i].reset()
		if cap(norm[i].text) > maxKept || cap(norm[i].runs) > maxKept/12 {
			norm[i] = normal{}
		}
	}
	if cap(hits) > maxKept/24 {
		hits = nil
	}
	s.r.text, s.r.tokens = nil, s.r.tokens[:0]
	*s = scan{d: s.d, r: s.r, buf: buf, hits: hits, norm: norm}
}

// content reads all parts of a message.
func (s *scan) content(ctx context.Context, c *policy.Content) error {
	for _, n := range c.Names {
		s.learnAll(n)
	}
	s.fields(c)
	s.part(fieldSubject, c.Subject)
	s.endPart()
	s.part(fieldText, c.Text)
	s.endPart()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.HTML != "" {
		s.html(c.HTML)
		s.endPart()
	}
	for i := range c.Attachments {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.attachment(ctx, i, c.Attachments[i])
	}
	return ctx.Err()
}

// endPart forgets what counts within one part only.
func (s *scan) endPart() {
	s.endUnit(true)
	s.doc.sections.end(&s.doc)
	s.doc.signature, s.doc.party, s.doc.carried = 0, anyone, 0
}

// learnAll learns the words of a name that the host gives.
func (s *scan) learnAll(name string) {
	b := &s.norm[0]
	b.reset()
	b.normalize(name, false)
	r := &s.r
	r.text, r.tokens = b.text, r.tokens[:0]
	r.read(0, len(b.text))
	for i := range r.tokens {
		if t := &r.tokens[i]; t.kind == word && t.end-t.start >= 3 {
			s.learn(t.hash)
		}
	}
	r.tokens = r.tokens[:0]
}

// attachment reads the name and the text of an attachment.
func (s *scan) attachment(ctx context.Context, i int, a policy.Attachment) {
	s.part(fieldAttachmentName(i), a.Name)
	s.endPart()
	text, err := policy.Extract(ctx, a, s.d.extractors...)
	if err != nil {
		s.doc.unread++
		if e, ok := errors.AsType[*policy.ExtractError](err); ok {
			s.addCode(e.Code)
		} else {
			s.addCode(CodeUnread)
		}
		return
	}
	s.part(fieldAttachment(i), text)
	s.endPart()
}

func (s *scan) addCode(code string) {
	if code != "" && !slices.Contains(s.codes, code) {
		s.codes = append(s.codes, code)
	}
}

// verdict sums up what was found.
func (s *scan) verdict(c *policy.Content, all bool) policy.Classification {
	d := &s.doc
	score := max(d.features().score(), d.sections.score())
	if s.hostPHI {
		score = max(score, 0.99)
	}
	v := policy.Classification{Score: score, NoPHI: score < s.d.threshold, Special: categoriesOf(d.special), Codes: s.codes}
	if d.unread > 0 || d.oversize {
		v.NoPHI, v.Score = false, 1
	}
	if len(s.hits) > 0 && (all || !v.NoPHI) {
		v.Findings = s.findings(c)
	}
	if v.NoPHI {
		// What was found stays said, why it was not enough too, but nobody's
		// special category: there is no individual.
		v.Special = nil
	}
	if v.NoPHI && len(v.Codes) == 0 && d.disclaimers == 0 {
		v.Codes = plainCodes[d.none()]
		return v
	}
	v.Codes = append(v.Codes, s.reasons(v.NoPHI)...)
	return v
}

// findings turns the hits into the public form, ordered by field and place,
// without those inside others of the same type.
func (s *scan) findings(c *policy.Content) []policy.Finding {
	if !slices.IsSortedFunc(s.hits, byPlace) {
		slices.SortStableFunc(s.hits, byPlace)
	}
	out := make([]policy.Finding, 0, len(s.hits))
	names := fieldNames(c)
	for i, h := range s.hits {
		if i > 0 {
			if p := s.hits[i-1]; p.field == h.field && p.kind == h.kind && h.end <= p.end {
				continue
			}
		}
		out = append(out, policy.Finding{Field: names.of(h.field), Type: h.kind.String(), Start: int(h.start), End: int(h.end)})
	}
	return out
}

func byPlace(a, b hit) int {
	switch {
	case a.field != b.field:
		return int(a.field) - int(b.field)
	case a.start != b.start:
		return int(a.start) - int(b.start)
	}
	return int(b.end) - int(a.end)
}

// String says nothing of the host's terms.
func (d *Detector) String() string { return "phi.Detector{}" }

// GoString is String.
func (d *Detector) GoString() string { return d.String() }

// isBlank says whether there is nothing to read.
func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
