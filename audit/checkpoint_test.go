package audit_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/audit/audittest"
)

// checkpointKey is a fixed key of the tests.
func checkpointKey(n byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	public, _ := private.Public().(ed25519.PublicKey)
	return public, private
}

func sampleCheckpoint() audit.Checkpoint {
	return audit.Checkpoint{
		Origin: "clinic.example/audit", Head: audit.Head{Seq: 4711, Hash: audit.Hash{1, 2, 3}},
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// TestCheckpointFormIsPinned: checkpoints are kept for years, by others.
func TestCheckpointFormIsPinned(t *testing.T) {
	t.Parallel()
	public, private := checkpointKey(1)
	got, err := audit.SignCheckpoint(sampleCheckpoint(), private)
	if err != nil {
		t.Fatal(err)
	}
	const want = "clinic.example/audit\n4711\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\ntime 2026-01-02T03:04:05Z\n" +
		"\n\u2014 clinic.example/audit to6+S+RaRupZLBc2P2aDFlGea5DADgs9J446FEbitCIhCjY9SsagUXEqQNFCxeE/IG+rTlvMZKluEeU/rVmIhcieVAY=\n"
	if string(got) != want {
		t.Errorf("the form has changed:\n%q, want\n%q", got, want)
	}
	c, err := audit.ParseCheckpoint(got, public)
	if err != nil || *c != sampleCheckpoint() {
		t.Errorf("parsed %+v, error %v", c, err)
	}
}

// TestCheckpointIsASignedNote opens one with another implementation.
func TestCheckpointIsASignedNote(t *testing.T) {
	t.Parallel()
	public, private := checkpointKey(1)
	signed, err := audit.SignCheckpoint(sampleCheckpoint(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := note.NewEd25519VerifierKey("clinic.example/audit", public)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(verifier)); err != nil {
		t.Errorf("note.Open: %v", err)
	}
}

func TestCheckpointWithAWitnessParses(t *testing.T) {
	t.Parallel()
	public, private := checkpointKey(1)
	signed, err := audit.SignCheckpoint(sampleCheckpoint(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, open, err := note.GenerateKey(rand.Reader, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	witness, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	_ = open
	text, _, _ := strings.Cut(string(signed), "\n\n")
	cosigned, err := note.Sign(&note.Note{Text: text + "\n"}, witness)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(cosigned), "\n\n")
	if _, err := audit.ParseCheckpoint(append(signed, line...), public); err != nil {
		t.Errorf("with a witness's signature: %v", err)
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	t.Parallel()
	public, private := checkpointKey(1)
	other, _ := checkpointKey(2)
	signed, err := audit.SignCheckpoint(sampleCheckpoint(), private)
	if err != nil {
		t.Fatal(err)
	}
	// resign signs any text under the name of its first line.
	resign := func(text string) []byte {
		name, _, _ := strings.Cut(text, "\n")
		got, err := note.Sign(&note.Note{Text: text}, noteKey{name, public, private})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	const hash = "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	const zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	if _, err := audit.ParseCheckpoint(resign("o\n7\n"+hash+"\ntime 2026-01-02T03:04:05Z\nroot later\n"), public); err != nil {
		t.Errorf("a further extension line: %v", err)
	}
	for name, c := range map[string]struct {
		signed []byte
		key    ed25519.PublicKey
	}{
		"nothing":            {nil, public},
		"no line":            {[]byte("clinic.example/audit"), public},
		"no signature":       {[]byte(strings.Split(string(signed), "\u2014")[0]), public},
		"another key":        {signed, other},
		"short key":          {signed, public[:31]},
		"no key":             {signed, nil},
		"changed number":     {bytes.Replace(signed, []byte("4711"), []byte("4712"), 1), public},
		"changed origin":     {bytes.ReplaceAll(signed, []byte("clinic"), []byte("clinix")), public},
		"something after":    {append(bytes.Clone(signed), "x\n"...), public},
		"too large":          {append(bytes.Clone(signed), bytes.Repeat([]byte("\u2014 x AAAAAAAA\n"), 2000)...), public},
		"leading zero":       {resign("o\n07\n" + hash + "\ntime 2026-01-02T03:04:05Z\n"), public},
		"plus sign":          {resign("o\n+7\n" + hash + "\ntime 2026-01-02T03:04:05Z\n"), public},
		"no number":          {resign("o\n\n" + hash + "\ntime 2026-01-02T03:04:05Z\n"), public},
		"short hash":         {resign("o\n7\nAQID\ntime 2026-01-02T03:04:05Z\n"), public},
		"hash not base64":    {resign("o\n7\n!\ntime 2026-01-02T03:04:05Z\n"), public},
		"no time":            {resign("o\n7\n" + hash + "\nroot x\n"), public},
		"time not a time":    {resign("o\n7\n" + hash + "\ntime now\n"), public},
		"time with a zone":   {resign("o\n7\n" + hash + "\ntime 2026-01-02T03:04:05+01:00\n"), public},
		"too few lines":      {resign("o\n7\n" + hash + "\n"), public},
		"empty with a hash":  {resign("o\n0\n" + hash + "\ntime 2026-01-02T03:04:05Z\n"), public},
		"record, zero hash":  {resign("o\n7\n" + zero + "\ntime 2026-01-02T03:04:05Z\n"), public},
		"space in its lines": {resign("o\n7 \n" + hash + "\ntime 2026-01-02T03:04:05Z\n"), public},
	} {
		if got, err := audit.ParseCheckpoint(c.signed, c.key); !errors.Is(err, audit.ErrCheckpoint) || got != nil {
			t.Errorf("%s: %+v, error %v", name, got, err)
		}
	}
}

// noteKey signs notes with a plain key.
type noteKey struct {
	name    string
	public  ed25519.PublicKey
	private ed25519.PrivateKey
}

func (k noteKey) Name() string { return k.name }

func (k noteKey) KeyHash() uint32 {
	encoded, err := note.NewEd25519VerifierKey(k.name, k.public)
	if err != nil {
		return 0
	}
	v, err := note.NewVerifier(encoded)
	if err != nil {
		return 0
	}
	return v.KeyHash()
}

func (k noteKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.private, msg), nil }

// oddSigner is a signer that is not what it should be.
type oddSigner struct {
	public crypto.PublicKey
	sign   func(msg []byte) ([]byte, error)
}

func (s oddSigner) Public() crypto.PublicKey { return s.public }

func (s oddSigner) Sign(_ io.Reader, msg []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.sign(msg)
}

func TestSignCheckpointRefuses(t *testing.T) {
	t.Parallel()
	public, private := checkpointKey(1)
	_, other := checkpointKey(2)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sample := sampleCheckpoint()
	with := func(origin string) audit.Checkpoint { c := sample; c.Origin = origin; return c }
	for name, c := range map[string]struct {
		checkpoint audit.Checkpoint
		key        crypto.Signer
		want       error
	}{
		"no key":          {sample, nil, audit.ErrCheckpointKey},
		"ECDSA":           {sample, ec, audit.ErrCheckpointKey},
		"short key":       {sample, oddSigner{public[:3], nil}, audit.ErrCheckpointKey},
		"no origin":       {with(""), private, audit.ErrCheckpointKey},
		"origin, space":   {with("a b"), private, audit.ErrCheckpointKey},
		"origin, plus":    {with("a+b"), private, audit.ErrCheckpointKey},
		"origin, line":    {with("a\nb"), private, audit.ErrCheckpointKey},
		"origin, control": {with("a\x01b"), private, audit.ErrCheckpointKey},
		"origin, long":    {with(strings.Repeat("a", 300)), private, audit.ErrCheckpointKey},
		"signer fails":    {sample, oddSigner{public, func([]byte) ([]byte, error) { return nil, io.ErrUnexpectedEOF }}, io.ErrUnexpectedEOF},
		"another key signs": {sample, oddSigner{public, func(m []byte) ([]byte, error) {
			return ed25519.Sign(other, m), nil
		}}, audit.ErrCheckpoint},
		"a record without hash": {audit.Checkpoint{Origin: "o", Head: audit.Head{Seq: 3}, Time: sample.Time}, private, audit.ErrCheckpoint},
	} {
		if got, err := audit.SignCheckpoint(c.checkpoint, c.key); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %q, error %v", name, got, err)
		}
	}
}

func TestLogSignsItsHead(t *testing.T) {
	t.Parallel()
	public, private := checkpointKey(1)
	s := audittest.NewSink()
	cfg := config(s)
	cfg.Clock = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) }
	l := open(t, cfg)
	mustAppend(t, l, intent("a", 1))
	signed, err := l.Checkpoint(ctx, "clinic.example/audit", private)
	if err != nil {
		t.Fatal(err)
	}
	head, err := l.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c, err := audit.ParseCheckpoint(signed, public)
	if err != nil || c.Head != head || !c.Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v, error %v", c, err)
	}
	// It serves as what is known at the next start.
	cfg.Known = c.Head
	open(t, cfg)
}

func FuzzParseCheckpoint(f *testing.F) {
	public, private := checkpointKey(1)
	for _, c := range []audit.Checkpoint{sampleCheckpoint(), {Origin: "o"}} {
		signed, err := audit.SignCheckpoint(c, private)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(signed, false)
		text, _, _ := strings.Cut(string(signed), "\n\n")
		f.Add([]byte(text+"\n"), true)
	}
	f.Add([]byte("o\n7\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\ntime 2026-01-02T03:04:05Z\nx\n"), true)
	f.Fuzz(func(t *testing.T, in []byte, sign bool) {
		if sign { // Otherwise nothing gets past the signature.
			name, _, _ := strings.Cut(string(in), "\n")
			signed, err := note.Sign(&note.Note{Text: string(in)}, noteKey{name, public, private})
			if err != nil {
				return
			}
			in = signed
		}
		c, err := audit.ParseCheckpoint(in, public)
		if err != nil {
			if !errors.Is(err, audit.ErrCheckpoint) || c != nil {
				t.Fatalf("%+v, error %v", c, err)
			}
			return
		}
		again, err := audit.SignCheckpoint(*c, private)
		if err != nil {
			t.Fatalf("what was parsed can't be signed: %v", err)
		}
		if twice, err := audit.ParseCheckpoint(again, public); err != nil || *twice != *c {
			t.Fatalf("%+v became %+v, error %v", c, twice, err)
		}
	})
}
