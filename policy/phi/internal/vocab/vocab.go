// Package vocab is the vocabulary of the PHI detector: which words and phrases
// are names, places, diagnoses, medicines, labels and so on.
//
// It is one flat table in the program's read-only data: looking a word up costs
// a hash and a probe or two, nothing is built at start-up, and the garbage
// collector has nothing to follow. The table is made by the program in
// ../genvocab, which also lists where the words come from and under what terms.
package vocab

import _ "embed"

// Set is a set of kinds that a word or phrase belongs to.
type Set uint64

// The kinds.
const (
	Common    Set = 1 << iota // an ordinary English or Spanish word
	First                     // a first name
	Last                      // a surname
	City                      // a city or town
	State                     // a state of the US, by name
	StateAb                   // its two letters
	Country                   //
	Month                     //
	Day                       // of the week
	Title                     // Mr, Dr
	DrTitle                   // of a provider
	Cred                      // MD, RN: after a provider's name
	Street                    // Street, Ave
	Apt                       // Apt, Suite
	Facility                  // Hospital, Clinic: ends a facility's name
	FacName                   // a facility's whole name
	Org                       // Inc, University
	Prep                      // prepositions and articles
	NonName                   // never part of a name
	Dx                        // diagnosis
	Sym                       // symptom
	Drug                      // medicine
	Proc                      // procedure
	Lab                       // laboratory test
	Vital                     // vital sign
	Spec                      // medical specialty
	Anat                      // part of the body
	Care                      // a word of care
	Ins                       // insurance and payment for care
	Route                     // daily, by mouth
	Unit                      // mg
	Weak                      // a health word that is common elsewhere too
	Mental                    // mental health
	SUD                       // substance use
	HIV                       // HIV and other sexually transmitted infections
	Repro                     // reproductive health
	Genetic                   //
	Minor                     //
	Opioid                    //
	He                        // he, she
	You                       // you, your
	Me                        // I, my
	GenericPl                 // people, patients
	Article                   // phrases of articles about health
	Kin                       // mother, son
	Gender                    // male, woman
	AgeWord                   // year-old
	Evid                      // seen, admitted: what happens to a patient
	Clin                      // denies, reports: what a patient does in a note
	Event                     // your appointment
	Salute                    // dear
	Closing                   // regards
	Staff                     // coordinator
	Disclaim                  // confidentiality notice
	RelDate                   // last month
	Code                      // commit, parser
	Bio                       // fingerprint
	Photo                     // photograph
	Starts                    // the first word of a phrase
	Prefix                    // the first words of a longer phrase
	Eponym                    // a name that diseases, signs and scores bear
	Follows                   // a later word of a phrase
	Visit                     // an appointment
	Elsewhere                 // of trade, travel, school, animals: what is meant is seldom somebody's health
)

// Health is every kind of health or payment word.
const Health = Dx | Sym | Drug | Proc | Lab | Vital | Spec | Anat | Care | Ins | Route | Unit

// Label says what the value after a word is.
type Label uint8

// The labels.
const (
	NoLabel Label = iota
	Name
	Patient
	Provider
	DOB
	MRN
	Plan
	Account
	SSN
	Phone
	Fax
	Email
	Address
	Place
	License
	Vehicle
	Device
	IP
	URL
	Other
	Age
	Date
	labels // their number
)

// Entry is what the vocabulary knows of a word or phrase.
type Entry struct {
	Set   Set
	Label Label
}

//go:embed vocab.bin
var table string

// The table: a magic of 8 bytes, the slots of 4 bytes (twice), the ZIP codes and area
// codes as bits, the lengths of telephone numbers, the spelling table's slots, the entries of 9 bytes after their
// number, the texts of the spelling table. All little-endian; all but the last
// two of fixed size, so that a look-up knows where to look.
const (
	magic     = "phivoc09"
	entrySize = 9
	indexBits = 12
	// There are two to the power of these of slots: for the words that make most
	// of a text, few enough for a processor's cache, and for all others.
	hotBits   = 16
	slotBits  = 18
	zipBytes  = 100000 / 8
	areaBytes = 1000 / 8
	phoneSize = 2
	spellBits = 15

	hotAt     = 8
	slotsAt   = hotAt + 4<<hotBits
	zipsAt    = slotsAt + 4<<slotBits
	areasAt   = zipsAt + zipBytes
	phonesAt  = areasAt + areaBytes
	spellAt   = phonesAt + 1000*phoneSize
	countAt   = spellAt + 4<<spellBits
	entriesAt = countAt + 4
)

