package compose_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// entityOf returns what is written of a ready message's body.
func entityOf(tb testing.TB, raw string) string {
	tb.Helper()
	out := render(tb, rebuild(parse(tb, raw)))
	_, entity, _ := strings.Cut(out, "MIME-Version: 1.0\r\n")
	return entity
}

func TestOrdinaryPartsAreEncodedOnlyIfTheyMust(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 300)
	tests := map[string]struct{ raw, want string }{
		"plain": {"Subject: a\n\nFrom here\n.dot \n", "Content-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\nFrom here\n.dot \n"},
		"labelled 8bit": {"Content-Type: text/plain;\n charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nplain\n",
			"Content-Type: text/plain;\n charset=utf-8\nContent-Transfer-Encoding: 7bit\n\nplain\n"},
		"encoded already": {"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe =\nx\n",
			"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe =\nx\n"},
		"utf-8": {"Content-Type: text/plain; charset=utf-8; format=flowed\nContent-Transfer-Encoding: 8bit\n\nGrüße aus der Klinik\n",
			"Content-Type: text/plain; charset=utf-8; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe aus der Klinik\n"},
		"utf-8 without label": {"Subject: a\n\nGrüße aus der Klinik\n",
			"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe aus der Klinik\n"},
		"utf-8 as ascii": {"Content-Type: text/html; charset=US-ASCII\n\n<p>Grüße aus der Klinik\n",
			"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p>Gr=C3=BC=C3=9Fe aus der Klinik\n"},
		"latin1": {"Content-Type: text/plain; charset=iso-8859-1\n\nGr\xfc\xdfe aus der Klinik\n",
			"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe aus der Klinik\n"},
		"latin1 without label": {"Content-Type: text/plain\n\nGr\xfc\xdfe aus der Klinik\n",
			"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe aus der Klinik\n"},
		"broken quoted-printable": {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGrüße =3D aus der Klinik\n",
			"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe =3D aus der Klinik\n"},
		"long line": {"Content-Type: text/plain\n\n" + long + "end\n", "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n" + wrapQP(long+"end") + "\n"},
		"8-bit json": {"Content-Type: application/json\nContent-Transfer-Encoding: 8bit\n\n{\"a\":\"é\"}\n",
			"Content-Type: application/json\nContent-Transfer-Encoding: base64\n\neyJhIjoiw6kifQ0K\n"},
		"fields of a part": {"Content-Type: text/plain\nContent-Disposition: inline; filename=a.txt\nContent-ID: <c@d>\nContent-Description: Übersicht\nContent-MD5: AAAA==\nX-Part: " + long + "\n\nx\n",
			"Content-Type: text/plain\nContent-Transfer-Encoding: 7bit\nContent-Disposition: inline; filename=a.txt\nContent-ID: <c@d>\nContent-Description: =?utf-8?q?=C3=9Cbersicht?=\nContent-MD5: AAAA==\n\nx\n"},
		"8-bit file name": {"Content-Type: text/plain; name=\"Übersicht.txt\"\nContent-Disposition: attachment; filename=\"Übersicht.txt\"\n\nx\n",
			"Content-Type: text/plain; name*=utf-8''%C3%9Cbersicht.txt\nContent-Transfer-Encoding: 7bit\nContent-Disposition: attachment; filename*=utf-8''%C3%9Cbersicht.txt\n\nx\n"},
		"deceiving file name": {"Content-Type: application/pdf; name=\"../a.pdf\"\nContent-Disposition: attachment; filename=\"=?utf-8?q?in=E2=80=AEfdp.exe?=\"\n\nx\n",
			"Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: 7bit\nContent-Disposition: attachment; filename=infdp.exe\n\nx\n"},
		"broken file name": {"Content-Type: text/plain\nContent-Disposition: attachment; filename*=utf-8''a%E9.txt\n\nx\n",
			"Content-Type: text/plain\nContent-Transfer-Encoding: 7bit\nContent-Disposition: attachment; filename=a.txt\n\nx\n"},
		"malformed type": {"Content-Type: application/pdf; name=two words.pdf\n\nx\n",
			"Content-Type: application/pdf; name=two words.pdf\nContent-Transfer-Encoding: 7bit\n\nx\n"},
		"uuencoded": {"Content-Transfer-Encoding: X-UUencode\n\nx\n", "Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\nx\n"},
		"forwarded": {"Content-Type: message/rfc822\n\nSubject: a\nBcc: b@c\n\nx\n", "Content-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: a\nBcc: b@c\n\nx\n"},
		"8-bit forwarded": {"Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: é\n\nx\n",
			"Content-Type: application/octet-stream; name=message.eml\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogw6kNCg0KeA0K\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := lf(entityOf(t, tt.raw)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// wrapQP breaks a line of ASCII as quoted-printable.
func wrapQP(s string) string {
	var b strings.Builder
	for len(s) > 75 {
		b.WriteString(s[:75] + "=\n")
		s = s[75:]
	}
	return b.String() + s
}

const structured = `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="out er"; x=y
Content-Description: Visit

This preamble is seen by nobody.
--out er
Content-Type: multipart/alternative; boundary=outer-inner

--outer-inner
Content-Type: text/plain; charset=utf-8

Besuch am Montag, Grüße
--outer-innermost is not a delimiter
--outer-inner
Content-Type: text/calendar; method=REQUEST; charset=utf-8
Bcc: hidden@home.example
X-Part: kept

BEGIN:VCALENDAR
--outer-inner--
epilogue
--out er` + "\t \n" + `
part without a header
--out er
Content-Type: multipart/digest; boundary=d

--d

Subject: attached

x
--d--

--out er
--out er--
and nothing here counts
`

func TestStructureIsKept(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{structured, crlf(structured)} {
		p := parse(t, raw)
		if p.Entity.Protected() {
			t.Error("protected")
		}
		out := render(t, rebuild(p))
		want := []leaf{
			{path: "mixed/alternative", mediaType: "text/plain", content: "Besuch am Montag, Grüße\r\n--outer-innermost is not a delimiter"},
			{path: "mixed/alternative", mediaType: "text/calendar", content: "BEGIN:VCALENDAR"},
			{path: "mixed", mediaType: "text/plain", content: "part without a header"},
			{path: "mixed/digest", mediaType: "message/rfc822", content: "Subject: attached\r\n\r\nx"},
			{path: "mixed", mediaType: "text/plain"},
		}
		if got := readLeaves(t, out); !slices.Equal(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
		for _, s := range []string{"seen by nobody", "counts", "epilogue", "hidden@", "out er"} {
			if strings.Contains(out, s) {
				t.Errorf("%q is still in\n%s", s, out)
			}
		}
		for _, s := range []string{"X-Part: kept", "Content-Description: Visit", "x=y"} {
			if !strings.Contains(out, s) {
				t.Errorf("no %q in\n%s", s, out)
			}
		}
		text, html, files := p.Entity.Content()
		if text != "Besuch am Montag, Grüße\r\n--outer-innermost is not a delimiter\npart without a header\n" || html != "" {
			t.Errorf("content %q, %q", text, html)
		}
		if len(files) != 2 || files[0].ContentType != "text/calendar" || files[1].ContentType != "message/rfc822" {
			t.Errorf("%d files", len(files))
		}
	}
}

func TestContentIsDecoded(t *testing.T) {
	t.Parallel()
	p := parse(t, crlf(`Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--b
Content-Type: text/html; charset=windows-1252
Content-Transfer-Encoding: base64

PHA+
 gA==
--b
Content-Type: text/plain; charset=utf-8; name=a.txt
Content-Transfer-Encoding: base64

w6k=
--b
Content-Type: text/csv; charset=iso-2022-jp
Content-Disposition: attachment; filename*=utf-8''%C3%A9.csv

`+"\x1b$B=IGq\x1b(B"+`
--b
Content-Type: application/pdf
Content-Transfer-Encoding: base64

JVBERg==
--b--
`))
	text, html, files := p.Entity.Content()
	if text != "Grüße" || html != "<p>€" {
		t.Errorf("text %q, html %q", text, html)
	}
	want := []struct{ name, mediaType, content string }{
		{"a.txt", "text/plain", "é"}, {"é.csv", "text/csv", "宿泊"}, {"", "application/pdf", "%PDF"},
	}
	if len(files) != len(want) {
		t.Fatalf("%d files", len(files))
	}
	for i, f := range files {
		got := [3]string{f.Name, f.ContentType, readFile(t, f)}
		if got != [3]string{want[i].name, want[i].mediaType, want[i].content} {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
}

func readFile(tb testing.TB, f compose.Attachment) string {
	tb.Helper()
	r, err := f.Open()
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestTextThatNobodyCanReadIsAFileThatFails(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"unknown charset":  "Content-Type: text/plain; charset=x-" + canary + "\n\nx\n",
		"utf-7":            "Content-Type: text/html; charset=utf-7\n\n+ADw-\n",
		"replacement":      "Content-Type: text/plain; charset=iso-2022-kr\n\nx\n",
		"not the charset":  "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + canary + "=E9\n",
		"no charset":       "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=E9\n",
		"malformed type":   "Content-Type: text/plain; a b " + canary + "\n\nx\n",
		"broken base64":    "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + canary + "!\n",
		"unknown encoding": "Content-Type: text/plain\nContent-Transfer-Encoding: x-" + canary + "\n\nx\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, html, files := parse(t, raw).Entity.Content()
			if text != "" || html != "" || len(files) != 1 {
				t.Fatalf("text %q, html %q, %d files", text, html, len(files))
			}
			r, err := files[0].Open()
			if err == nil {
				_, err = io.ReadAll(r)
			}
			if !slices.Equal(faultsOf(err), []string{"entity"}) || strings.Contains(err.Error(), canary) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestTextBeyondTheBoundIsAFile(t *testing.T) {
	t.Parallel()
	half := strings.Repeat("ten bytes\n", 600_000)
	raw := "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + half + "\n--b\n\n" + half + half + "\n--b\n\nend\n--b--\n"
	text, _, files := parse(t, raw).Entity.Content()
	if !strings.HasSuffix(text, "end") || len(files) != 1 || len(text) > 16<<20 {
		t.Errorf("%d bytes of text, %d files", len(text), len(files))
	}
}
