package audit

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// encodeAll encodes e as a Log does: stamp and rest.
func encodeAll(t *testing.T, e *Event) []byte {
	t.Helper()
	at, err := time.Parse(timeLayout, e.Time)
	if err != nil {
		t.Fatal(err)
	}
	s := stamp{version: e.Version, time: at, clockBack: e.ClockBack, run: e.Run, library: e.Library}
	return appendRest(appendStamp(nil, e.Kind, &s), e)
}

// full returns an event with every field set, by seed.
func full(text string, number int64) Event {
	var e Event
	v := reflect.ValueOf(&e).Elem()
	for _, f := range v.Fields() {
		switch f.Kind() {
		case reflect.String:
			f.SetString(text)
		case reflect.Int, reflect.Int64:
			f.SetInt(number)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{text, "", text}))
		}
	}
	e.Time = "2026-01-02T03:04:05.000006Z"
	return e
}

func TestEncoderWritesWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	texts := []string{
		"plain", "", "quote\" back\\slash", "<a href='x'>&amp;</a>", "line\nfeed\ttab\r\x00\x1f\x7f",
		"Grüße, 東京", "sep\u2028\u2029", "bad\xff\xfeutf8", "\U0001F600", strings.Repeat("é", 300),
	}
	events := []Event{{Time: "2026-01-02T03:04:05.000006Z"}}
	for _, text := range texts {
		events = append(events, full(text, 1), full(text, math.MinInt64), full(text, math.MaxInt64))
	}
	// Each field alone, so that none hides behind another.
	for i := range reflect.TypeFor[Event]().NumField() {
		e, all := Event{}, full("one", 7)
		reflect.ValueOf(&e).Elem().Field(i).Set(reflect.ValueOf(all).Field(i))
		e.Time = all.Time
		events = append(events, e)
	}
	for i := range events {
		want, err := json.Marshal(&events[i])
		if err != nil {
			t.Fatal(err)
		}
		if got := encodeAll(t, &events[i]); string(got) != string(want) {
			t.Errorf("event %d:\n got %s\nwant %s", i, got, want)
		}
	}
}

func TestDecoderKnowsEveryFieldInItsPlace(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[Event]()
	var e Event
	v := reflect.ValueOf(&e).Elem()
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		target, place := e.field([]byte(name))
		if target == nil || place != i || reflect.ValueOf(target).Pointer() != v.Field(i).Addr().Pointer() {
			t.Errorf("%s: the decoder has it at %d, want %d", name, place, i)
		}
	}
	if target, _ := e.field([]byte("none")); target != nil {
		t.Error("an unknown name has a field")
	}
}

func TestDecoderReadsWhatTheEncoderWrites(t *testing.T) {
	t.Parallel()
	for _, want := range []Event{full("plain", 1), full("Grüße \"x\" \\ <&> \n", -5), full("x", math.MaxInt64)} {
		got, err := decodeEvent(encodeAll(t, &want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

func TestEventHoldsOnlyPrimitiveFields(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[Event]()
	names := map[string]bool{}
	for f := range typ.Fields() {
		ok := false
		switch f.Type.Kind() {
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
			ok = true
		case reflect.Slice:
			ok = f.Type.Elem().Kind() == reflect.String
		}
		if !ok {
			t.Errorf("%s is of type %s; the format holds string, bool, int, int64 and []string", f.Name, f.Type)
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || names[name] || strings.ToLower(name) != name {
			t.Errorf("%s: the JSON name %q is missing, double or not lower case", f.Name, name)
		}
		names[name] = true
	}
}

func BenchmarkEncode(b *testing.B) {
	e := full("0123456789abcdef", 4711)
	s := stamp{version: 1, time: time.Now(), run: e.Run}
	buf := make([]byte, 0, 8<<10)
	b.Run("appender", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = appendRest(appendStamp(buf[:0], e.Kind, &s), &e)
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&e); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	e := full("0123456789abcdef", 4711)
	raw, err := json.Marshal(&e)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decoder", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeEvent(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e Event
			if err := json.Unmarshal(raw, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
