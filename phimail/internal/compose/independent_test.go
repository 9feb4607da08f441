package compose_test

import (
	"bytes"
	"encoding/json"
	"net/mail"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

// reader is Python's e-mail package, an implementation of its own. It prints
// what it finds, and every defect.
const reader = `
import email, email.policy, json, sys
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
defects = []
def look(p):
    defects.extend(type(d).__name__ for d in p.defects)
    for k, v in p.items():
        defects.extend(k + ": " + type(d).__name__ for d in getattr(v, "defects", ()))
leaves = []
for p in m.walk():
    look(p)
    if not p.is_multipart():
        c = p.get_content()
        leaves.append({"type": p.get_content_type(), "disposition": p.get_content_disposition() or "",
                       "name": p.get_filename() or "",
                       "content": c if isinstance(c, str) else bytes(c).decode("latin-1")})
def addrs(name):
    return [[a.display_name, a.addr_spec] for a in m[name].addresses] if m[name] is not None else []
print(json.dumps({"defects": defects, "subject": str(m["subject"]), "to": addrs("to"), "from": addrs("from"), "leaves": leaves}))
`

type found struct {
	Defects []string    `json:"defects"`
	Subject string      `json:"subject"`
	From    [][2]string `json:"from"`
	To      [][2]string `json:"to"`
	Leaves  []struct {
		Type        string `json:"type"`
		Disposition string `json:"disposition"`
		Name        string `json:"name"`
		Content     string `json:"content"`
	} `json:"leaves"`
}

func readIndependently(tb testing.TB, raw string) found {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), lookPeer(tb, "python3"), "-c", reader)
	cmd.Stdin = strings.NewReader(raw)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("python3: %v\n%s", err, stderr.Bytes())
	}
	var f found
	if err := json.Unmarshal(out, &f); err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestAnotherImplementationReadsTheSame(t *testing.T) {
	t.Parallel()
	image := attachment("logo ü.png", "\x89PNG\r\n\n")
	image.ContentID = "logo@clinic.example"
	m := message()
	m.From.Name = "Riverside Clinic, Dr. O'Neill"
	m.To = []mail.Address{
		{Name: "Zoë \"Z\" <z>, König", Address: "z@home.example"},
		// One encoded word: this reader puts a space between two in a name,
		// against RFC 2047 section 6.2.
		{Name: "患者様のお名前", Address: "kanja@bücher.example"},
		{Address: `"a b"@home.example`},
	}
	m.Subject = strings.Repeat("Ihr Termin für die Nachuntersuchung 予約 (wichtig!) ", 4) + "=?x?="
	m.Text = "Grüße,\nFrom here\n.\ntrailing \n" + strings.Repeat("wörter ", 50)
	m.HTML = "<p>" + strings.Repeat("予約のお知らせ ", 30) + "</p>"
	m.Attachments = []compose.Attachment{image,
		attachment("検査結果 2026-03-02 – Zusammenfassung.pdf", strings.Repeat("%PDF\x00\xff\r\n", 99)),
		attachment("notes.txt", "one\ntwo\r\nend"), attachment("forwarded.eml", "Subject: a\n\nb")}
	m.Header = []compose.Field{{Name: "List-Unsubscribe", Value: "<https://clinic.example/" + strings.Repeat("u", 90) + ">"},
		{Name: "X-Note", Value: "Übersicht"}}

	got := readIndependently(t, render(t, m))
	if len(got.Defects) > 0 {
		t.Errorf("defects: %q", got.Defects)
	}
	if got.Subject != m.Subject {
		t.Errorf("subject %q", got.Subject)
	}
	wantTo := [][2]string{{m.To[0].Name, "z@home.example"}, {m.To[1].Name, "kanja@xn--bcher-kva.example"}, {"", `"a b"@home.example`}}
	if !slices.Equal(got.To, wantTo) || got.From[0][0] != m.From.Name {
		t.Errorf("from %q, to %q", got.From, got.To)
	}
	want := []leaf{
		{mediaType: "text/plain", content: m.Text},
		{mediaType: "text/html", content: m.HTML},
		{mediaType: "image/png", disposition: "inline", fileName: "logo ü.png", content: "\u0089PNG\r\n\n"},
		{mediaType: "application/pdf", disposition: "attachment", fileName: "検査結果 2026-03-02 – Zusammenfassung.pdf", content: strings.Repeat("%PDF\x00ÿ\r\n", 99)},
		{mediaType: "text/plain", disposition: "attachment", fileName: "notes.txt", content: "one\ntwo\r\nend"},
		{mediaType: "application/octet-stream", disposition: "attachment", fileName: "forwarded.eml", content: "Subject: a\n\nb"},
	}
	if len(got.Leaves) != len(want) {
		t.Fatalf("%d parts", len(got.Leaves))
	}
	for i, l := range got.Leaves {
		content := l.Content
		if i < 2 {
			content = lf(content)
		}
		if (leaf{mediaType: l.Type, disposition: l.Disposition, fileName: l.Name, content: content}) != want[i] {
			t.Errorf("part %d: got %+v, want %+v", i, l, want[i])
		}
	}
}

func TestAnotherImplementationReadsARebuiltMessage(t *testing.T) {
	t.Parallel()
	p := parse(t, "From: a@b.example\nTo: c@d.example\nSubject: Grüße\n"+structured)
	got := readIndependently(t, render(t, rebuild(p)))
	if len(got.Defects) > 0 || got.Subject != "Grüße" || len(got.Leaves) != 5 {
		t.Errorf("got %+v", got)
	}
}
