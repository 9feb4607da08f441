package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/phimail/sdk/audit"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenEvent has every field set.
func goldenEvent() audit.Event {
	return audit.Event{
		Version: 1, Kind: audit.KindOutcome, Time: "2026-01-02T03:04:05.000006Z", ClockBack: 12,
		Run: "00112233445566778899aabbccddeeff", Library: "phimail v0.1.0",
		Attempt: "ffeeddccbbaa99887766554433221100", Item: 3,
		Tenant: "riverside", Actor: "svc-scheduler", Role: "system", OnBehalfOf: "dr-17",
		Patients: []string{"0a1b2c3d4e5f60718293a4b5c6d7e8f9"}, Purpose: "treatment", Stream: "transactional", Label: "reminder-24h",
		MessageID: "c0ffee@clinic.example",
		Sender:    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", SenderDomain: "clinic.example",
		Recipient: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", RecipientDomain: "patient.example",
		Digest: strings.Repeat("9f", 32), Size: 2311,
		PHI: true, Categories: []string{"42-cfr-2"}, Classification: []string{"name", "date"},
		Decision: "protect", Rules: []string{"hipaa/default", "state/ny"},
		PolicyDigest: strings.Repeat("01", 32), ConfigDigest: strings.Repeat("23", 32),
		Mode: "tls", Need: "attested", Assurance: "recipient", Container: "enveloped-data",
		Algorithms: []string{"aes-256-cbc", "rsa-pkcs1"}, Fingerprints: []string{strings.Repeat("45", 32)},
		KeySource: "file", Factor: "passcode", Signed: "none", DKIM: []string{"clinic.example/s1/rsa-sha256"}, FIPS: true,
		Transport: "smtp", Provider: "relay", Agreement: "BAA-2026-004",
		TLSPeer: "relay.example", TLSVersion: "TLS 1.3", TLSSuite: "TLS_AES_128_GCM_SHA256", TLSCurve: "X25519MLKEM768",
		TLSSPKI: strings.Repeat("67", 32), TLSIssuerSPKI: strings.Repeat("89", 32), TLSVerified: "pkix", RequireTLS: true,
		Status: "accepted", Reason: "reply", Stage: "commit", Code: 250, Enhanced: "2.0.0", Retryable: true,
		EscrowID: "e-1", Network: "192.0.2.0/24", RecordRef: "consent-9", Count: 17,
		ProvenBy: "dane", TLSA: []string{"3 1 1 0b9fa5a59eed715c"}, STSID: "20160831085700Z", STSMode: "enforce", STSAge: 3600, STSMaxAge: 604800,
	}
}

