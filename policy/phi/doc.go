// Package phi finds and marks protected health information (PHI).
//
// A [Detector] is the built-in [policy.Classifier]: it reads a message and says
// whether it holds an identifier of a person (45 CFR 164.514(b)(2)) together with
// their health, care or payment for it (45 CFR 160.103), where, and why. It works
// offline and gives the same answer to the same message.
//
// A [Value] marks a text as PHI, so that it is rendered into messages and shown
// nowhere else.
//
// # How it works
//
// A part of the message (subject, text, HTML, the names and texts of attachments,
// structured fields) is normalized: characters that look like ASCII become it,
// invisible ones go, remains of quoted-printable and base64 are decoded, spread
// letters and digits joined. The way back to the source's bytes is kept. Then one
// pass splits it into words, numbers and signs and looks each word up in a flat
// table of 120,000 words and phrases that is compiled in (1.5 MB; its program and
// the origin and licence of the words are in internal/genvocab). Readers of dates,
// numbers, names, places, labels and codes begin at the words and numbers they are
// about and confirm by form, check digit or context.
//
// Each sentence is weighed: how surely it is about one person (a name, an age, a
// record number, a date of care, "your appointment") times what it says of health.
// Sentences about everybody (articles, advice) and notices of confidentiality
// count for little or nothing, and so do names in a signature. The sum is a score
// from 0 to 1; from the threshold on the message is PHI. A long message is weighed
// in sections too, so that a paragraph counts as it would alone. What can't be read
// is PHI.
//
// # What it misses
//
// Measured on a corpus of 1,092 mails of other sources (368 with PHI), of which a
// fifth, those whose id's SHA-256 begins with a byte below 51, was kept from
// tuning:
//
//	                          four fifths   set aside
//	recall                       1.000        0.973
//	false-positive rate          0.019        0.025
//	F1                           0.983        0.967
//	signed health articles       0.06         0.00   (flagged)
//	identifiers found            0.975        0.954  (any overlap, without facilities)
//	with the right type          0.958        0.944
//	names                        0.958        0.934
//
// PHIMAIL_CORPUS=DIR go test -v -run CorpusFigures prints them for a corpus of its
// form. On testdata/hard.jsonl, 556 short mails that were written to be hard, recall
// is 0.90 and the false-positive rate 0.21 (go test -v -run HardMail).
//
// By kind, it misses:
//
//   - names in text without capital letters that are ordinary words or rare:
//     "hill", "brooks" in a transcript, "tom leonard" in capitals;
//   - identifiers under misspelt labels ("Addrses: Algade 60");
//   - a date of which a line break stands between month and day;
//   - persons that are told by what they did and by no name, number or date;
//   - facilities in small letters, foreign addresses without a label;
//   - languages other than English and, for the usual mail of a clinic, Spanish.
//   - a person told by a room, a bed or a first name alone ("412B needs her trough
//     redrawn"), notes of abbreviations only.
//
// And it flags: persons who are named beside a disease that is not theirs (authors
// of books on cancer, makers of insulin pens, figures of history), animals with
// their owners' names, figures of speech ("the server had a heart attack"), policies
// of other insurances, and questions about a patient of a named town.
package phi
