package vocab_test

import (
	"testing"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

func TestLookupKnowsWordsAndPhrases(t *testing.T) {
	t.Parallel()
	for word, kind := range map[string]vocab.Set{
		"diabetes": vocab.Dx, "metformin": vocab.Drug, "biopsy": vocab.Proc, "march": vocab.Month, "holloway": vocab.Last, "margaret": vocab.First, "boston": vocab.City,
	} {
		if e := vocab.Lookup(vocab.Hash(word)); e.Set&kind == 0 {
			t.Errorf("%q is not known for what it is: %x", word, e.Set)
		}
	}
	phrase := vocab.Join(vocab.Hash("medical"), vocab.Hash("record"))
	if e := vocab.Lookup(phrase); e.Label != vocab.MRN {
		t.Errorf("a label of two words is label %d", e.Label)
	}
	if e := vocab.Lookup(vocab.Hash("zzyqx")); e != (vocab.Entry{}) {
		t.Errorf("a word that nobody has is known: %+v", e)
	}
}

func TestHashIsThatOfItsSteps(t *testing.T) {
	t.Parallel()
	const word = "electroencephalogram" // eight bytes, eight and four
	eight := func(s string) (v uint64) {
		for i := range len(s) {
			v |= uint64(s[i]) << (8 * i)
		}
		return v
	}
	h := vocab.Step(vocab.Step(vocab.Step(vocab.Seed, eight(word[:8])), eight(word[8:16])), eight(word[16:]))
	if h != vocab.Hash(word) || h != vocab.Hash([]byte(word)) {
		t.Error("a word's hash is another than that of its steps")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{"12015550123": true, "442079460958": true, "4402079460958": true, "4912": false, "1201555": false, "": false, "999": false} {
		if vocab.IsPhone([]byte(number)) != want {
			t.Errorf("IsPhone(%q) is not %t", number, want)
		}
	}
	if !vocab.ZIP(2108) || vocab.ZIP(0) || vocab.ZIP(-1) || vocab.ZIP(100000) {
		t.Error("ZIP codes are not told from other numbers")
	}
	if !vocab.AreaCode(312) || vocab.AreaCode(911) || vocab.AreaCode(-1) || vocab.AreaCode(1000) {
		t.Error("area codes are not told from other numbers")
	}
}

func TestSpelledFindsWhatIsNear(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"lisinporil", "metfromin", "Amoxicilin"} {
		if e, ok := vocab.Spelled([]byte(word)); !ok || e.Set&vocab.Drug == 0 {
			t.Errorf("%q is no medicine: %v", word, ok)
		}
	}
	for _, word := range []string{"keyboard", "short", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if _, ok := vocab.Spelled([]byte(word)); ok {
			t.Errorf("%q is taken for a medical term", word)
		}
	}
}
