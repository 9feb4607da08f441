package vocab

// Misspelt medicines and diagnoses are found by their consonants: the key of a
// word is its first letter and the set of its consonants, which typing errors
// in vowels, order and doubling leave alone; each term also has the keys without
// one of its consonants. A word with a known key is then compared in full.

// SpellKey is the key of a folded, lower-case word, and whether it has enough
// consonants to be told apart from others.
func SpellKey(word []byte) (key uint32, ok bool) {
	var set uint32
	n := 0
	for _, c := range word {
		c |= 0x20
		if c < 'a' || c > 'z' {
			return 0, false
		}
		switch c {
		case 'a', 'e', 'i', 'o', 'u', 'y':
		default:
			bit := uint32(1) << (c - 'a')
			if set&bit == 0 {
				set |= bit
				n++
			}
		}
	}
	return set, n >= 4 && len(word) >= 7
}

// spellSlot places a key; the first letter takes part.
func spellSlot(first byte, set uint32) int {
	h := (uint64(set)<<8 | uint64(first|0x20)) * 0x9e3779b97f4a7c15
	return int(h >> (64 - spellBits))
}

// Spelled returns the entry of the term that a misspelt word stands for. The
// word is folded; case does not matter.
func Spelled(word []byte) (Entry, bool) {
	if len(word) < 7 || len(word) > 24 {
		return Entry{}, false
	}
	set, ok := SpellKey(word)
	if !ok {
		return Entry{}, false
	}
	pool := entriesAt + int(u32(table, countAt))*entrySize
	slot := spellSlot(word[0], set)
	for range 16 {
		v := u32(table, spellAt+slot*4)
		if v == 0 {
			return Entry{}, false
		}
		at := pool + int(v)
		n := int(table[at])
		term := table[at+1 : at+1+n]
		if near(word, term) {
			return Lookup(Hash(term)), true
		}
		slot = (slot + 1) & (1<<spellBits - 1)
	}
	return Entry{}, false
}

// near says whether a word is at most one edit (two from nine letters on) away
// from a term; a swap of neighbours is one edit.
func near(word []byte, term string) bool {
	limit := 1
	if len(term) >= 9 {
		limit = 2
	}
	if d := len(word) - len(term); d > limit || -d > limit {
		return false
	}
	var rows [3][32]uint8
	n := len(term)
	if n >= 31 {
		return false
	}
	for j := range n + 1 {
		rows[0][j] = uint8(j)
	}
	cur := 0
	for i := 1; i <= len(word); i++ {
		prev2, prev := (cur+2)%3, cur
		cur = (cur + 1) % 3
		rows[cur][0] = uint8(i)
		least := rows[cur][0]
		for j := 1; j <= n; j++ {
			cost := uint8(1)
			if word[i-1]|0x20 == term[j-1] {
				cost = 0
			}
			d := min(rows[prev][j]+1, rows[cur][j-1]+1, rows[prev][j-1]+cost)
			if i > 1 && j > 1 && word[i-1]|0x20 == term[j-2] && word[i-2]|0x20 == term[j-1] {
				d = min(d, rows[prev2][j-2]+1)
			}
			rows[cur][j] = d
			least = min(least, d)
		}
		if int(least) > limit {
			return false
		}
	}
	return int(rows[cur][n]) <= limit
}
