package crypt_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt"
)

// The payload of RFC 9788 appendix C.3.1.2: signed, encrypted, with the baseline
// of what is confidential.
const rfcPayload = `MIME-Version: 1.0
Content-Transfer-Encoding: 7bit
Subject: smime-signed-enc-hp-baseline
Message-ID: <smime-signed-enc-hp-baseline@example>
From: Alice <alice@smime.example>
To: Bob <bob@smime.example>
Date: Sat, 20 Feb 2021 10:09:02 -0500
User-Agent: Sample MUA Version 1.0
HP-Outer: Subject: [...]
HP-Outer: Message-ID: <smime-signed-enc-hp-baseline@example>
HP-Outer: From: Alice <alice@smime.example>
HP-Outer: To: Bob <bob@smime.example>
HP-Outer: Date: Sat, 20 Feb 2021 10:09:02 -0500
HP-Outer: User-Agent: Sample MUA Version 1.0
Content-Type: text/plain; charset="utf-8"; hp="cipher"

This is the
smime-signed-enc-hp-baseline
message.
`

// The payload of appendix E.1, for clients that don't know the scheme.
const rfcLegacyPayload = `Date: Fri, 21 Jan 2022 20:40:48 -0500
From: Alice <alice@example.net>
To: Bob <bob@example.net>
Subject: Dinner plans
Message-ID: <text-plain-legacy-display@lhp.example>
MIME-Version: 1.0
Content-Type: text/plain; charset="us-ascii"; hp-legacy-display="1";
 hp="cipher"
HP-Outer: Date: Fri, 21 Jan 2022 20:40:48 -0500
HP-Outer: From: Alice <alice@example.net>
HP-Outer: To: Bob <bob@example.net>
HP-Outer: Subject: [...]
HP-Outer: Message-ID: <text-plain-legacy-display@lhp.example>

Subject: Dinner plans

Let's meet at Rama's Roti Shop at 8pm and go to the park
from there.
`

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func valueOf(fields []crypt.Field, name string) string {
	i := slices.IndexFunc(fields, func(f crypt.Field) bool { return f.Name == name })
	if i < 0 {
		return "none"
	}
	return fields[i].Value
}

func TestPayloadsOfRFC9788AreRead(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]struct {
		fields  int
		subject string
	}{rfcPayload: {6, "smime-signed-enc-hp-baseline"}, rfcLegacyPayload: {5, "Dinner plans"}} {
		p, ok := crypt.ReadProtected(crlf(payload))
		if !ok || p.Protection != crypt.Encrypted || len(p.Fields) != want.fields || len(p.Outer) != want.fields {
			t.Fatalf("%v, %t", p, ok)
		}
		for _, f := range p.Fields {
			outside, confidential := valueOf(p.Outer, f.Name), f.Name == "Subject"
			if confidential != (outside != f.Value) || confidential && (f.Value != want.subject || outside != "[...]") {
				t.Errorf("%s is %q inside and %q outside", f.Name, f.Value, outside)
			}
		}
	}
}

// What we make of the RFC's message says the same as the RFC's payload.
func TestOurPayloadSaysWhatRFC9788Says(t *testing.T) {
	t.Parallel()
	want, ok := crypt.ReadProtected(crlf(rfcPayload))
	if !ok {
		t.Fatal("not read")
	}
	_, body, _ := bytes.Cut(crlf(rfcPayload), []byte("\r\n\r\n"))
	message := append(crlf("MIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\nContent-Type: text/plain; charset=\"utf-8\"\n\n"), body...)
	made := payloadOf(t, &crypt.Job{
		Header: want.Fields, Outer: want.Outer, Size: int64(len(message)),
		Entity: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(message)), nil },
	}, crypt.Encrypted)
	got, ok := crypt.ReadProtected([]byte(made))
	if !ok || got.Protection != want.Protection || !slices.Equal(got.Fields, want.Fields) || !slices.Equal(got.Outer, want.Outer) {
		t.Errorf("%s", made)
	}
	if !strings.HasSuffix(made, "\r\n\r\n"+string(body)) || !strings.Contains(made, `Content-Type: text/plain; charset="utf-8"; hp="cipher"`) {
		t.Errorf("%s", made)
	}
}
