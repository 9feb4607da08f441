package phi

import (
	"strconv"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// maxGap is the greatest number of signs between two words of a phrase, as in
// "b.i.d." or "ss #".
const maxGap = 2

// next returns the index of the next word of a phrase after token i, or -1 if
// something else comes first: a sign that ends a phrase, or an empty line.
func next(tokens []token, i int) int {
	gap := 0
	for j := i + 1; j < len(tokens); j++ {
		switch t := &tokens[j]; t.kind {
		case word, mixed, number:
			return j
		case newline:
			if t.value > 1 {
				return -1
			}
		case sign:
			switch byte(t.value) {
			case '-', '/', '.', '\'', '#', '&', '_':
			default:
				return -1
			}
			if gap++; gap > maxGap {
				return -1
			}
		default:
			return -1
		}
	}
	return -1
}

// phrases finds the longest phrase of the vocabulary at each word and puts what
// is known of it on its first token.
func (r *reader) phrases() {
	tokens := r.tokens
	for _, start := range r.starts {
		i := int(start)
		if i >= len(tokens) {
			continue
		}
		t := &tokens[i]
		if t.kind != word && t.kind != mixed || t.set&vocab.Starts == 0 {
			continue // taken back for an address
		}
		h := t.hash
		var best vocab.Entry
		last := i
		for j := next(tokens, i); j >= 0; j = next(tokens, j) {
			// "A. M." is no "am": two sentences are no phrase.
			h = vocab.Join(h, tokens[j].wordHash())
			e := r.lookup(h)
			if e.Set&^vocab.Prefix != 0 || e.Label != vocab.NoLabel {
				best, last = e, j
			}
			if e.Set&vocab.Prefix == 0 {
				break
			}
		}
		if last == i {
			continue
		}
		// What the first word means alone is gone: "post op" is no town of Post.
		t.set = t.set&^(vocab.City|vocab.State|vocab.Country|vocab.Health|vocab.Weak) | best.Set&^vocab.Prefix
		if best.Label != vocab.NoLabel {
			t.label = best.Label
		}
		if best.Set&ofOrganizations != 0 {
			r.organizations.set(i)
		}
		t.span = uint8(min(last-i+1, 255))
		for k := i + 1; k <= last; k++ {
			tokens[k].flags |= inner
			if best.Set&vocab.Health != 0 {
				tokens[k].flags |= covered
			}
			if best.Label != vocab.NoLabel {
				tokens[k].label = vocab.NoLabel
			}
		}
	}
}

// wordHash is the hash under which a token stands in phrases.
func (t *token) wordHash() uint64 {
	if t.kind != number {
		return t.hash
	}
	// Numbers in phrases are short: "type 2 diabetes".
	var digits [10]byte
	return vocab.Hash(strconv.AppendUint(digits[:0], uint64(t.value), 10))
}
