package main

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// spellings returns how a word may stand in a message: raw, in base64 at any of
// three offsets, in quoted-printable and in UTF-16 of both orders.
func spellings(word string) map[string]string {
	forms := map[string]string{"raw": word}
	for offset := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + word))
		forms["base64 at "+string(rune('0'+offset))] = text[(offset*4+2)/3 : (offset+len(word))*8/6]
	}
	var quoted, all, little, big strings.Builder
	const digits = "0123456789ABCDEF"
	for i := range len(word) {
		hex := "=" + string(digits[word[i]>>4]) + string(digits[word[i]&15])
		all.WriteString(hex)
		if word[i] >= 0x80 {
			quoted.WriteString(hex)
		} else {
			quoted.WriteByte(word[i])
		}
	}
	for _, u := range utf16.Encode([]rune(word)) {
		little.Write([]byte{byte(u), byte(u >> 8)})
		big.Write([]byte{byte(u >> 8), byte(u)})
	}
	forms["quoted-printable"], forms["all quoted"] = quoted.String(), all.String()
	forms["UTF-16LE"], forms["UTF-16BE"] = little.String(), big.String()
	return forms
}

// occurrences looks for words in a message, and in what its base64 holds.
func occurrences(message []byte, words ...string) []string {
	_, body, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	joined := strings.NewReplacer("\r", "", "\n", "").Replace(string(body))
	places := []string{string(message), joined}
	if raw, err := base64.StdEncoding.DecodeString(joined); err == nil {
		places = append(places, string(raw))
	}
	var found []string
	for _, w := range words {
		for form, s := range spellings(w) {
			for _, p := range places {
				if strings.Contains(p, s) {
					found = append(found, w+" "+form)
				}
			}
		}
	}
	return found
}

func TestSealedMessagesHoldNoWordOfThePlaintext(t *testing.T) {
	t.Parallel()
	words := []string{"Nephrology", "Größenänderung", "metastatic", "Überweisung", "Приём"}
	message := "To: " + dana + "\nSubject: Nephrology Größenänderung\nMIME-Version: 1.0\n" +
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nNot metastatic. Überweisung folgt. Приём\n"
	for form, more := range map[string]string{
		"standard": "",
		"gcm":      ", forms: [{for: patient.example, form: gcm}]",
	} {
		for name, block := range map[string][2]string{
			"signed":   {},
			"unsigned": {", sign_cert: us.pem, sign_key: us.key", ""},
		} {
			w := newWard(t, officeOptions{more: sealedOnly}, more)
			w.knows(t, smimetest.RSA2048, dana)
			w.editConfig(t, block[0], block[1])
			world{stdin: message}.run(t, "send", "-config", w.config, "-t").want(t, exitOK, "")
			for _, m := range w.relay.Messages() {
				if found := occurrences(m.Data, words...); len(found) > 0 {
					t.Errorf("%s, %s: the sealed message holds %q", form, name, found)
				}
			}
			if found := occurrences(w.everything(t), words...); len(found) > 0 {
				t.Errorf("%s, %s: the log holds %q", form, name, found)
			}
		}
	}
}

func TestPlaintextIsFoundInEverySpelling(t *testing.T) {
	t.Parallel()
	const word = "Größenänderung"
	for form, s := range spellings(word) {
		if got := occurrences([]byte("A: b\r\n\r\n+"+s+"+"), word); len(got) == 0 {
			t.Errorf("not found: %s", form)
		}
		sealed := base64.StdEncoding.EncodeToString([]byte("++" + s + "++"))
		if got := occurrences([]byte("A: b\r\n\r\n"+sealed[:9]+"\r\n"+sealed[9:]), word); len(got) == 0 {
			t.Errorf("not found inside base64: %s", form)
		}
	}
	for offset := range 3 { // as a writer would encode it
		sealed := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("y", offset) + word + " and more"))
		if got := occurrences([]byte("A: b\r\n\r\n!"+sealed), word); len(got) == 0 {
			t.Errorf("not found at offset %d", offset)
		}
	}
}

func TestSMIMECanaryNeverReachesDiagnosticsOrTheLog(t *testing.T) {
	t.Parallel()
	const address = canary + "@example.org"
	for name, prepare := range map[string]func(w *ward){
		"sealed":  func(w *ward) { w.knows(t, smimetest.P256, address) },
		"missing": func(*ward) {},
		"expired": func(w *ward) { w.knows(t, smimetest.P256, address, smimetest.Expired) },
		"not for us": func(w *ward) {
			w.knows(t, smimetest.P256, "x@example.org", smimetest.Mailboxes([]string{canary + "@x.example"}))
		},
		"no key":    func(w *ward) { w.put(t, "us.key", []byte(canary)) },
		"no anchor": func(w *ward) { w.put(t, "anchors.pem", []byte(canary)) },
	} {
		w := newWard(t, officeOptions{more: sealedOnly}, "")
		prepare(w)
		run := world{stdin: "To: " + canary + " <" + address + ">\nSubject: " + canary + "\n\n" + canary + "\n", txtErr: errCanary{}}
		for _, command := range []string{"send", "plan", "doctor"} {
			args := []string{command, "-config", w.config}
			if command != "doctor" {
				args = append(args, "-t")
			}
			r := run.run(t, args...)
			wantNoCanary(t, name+", "+command+": standard error", r.stderr)
			if r.code != exitConfig && command != "doctor" {
				wantNoCanary(t, name+", "+command+": the receipt", withoutAddresses(t, r))
			}
			if command == "doctor" {
				wantNoCanary(t, name+", doctor: standard output", r.stdout)
			}
		}
		wantNoCanary(t, name+": the log", string(w.everything(t)))
		for _, m := range w.relay.Messages() {
			_, body, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
			wantNoCanary(t, name+": the sealed message", string(body))
		}
	}
}