func u32(s string, i int) uint32 {
	_ = s[i+3]
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

// The hash of a word is made of eight bytes at a time, so that a reader makes it
// of the numbers in which it looked for the word's end.
const (
	// Seed is the hash of nothing.
	Seed  uint64 = 14695981039346656037
	mixer uint64 = 0x9e3779b97f4a7c15 // odd, so that no two words of up to eight bytes have one hash
)

// Step adds the next eight bytes of a folded, lower-case word to its hash: a
// little-endian number, its last bytes zero where the word has no more.
func Step(h, eight uint64) uint64 {
	h = (h ^ eight) * mixer
	return h ^ h>>29
}

// Hash is the hash of a whole word.
func Hash[T string | []byte](w T) uint64 {
	h := Seed
	for len(w) >= 8 {
		h = Step(h, uint64(w[0])|uint64(w[1])<<8|uint64(w[2])<<16|uint64(w[3])<<24|uint64(w[4])<<32|uint64(w[5])<<40|uint64(w[6])<<48|uint64(w[7])<<56)
		w = w[8:]
	}
	if len(w) == 0 {
		return h
	}
	var last uint64
	for i := range len(w) {
		last |= uint64(w[i]) << (8 * i)
	}
	return Step(h, last)
}

// Join adds a further word to the hash of a phrase.
func Join(phrase, word uint64) uint64 { return (phrase<<7|phrase>>57)*mixer ^ word }

func slotOf(h uint64) (slot int, finger uint32) {
	h *= mixer
	return int(h >> (64 - slotBits)), uint32(h>>20) & (1<<(32-indexBits) - 1)
}

// Lookup returns the entry of a word or phrase by its hash; the zero Entry if it
// is not in the vocabulary.
func Lookup(h uint64) Entry {
	slot, finger := slotOf(h)
	const hotMask, mask = 1<<hotBits - 1, 1<<slotBits - 1
	hot := table[hotAt:slotsAt]
	for at := slot >> (slotBits - hotBits); ; at = (at + 1) & hotMask {
		v := u32(hot, at*4)
		if v == 0 {
			break
		}
		if v>>indexBits == finger {
			return entry(int(v & (1<<indexBits - 1)))
		}
	}
	slots := table[slotsAt:zipsAt]
	for ; ; slot = (slot + 1) & mask {
		v := u32(slots, slot*4)
		if v == 0 {
			return Entry{}
		}
		if v>>indexBits == finger {
			return entry(int(v & (1<<indexBits - 1)))
		}
	}
}

func entry(i int) Entry {
	at := entriesAt + i*entrySize
	return Entry{Set(u32(table, at)) | Set(u32(table, at+4))<<32, Label(table[at+8])}
}

// ZIP says whether a number of five digits is a ZIP code.
func ZIP(n int) bool {
	if n < 0 || n > 99999 {
		return false
	}
	return table[zipsAt+n/8]>>(n%8)&1 != 0
}

// AreaCode says whether three digits are an area code of the North American
// numbering plan.
func AreaCode(n int) bool {
	if n < 0 || n > 999 {
		return false
	}
	return table[areasAt+n/8]>>(n%8)&1 != 0
}

// IsPhone says whether digits are a calling code and a national number of a length
// that is given out there, with or without the 0 that is dialled before it at home.
func IsPhone(digits []byte) bool {
	code := 0
	for n, c := range digits[:min(len(digits), 3)] {
		code = code*10 + int(c-'0')
		at := phonesAt + code*phoneSize
		lengths := uint(table[at]) | uint(table[at+1])<<8
		national := digits[n+1:]
		if lengths>>len(national)&1 != 0 || len(national) > 0 && national[0] == '0' && lengths>>(len(national)-1)&1 != 0 {
			return true
		}
	}
	return false
}

// Size is the size of the table in bytes.
func Size() int { return len(table) }
