package main

import (
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/phimail/sdk/policy/phi/internal/vocab"
)

// lookalikes are letters of other scripts that look like Latin ones.
const lookalikes = "аaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwАAВBЕEКKМMНHОOРPСCТTХXУYЅSІIЈJ" +
	"ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoνvρpυuαaιiκk" +
	"øoØOłlŁLđdĐDıiħhĦHŧtŦTðdÐDþpÞPæaÆAœoŒOßsǝeɑaɡgɩiʟlʀrƒf" +
	"‐-‑-‒-–-—-―-−-⁃-‘'’'‚'‛'′'´'ʼ'ˈ'“\"”\"„\"″\"․.⁄/∕/∶:⦂:ː:×x•*·*…."

// folding is the table of [vocab.Fold].
func folding() []byte {
	table := make([]byte, vocab.FoldRunes)
	for r := rune(0x80); r < vocab.FoldRunes; r++ {
		table[r] = foldRune(r)
	}
	pairs := []rune(lookalikes)
	for i := 0; i+1 < len(pairs); i += 2 {
		table[pairs[i]] = byte(pairs[i+1])
	}
	return table
}

func foldRune(r rune) byte {
	switch {
	case r == 0xad || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r):
		return vocab.FoldDrop
	case unicode.IsSpace(r):
		if r == 0x85 || r == 0x2028 || r == 0x2029 {
			return '\n'
		}
		return ' '
	}
	if d := []rune(norm.NFKD.String(string(r))); len(d) > 0 && d[0] < 0x80 && d[0] > ' ' {
		return byte(d[0])
	}
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return vocab.FoldKeep
	}
	return vocab.FoldSign
}
