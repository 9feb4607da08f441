package vocab

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Source is what the table is made of.
type Source struct {
	// Terms are words and phrases by their hash.
	Terms map[uint64]Entry
	// Hot are those of them that texts are mostly made of.
	Hot map[uint64]bool
	// Spelled are single words, in lower case, that are also found misspelt.
	Spelled []string
	ZIPs    []int
	Areas   []int
	// Phones are the lengths of national numbers by their calling code: bit n for
	// n digits.
	Phones [1000]uint16
}

// Build makes the table, the same for the same source.
func Build(s *Source) ([]byte, error) {
	index := map[Entry]int{}
	var entries []Entry
	hashes := make([]uint64, 0, len(s.Terms))
	for h, e := range s.Terms {
		hashes = append(hashes, h)
		if _, ok := index[e]; !ok {
			index[e] = 0
			entries = append(entries, e)
		}
	}
	slices.Sort(hashes)
	slices.SortFunc(entries, func(a, b Entry) int {
		if a.Set != b.Set {
			if a.Set < b.Set {
				return -1
			}
			return 1
		}
		return int(a.Label) - int(b.Label)
	})
	entries = slices.Insert(entries, 0, Entry{}) // 0 marks an empty slot
	for i, e := range entries[1:] {
		index[e] = i + 1
	}
	if len(entries) >= 1<<indexBits {
		return nil, fmt.Errorf("vocab: %d kinds of entries are more than fit", len(entries))
	}
	var hot, cold []uint64
	for _, h := range hashes {
		if s.Hot[h] {
			hot = append(hot, h)
		} else {
			cold = append(cold, h)
		}
	}
	hotSlots, err := place(hot, hotBits, index, s.Terms)
	if err != nil {
		return nil, err
	}
	slots, err := place(cold, slotBits, index, s.Terms)
	if err != nil {
		return nil, err
	}
	spelled, pool, err := buildSpelled(s.Spelled)
	if err != nil {
		return nil, err
	}
	out := []byte(magic)
	out = appendNumbers(appendNumbers(out, hotSlots), slots)
	out = append(out, bits(s.ZIPs, zipBytes)...)
	out = append(out, bits(s.Areas, areaBytes)...)
	for _, lengths := range s.Phones {
		out = binary.LittleEndian.AppendUint16(out, lengths)
	}
	out = appendNumbers(out, spelled)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(entries)))
	for _, e := range entries {
		out = append(binary.LittleEndian.AppendUint64(out, uint64(e.Set)), byte(e.Label))
	}
	return append(out, pool...), nil
}

// place puts terms into a table of two to the power of bits of slots.
func place(hashes []uint64, bits int, index map[Entry]int, terms map[uint64]Entry) ([]uint32, error) {
	slots := make([]uint32, 1<<bits)
	if len(hashes) > len(slots)*6/10 {
		return nil, fmt.Errorf("vocab: %d terms are too many for %d slots", len(hashes), len(slots))
	}
	for _, h := range hashes {
		slot, finger := slotOf(h)
		slot >>= slotBits - bits
		for slots[slot] != 0 {
			if slots[slot]>>indexBits == finger {
				return nil, fmt.Errorf("vocab: two terms share slot %d and fingerprint; change the hash", slot)
			}
			slot = (slot + 1) & (len(slots) - 1)
		}
		slots[slot] = finger<<indexBits | uint32(index[terms[h]])
	}
	return slots, nil
}

func appendNumbers(out []byte, numbers []uint32) []byte {
	for _, v := range numbers {
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return out
}

func bits(numbers []int, size int) []byte {
	b := make([]byte, size)
	for _, n := range numbers {
		b[n/8] |= 1 << (n % 8)
	}
	return b
}

func buildSpelled(terms []string) (slots []uint32, pool []byte, err error) {
	slots = make([]uint32, 1<<spellBits)
	pool = []byte{0} // position 0 marks an empty slot
	place := func(first byte, set, at uint32) {
		for slot := spellSlot(first, set); ; slot = (slot + 1) & (len(slots) - 1) {
			if slots[slot] == at {
				return
			}
			if slots[slot] == 0 {
				slots[slot] = at
				return
			}
		}
	}
	terms = slices.Compact(slices.Sorted(slices.Values(terms)))
	count := 0
	for _, t := range terms {
		set, ok := SpellKey([]byte(t))
		if !ok || len(t) > 24 {
			continue
		}
		at := uint32(len(pool))
		pool = append(append(pool, byte(len(t))), t...)
		place(t[0], set, at)
		for b := uint32(1); b < 1<<26; b <<= 1 {
			if set&b != 0 {
				place(t[0], set&^b, at)
				count++
			}
		}
	}
	if count > len(slots)*6/10 {
		return nil, nil, fmt.Errorf("vocab: %d keys are too many for %d slots", count, len(slots))
	}
	return slots, pool, nil
}