// TestFormatIsPinned holds the persisted format to a file. A change here is a
// change of the format: later versions only add.
func TestFormatIsPinned(t *testing.T) {
	t.Parallel()
	e := goldenEvent()
	for i, v := 0, reflect.ValueOf(e); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the golden event leaves %s empty", v.Type().Field(i).Name)
		}
	}
	body, err := audit.EncodeBody(42, audit.Hash{0xab, 0xcd}, &e)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "record-v1.json")
	if *update {
		if err := os.WriteFile(path, append(body, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want = bytes.TrimSuffix(want, []byte("\n")); !bytes.Equal(body, want) {
		t.Errorf("the format has changed:\n got %s\nwant %s", body, want)
	}
	seq, prev, got, err := audit.DecodeBody(want)
	if err != nil || seq != 42 || prev != (audit.Hash{0xab, 0xcd}) || !reflect.DeepEqual(got, e) {
		t.Errorf("decoded %d %s %+v, error %v", seq, prev, got, err)
	}
	rec, err := audit.ParseRecord(want)
	if err != nil || rec.Seq != 42 || rec.Prev != prev || rec.Hash.String() != "0af248d7f79fe211b11f9cd2c3606a285a02ea032a2a93df9fc814454cd2a405" {
		t.Errorf("parsed %d %s %s, error %v", rec.Seq, rec.Prev, rec.Hash, err)
	}
}

const (
	zeros   = "0000000000000000000000000000000000000000000000000000000000000000"
	minimal = `"v":1,"kind":"run","time":"2026-01-02T03:04:05.000006Z","run":"r"`
)

func frame(seq, prev, event string) string {
	return `{"seq":` + seq + `,"prev":"` + prev + `","event":` + event + `}`
}

func TestDecodeBodyTakesWhatALaterVersionAdds(t *testing.T) {
	t.Parallel()
	for _, event := range []string{
		`{` + minimal + `}`,
		`{` + minimal + `,"fips":false,"new_text":"x\"]","new_number":-1.5e3,"new_flag":true,"new_list":["a","b"]}`,
		`{"new_first":0,` + minimal + `}`,
		`{"v":2,"kind":"later","time":"t","run":""}`,
	} {
		if _, _, _, err := audit.DecodeBody([]byte(frame("7", zeros, event))); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
}

func TestDecodeBodyRefuses(t *testing.T) {
	t.Parallel()
	good := `{` + minimal + `}`
	long := strings.Repeat("x", audit.MaxBody)
	many := strings.Builder{}
	for i := range 300 {
		many.WriteString(`,"x` + strings.Repeat("y", i%50) + string(rune('a'+i%26)) + strings.Repeat("z", i/50) + `":1`)
	}
	for name, body := range map[string]string{
		"nothing":               "",
		"not an object":         "[]",
		"another order":         `{"prev":"` + zeros + `","seq":1,"event":` + good + `}`,
		"number zero":           frame("0", zeros, good),
		"leading zero":          frame("01", zeros, good),
		"negative number":       frame("-1", zeros, good),
		"number too large":      frame("18446744073709551616", zeros, good),
		"no number":             frame("", zeros, good),
		"number as text":        frame(`"1"`, zeros, good),
		"upper-case link":       frame("1", strings.Repeat("A", 64), good),
		"short link":            frame("1", zeros[1:], good),
		"long link":             frame("1", zeros+"0", good),
		"no event":              frame("1", zeros, ""),
		"event a list":          frame("1", zeros, "[]"),
		"event empty":           frame("1", zeros, "{}"),
		"cut short":             frame("1", zeros, good)[:len(frame("1", zeros, good))-1],
		"something after":       frame("1", zeros, good) + " ",
		"a second member":       frame("1", zeros, good+`,"x":1`),
		"space":                 frame("1", zeros, `{"v": 1,"kind":"run","time":"t","run":"r"}`),
		"line feed":             frame("1", zeros, "{\n"+minimal+"}"),
		"name twice":            frame("1", zeros, `{"v":1,"kind":"run","kind":"run","time":"t","run":"r"}`),
		"names out of order":    frame("1", zeros, `{"kind":"run","v":1,"time":"t","run":"r"}`),
		"unknown name twice":    frame("1", zeros, `{`+minimal+`,"x":1,"x":2}`),
		"name in another case":  frame("1", zeros, `{`+minimal+`,"Status":"accepted"}`),
		"name with an escape":   frame("1", zeros, `{`+minimal+`,"\u0073tatus":"accepted"}`),
		"empty name":            frame("1", zeros, `{`+minimal+`,"":1}`),
		"no version":            frame("1", zeros, `{"kind":"run","time":"t","run":"r"}`),
		"version zero":          frame("1", zeros, `{"v":0,"kind":"run","time":"t","run":"r"}`),
		"no kind":               frame("1", zeros, `{"v":1,"time":"t","run":"r"}`),
		"no time":               frame("1", zeros, `{"v":1,"kind":"run","run":"r"}`),
		"wrong type":            frame("1", zeros, `{`+minimal+`,"item":"1"}`),
		"float":                 frame("1", zeros, `{`+minimal+`,"item":1.0}`),
		"exponent":              frame("1", zeros, `{`+minimal+`,"item":1e3}`),
		"leading zero in value": frame("1", zeros, `{`+minimal+`,"item":01}`),
		"null":                  frame("1", zeros, `{`+minimal+`,"tenant":null}`),
		"unknown null":          frame("1", zeros, `{`+minimal+`,"x":null}`),
		"nested object":         frame("1", zeros, `{`+minimal+`,"x":{"y":1}}`),
		"nested list":           frame("1", zeros, `{`+minimal+`,"x":[["y"]]}`),
		"list of numbers":       frame("1", zeros, `{`+minimal+`,"x":[1]}`),
		"empty list":            frame("1", zeros, `{`+minimal+`,"rules":[]}`),
		"trailing comma":        frame("1", zeros, `{`+minimal+`,}`),
		"bad escape":            frame("1", zeros, `{`+minimal+`,"tenant":"\x"}`),
		"control character":     frame("1", zeros, "{"+minimal+",\"tenant\":\"a\x01\"}"),
		"not UTF-8":             frame("1", zeros, "{"+minimal+",\"tenant\":\"a\xff\"}"),
		"open string":           frame("1", zeros, `{`+minimal+`,"tenant":"a}`),
		"too many fields":       frame("1", zeros, `{`+minimal+many.String()+`}`),
		"too long":              frame("1", zeros, `{`+minimal+`,"tenant":"`+long+`"}`),
	} {
		_, _, _, err := audit.DecodeBody([]byte(body))
		if !errors.Is(err, audit.ErrMalformed) || !errors.Is(err, audit.ErrBroken) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestEncodeBodyRefuses(t *testing.T) {
	t.Parallel()
	e := goldenEvent()
	if _, err := audit.EncodeBody(0, audit.Hash{}, &e); !errors.Is(err, audit.ErrMalformed) {
		t.Errorf("number zero: %v", err)
	}
	e.Label = strings.Repeat("x", audit.MaxBody)
	if _, err := audit.EncodeBody(1, audit.Hash{}, &e); !errors.Is(err, audit.ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
}

func FuzzDecodeBody(f *testing.F) {
	e := goldenEvent()
	body, err := audit.EncodeBody(42, audit.Hash{1, 2, 3}, &e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(frame("1", zeros, `{`+minimal+`}`)))
	f.Add([]byte(frame("1", zeros, `{`+minimal+`,"new":[" "],"n":-1.5e3}`)))
	f.Add([]byte(frame("1", zeros, `{`+minimal+`,"tenant":"\ud800\u0000","fips":true}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		seq, prev, got, err := audit.DecodeBody(body)
		rec, parseErr := audit.ParseRecord(body)
		if err != nil {
			if !errors.Is(err, audit.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if parseErr != nil || rec.Seq != seq || rec.Prev != prev {
			t.Fatalf("ParseRecord disagrees: %d %v", rec.Seq, parseErr)
		}
		// What is taken must mean the same to encoding/json.
		var other struct {
			Seq   uint64      `json:"seq"`
			Prev  string      `json:"prev"`
			Event audit.Event `json:"event"`
		}
		if err := json.Unmarshal(body, &other); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if other.Seq != seq || other.Prev != prev.String() || !reflect.DeepEqual(other.Event, got) {
			t.Fatalf("encoding/json understands %+v, DecodeBody %+v", other, got)
		}
		again, err := audit.EncodeBody(seq, prev, &got)
		if err != nil {
			return // Escapes made it longer than a record may be.
		}
		if _, _, twice, err := audit.DecodeBody(again); err != nil || !reflect.DeepEqual(twice, got) {
			t.Fatalf("encoding what was decoded gives something else: %v", err)
		}
	})
}
