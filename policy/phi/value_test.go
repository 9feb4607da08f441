package phi_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/policy/phi"
)

const marker = "Marker4711"

type patient struct {
	Name   phi.Value
	inner  phi.Value
	Others []phi.Value
	ByID   map[string]phi.Value
	Any    any
	Ptr    *phi.Value
}

func everywhere() patient {
	v := phi.Name(marker)
	return patient{Name: v, inner: v, Others: []phi.Value{v}, ByID: map[string]phi.Value{"a": v}, Any: v, Ptr: &v}
}

func TestValuesShowNothing(t *testing.T) {
	t.Parallel()
	p := everywhere()
	for _, v := range []any{p.Name, &p.Name, p, &p, p.Others, p.ByID, []any{p}, errors.Join(fmt.Errorf("no bed for %v", p.Name))} {
		for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %X %d %t %p %T %c %U %e %b %o") {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, marker) || strings.Contains(strings.ToLower(s), fmt.Sprintf("%x", marker)) {
				t.Errorf("%T shows %s by %s", v, s, verb)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		out, err := json.Marshal(v)
		if s := log.String() + string(out); err != nil || strings.Contains(s, marker) {
			t.Errorf("%T: %s, %v", v, s, err)
		}
	}
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(struct{ Name phi.Value }{p.Name}); err != nil {
		t.Error(err)
	}
	if err := xml.NewEncoder(&out).Encode(p.Name); err != nil { //nolint:staticcheck // it has MarshalText
		t.Error(err)
	}
	yaml, err := p.Name.MarshalYAML()
	if s := out.String() + fmt.Sprint(yaml, err); strings.Contains(s, marker) || strings.Count(s, phi.Redacted) != 3 {
		t.Error(s)
	}
	if json.Unmarshal([]byte(`"x"`), &p.Name) == nil { //nolint:staticcheck // decoding is refused
		t.Error("a Value was decoded")
	}
	if got := fmt.Sprintf("%v %s %#v", p.Name, p.Name.String(), p.Name); got != "[PHI] [PHI] [PHI]" {
		t.Error(got)
	}
}

// The runtime prints what a program panics with to standard error.
func TestPanicShowsNothing(t *testing.T) {
	t.Parallel()
	switch os.Getenv("PHI_PANIC") {
	case "value":
		panic(phi.Name(marker))
	case "struct":
		panic(everywhere())
	case "pointer":
		v := phi.Name(marker)
		panic(&v)
	case "error":
		panic(fmt.Errorf("no bed for %v", phi.Name(marker)))
	}
	for _, how := range []string{"value", "struct", "pointer", "error"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicShowsNothing$")
		cmd.Env = append(os.Environ(), "PHI_PANIC="+how, "GOTRACEBACK=all")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic: ") || strings.Contains(string(out), marker) {
			t.Errorf("%s: %v\n%s", how, err, out)
		}
	}
}

func TestRevealReturnsTheText(t *testing.T) {
	t.Parallel()
	day := time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		value      phi.Value
		text, kind string
	}{
		{phi.String("x"), "x", "OTHER_ID"}, {phi.Name("Ada"), "Ada", "NAME"}, {phi.MRN("1"), "1", "MRN"}, {phi.Phone("2"), "2", "PHONE"},
		{phi.Account("3"), "3", "ACCOUNT"}, {phi.Date(day, "2006-01-02"), "1970-01-02", "DATE"}, {phi.Of("SSN", "4"), "4", "SSN"},
		{phi.Of("no kind", "5"), "5", "OTHER_ID"}, {phi.Value{}, "", ""}, {phi.Name(""), "", ""}, {phi.Date(time.Time{}, "2006"), "", ""},
	} {
		if phi.Reveal(c.value) != c.text || c.value.Kind() != c.kind || c.value.IsZero() != (c.text == "") {
			t.Errorf("%q of kind %q, want %q of %q", phi.Reveal(c.value), c.value.Kind(), c.text, c.kind)
		}
	}
	if !phi.Name("a").Equal(phi.Name("a")) || phi.Name("a").Equal(phi.Name("b")) || phi.Name("a").Equal(phi.MRN("a")) || !(phi.Value{}).Equal(phi.Name("")) {
		t.Error("Equal")
	}
}

func ExampleValue() {
	name := phi.Name("Ada Day")
	fmt.Printf("%v %+v %#v %q\n", name, name, struct{ Name phi.Value }{name}, name)
	fmt.Println(phi.Reveal(name), name.Kind())
	// Output:
	// [PHI] [PHI] struct { Name phi.Value }{Name:[PHI]} [PHI]
	// Ada Day NAME
}
