package phi

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// run says that the normalized bytes from n on stand for the source bytes from s
// on, one for one. The first of them stands for width source bytes.
type run struct{ n, s, width uint32 }

// normal is normalized text: ASCII wherever a character looks like ASCII, with
// the way back to the source.
type normal struct {
	text []byte
	runs []run
}

func (b *normal) reset() { b.text, b.runs = b.text[:0], b.runs[:0] }

// put appends one byte that stands for src[s:s+width].
func (b *normal) put(c byte, s, width int) {
	n := len(b.text)
	if k := len(b.runs); width != 1 || k == 0 || b.runs[k-1].width != 1 || int(b.runs[k-1].s)+n-int(b.runs[k-1].n) != s {
		b.runs = append(b.runs, run{uint32(n), uint32(s), uint32(width)})
	}
	b.text = append(b.text, c)
}

// after returns the number of the first run that begins after n.
func (b *normal) after(n int) int {
	lo, hi := 0, len(b.runs)
	for lo < hi {
		mid := (lo + hi) / 2
		if int(b.runs[mid].n) <= n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find returns the last run that begins at or before n.
func (b *normal) find(n int) run {
	if k := b.after(n); k > 0 {
		return b.runs[k-1]
	}
	return run{0, 0, 1}
}

// source returns the source's range of the normalized bytes from start to end.
func (b *normal) source(start, end int) (from, to int) {
	r := b.find(start)
	from = int(r.s) + start - int(r.n)
	if start > int(r.n) && r.width != 1 {
		from = int(r.s + r.width)
	}
	if end <= start {
		return from, from
	}
	r = b.find(end - 1)
	if end-1 == int(r.n) {
		return from, int(r.s + r.width)
	}
	return from, int(r.s) + end - int(r.n)
}

// remains is what src holds beside plain text.
type remains struct {
	high   bool // characters beyond ASCII
	quoted bool // quoted-printable
	spread bool // letters or digits parted by spaces or dots
}

// Eight bytes are looked at together, as the bytes of a number (H. S. Warren,
// Hacker's Delight, section 6-1).
const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

// zeros has the high bit of each byte of v that is zero, and perhaps of others
// after one.
func zeros(v uint64) uint64 { return (v - eachByte) &^ v & highBits }

// look finds out what src holds.
func look(src []byte) (r remains) {
	q := quoting{}
	all, i := uint64(0), 0
	for ; i+8 <= len(src); i += 8 {
		v := binary.LittleEndian.Uint64(src[i:])
		all |= v
		// Of seven bytes that are gaps by turns four stand in one number, two of
		// them gaps. All gaps lie from 0x20 to 0x2f, with other signs.
		if g := zeros(v&(0xf0*eachByte) ^ 0x20*eachByte); g&(g>>16) != 0 && !r.spread {
			r.spread = spreadFrom(src, max(i-3, 0), i+5)
		}
		if zeros(v^'='*eachByte) != 0 {
			q.look(src, i, i+8)
		}
	}
	if !r.spread {
		r.spread = spreadFrom(src, max(i-7, 0), len(src))
	}
	q.look(src, i, len(src))
	for _, c := range src[i:] {
		all |= uint64(c)
	}
	r.high = all&highBits != 0
	r.quoted = q.equals >= 2 || q.breaks >= 1 && q.equals+q.breaks >= 2 || q.breaks >= 1 && len(src) > 70
	return r
}

// spreadFrom says whether "a b c d" begins in src[from:to], at a gap before or
// after a letter: signs at every second place.
func spreadFrom(src []byte, from, to int) bool {
	const n = 2*minSpread - 1
	for i := from; i < min(to, len(src)-n+1); i++ {
		k := 0
		for k < n && isGap(src[i+k]) == (k%2 == 0) {
			k++
		}
		if k == n {
			return true
		}
	}
	return false
}

func isGap(c byte) bool { return c == ' ' || c == '.' || c == '-' }

// quoting counts what looks like quoted-printable.
type quoting struct{ equals, breaks int }

func (q *quoting) look(src []byte, from, to int) {
	for i := from; i < to && i+2 < len(src); i++ {
		if src[i] != '=' {
			continue
		}
		switch {
		case src[i+1] == '\n' || src[i+1] == '\r' && src[i+2] == '\n':
			q.breaks++
		case isHex(src[i+1]) && isHex(src[i+2]):
			// Seldom by chance: a byte of UTF-8, a space or "=" itself.
			if src[i+1] >= '8' || src[i+1] == '2' && src[i+2] == '0' || src[i+1] == '3' && src[i+2] == 'D' {
				q.equals++
			}
		}
	}
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' }

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'A' + 10
}

// eight are the first eight bytes of s.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// normalize appends the text that src looks like.
func (b *normal) normalize(src string, quoted bool) { b.from(src, 0, quoted) }

// from is normalize for text that begins at a place of the source.
func (b *normal) from(src string, at int, quoted bool) {
	start := 0
	for i := 0; i < len(src); {
		c := src[i]
		if c < 0x80 && (c != '=' || !quoted) {
			i++
			for i+8 <= len(src) {
				v := eight(src[i:])
				if v&highBits != 0 || quoted && zeros(v^'='*eachByte) != 0 {
					break
				}
				i += 8
			}
			continue
		}
		b.copy(src[start:i], at+start)
		n := 0
		if c == '=' {
			n = b.unquote(src, i)
		}
		if n == 0 {
			n = b.character(src, i, at)
		}
		i += n
		start = i
	}
	b.copy(src[start:], at+start)
}

// copy appends text that stands at a place of the source, one for one.
func (b *normal) copy(text string, s int) {
	if text == "" {
		return
	}
	n := len(b.text)
	if k := len(b.runs); k == 0 || b.runs[k-1].width != 1 || int(b.runs[k-1].s)+n-int(b.runs[k-1].n) != s {
		b.runs = append(b.runs, run{uint32(n), uint32(s), 1})
	}
	b.text = append(b.text, text...)
}

// character puts the character at src[i] and returns its length.
func (b *normal) character(src string, i, at int) int {
	if c := src[i]; c < 0x80 {
		b.put(c, at+i, 1)
		return 1
	}
	r, n := utf8.DecodeRuneInString(src[i:])
	b.fold(r, at+i, n, src[i:i+n])
	return n
}

// fold puts one character that is not ASCII.
func (b *normal) fold(r rune, at, width int, raw string) {
	switch f := vocab.Fold(r); f {
	case vocab.FoldDrop:
	case vocab.FoldSign:
		b.put(' ', at, width)
	case vocab.FoldKeep:
		if r == utf8.RuneError && width == 1 {
			b.put('?', at, 1)
			return
		}
		if len(raw) != width { // decoded: all its bytes stand for the same source
			for i := range len(raw) {
				b.put(raw[i], at, width)
			}
			return
		}
		for i := range len(raw) {
			b.put(raw[i], at+i, 1)
		}
	default:
		b.put(f, at, width)
	}
}

// unquote reads quoted-printable at src[i] and returns how many bytes it took.
func (b *normal) unquote(src string, i int) int {
	if i+1 < len(src) && src[i+1] == '\n' {
		return 2
	}
	if i+2 < len(src) && src[i+1] == '\r' && src[i+2] == '\n' {
		return 3
	}
	var raw [utf8.UTFMax]byte
	n := 0
	for n < len(raw) && i+3*n+2 < len(src) && src[i+3*n] == '=' && isHex(src[i+3*n+1]) && isHex(src[i+3*n+2]) {
		raw[n] = hexValue(src[i+3*n+1])<<4 | hexValue(src[i+3*n+2])
		n++
		if raw[0] < 0x80 {
			b.put(raw[0], i, 3)
			return 3
		}
		if utf8.FullRune(raw[:n]) {
			r, w := utf8.DecodeRune(raw[:n])
			if r == utf8.RuneError {
				// Latin-1, as older mail has it.
				r, w = rune(raw[0]), 1
			}
			b.fold(r, i, 3*w, string(r))
			return 3 * w
		}
	}
	if n > 0 {
		b.fold(rune(raw[0]), i, 3, string(rune(raw[0])))
		return 3
	}
	return 0
}

// unspread joins letters and digits that each stand alone: "5 5 5 - 1 2 3 4".
// way is how src was made from the source, nil if that is src itself.
func (b *normal) unspread(src []byte, way *normal) {
	b.text = slices.Grow(b.text, len(src))
	done := 0
	for k := 0; k < len(src); k += 8 {
		if k+8 <= len(src) {
			// As in look; a "_" parts too.
			v := binary.LittleEndian.Uint64(src[k:])
			if g := zeros(v&(0xf0*eachByte)^0x20*eachByte) | zeros(v^'_'*eachByte); g&(g>>16) == 0 {
				continue
			}
		}
		for i := max(done, k-7); i < min(k+8, len(src)-2*minSpread+2); i++ {
			// Only a single character with a sign after it begins such a word, and
			// the sign comes again.
			c := src[i+1]
			if c != ' ' && c != '.' && c != '-' && c != '_' || src[i+3] != c || src[i+5] != c {
				continue
			}
			n, step := spreadAt(src, i)
			if n == 0 {
				continue
			}
			b.part(src, done, i, way)
			for j := 0; j < n; j += step {
				b.part(src, i+j, i+j+1, way)
			}
			done = i + n
			i = done - 1
		}
	}
	b.part(src, done, len(src), way)
}

// part appends src[i:j] with its way to the source.
func (b *normal) part(src []byte, i, j int, way *normal) {
	if i >= j {
		return
	}
	n := len(b.text)
	if way == nil {
		b.runs = append(b.runs, run{uint32(n), uint32(i), 1})
	} else {
		from, to := way.source(i, i+1)
		b.runs = append(b.runs, run{uint32(n), uint32(from), uint32(to - from)})
		for k := way.after(i); k < len(way.runs) && int(way.runs[k].n) < j; k++ {
			r := way.runs[k]
			b.runs = append(b.runs, run{uint32(n + int(r.n) - i), r.s, r.width})
		}
	}
	b.text = append(b.text, src[i:j]...)
}

// minSpread is the least number of characters that are taken to belong together.
const minSpread = 4

// spreadAt returns the length of the spread word at i, and the distance of its
// characters.
func spreadAt(src []byte, i int) (length, step int) {
	if i > 0 && (isAlnum(src[i-1]) || src[i-1] == '\'') || !isAlnum(src[i]) || i+2 >= len(src) {
		return 0, 0
	}
	gap := src[i+1]
	switch gap {
	case ' ', '_':
	case '.', '-':
		if classes[src[i]] != cDigit {
			return 0, 0
		}
	default:
		return 0, 0
	}
	count, k := 0, i
	for k < len(src) && isSpread(src[k], gap) && (k+1 >= len(src) || !isAlnum(src[k+1])) {
		if isAlnum(src[k]) {
			count++
		}
		if k+2 >= len(src) || src[k+1] != gap || !isSpread(src[k+2], gap) || k+3 < len(src) && isAlnum(src[k+3]) {
			k++
			break
		}
		k += 2
	}
	least := minSpread
	if gap != ' ' {
		least = 7
	}
	if count < least {
		return 0, 0
	}
	return k - i, 2
}

func isSpread(c, gap byte) bool {
	return isAlnum(c) || gap == ' ' && (c == '-' || c == '/' || c == '@')
}

func isAlnum(c byte) bool {
	k := classes[c]
	return k == cLower || k == cUpper || k == cDigit || k == cHigh
}

// minEncoded is the least length of base64 that is decoded.
const minEncoded = 40

// encoded returns the length of base64 at src[i:], with its line breaks, if it
// decodes to text, and that text.
func encoded(src string, i int, buf []byte) (length int, text []byte) {
	raw := buf[:0]
	k := i
	for k < len(src) {
		c := src[k]
		switch {
		case isAlnum(c) && c < 0x80 || c == '+' || c == '/' || c == '=':
			raw = append(raw, c)
		case (c == '\n' || c == '\r') && k+1 < len(src):
		default:
			goto done
		}
		k++
	}
done:
	for len(raw) > 0 && len(raw)%4 != 0 {
		raw = raw[:len(raw)-1]
	}
	if len(raw) < minEncoded {
		return 0, nil
	}
	text = raw[len(raw):]
	text, err := base64.StdEncoding.AppendDecode(text, raw)
	if err != nil {
		return 0, nil
	}
	printable := 0
	for _, c := range text {
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\t' || c == '\r' {
			printable++
		}
	}
	if printable*100 < len(text)*90 {
		return 0, nil
	}
	return k - i, text
}
