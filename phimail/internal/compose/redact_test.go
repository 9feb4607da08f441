package compose_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"testing"

	"github.com/phimail/sdk/phimail/internal/compose"
)

func TestNothingPrintsContent(t *testing.T) {
	t.Parallel()
	a := mail.Address{Name: canary, Address: canary + "@home.example"}
	file := attachment(canary, canary)
	field := compose.Field{Name: "X-A", Value: canary}
	m := compose.Message{From: a, To: []mail.Address{a}, Subject: canary, Text: canary, HTML: canary,
		Date: message().Date, MessageID: canary + "@x", Attachments: []compose.Attachment{file}, Header: []compose.Field{field}}
	r, err := compose.NewRendering(&m)
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, "From: "+canary+" <"+canary+"@home.example>\nSubject: "+canary+"\n\n"+canary+"\n")
	for _, v := range []any{m, &m, file, &file, field, &field, r, *r, p, *p, p.Entity, *p.Entity, []any{m, p}, map[string]any{"a": p.Entity}} {
		var out bytes.Buffer
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		if j, err := json.Marshal(v); err == nil {
			out.Write(j)
		}
		if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
			t.Errorf("%T prints %s", v, out.String())
		}
	}
}
