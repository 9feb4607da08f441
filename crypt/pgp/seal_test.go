package pgp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/crypt/pgp/pgptest"
)

func fields(err error) []string {
	var list []string
	var walk func(error)
	walk = func(err error) {
		if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree itself is wanted
			for _, e := range many.Unwrap() {
				walk(e)
			}
		} else if f, ok := errors.AsType[*pgp.FieldError](err); ok {
			list = append(list, f.Field)
		}
	}
	walk(err)
	return list
}

func TestAFaultyConfigurationIsListed(t *testing.T) {
	t.Parallel()
	_, err := pgp.New(pgp.Config{
		RequireFIPS: true,
		Forms:       []pgp.FormRule{{For: "a@b@", Form: pgp.AEAD}, {For: "x.example", Form: "rot13"}, {For: "X.example"}, {For: dana}, {For: dana}},
	})
	want := []string{"Forms[0].For", "Forms[1].Form", "Forms[2].For", "Forms[4].For", "Keys", "RequireFIPS"}
	if got := fields(err); !slices.Equal(got, want) || !errors.Is(err, crypt.ErrConfig) {
		t.Errorf("faults are %v", got)
	}
	if _, err := pgp.NewSigner(pgp.SignerConfig{}); !slices.Equal(fields(err), []string{"Keys"}) {
		t.Errorf("signer: %v", err)
	}
	if _, err := pgp.NewReader(pgp.ReaderConfig{MaxBytes: -1}); !slices.Equal(fields(err), []string{"MaxBytes"}) {
		t.Errorf("reader: %v", err)
	}
	if _, err := pgp.NewKeyFiles(pgp.KeyFilesConfig{}); !slices.Equal(fields(err), []string{"Paths"}) {
		t.Errorf("files: %v", err)
	}
}

func TestWhatIsSealedIsRead(t *testing.T) {
	t.Parallel()
	us := pgptest.New(pgptest.Curve25519, clinic, pgptest.Options{})
	us6 := pgptest.New(pgptest.V6, clinic, pgptest.Options{})
	rules := []pgp.FormRule{{For: "patient.example", Form: pgp.AEAD}}
	for _, c := range []struct {
		kind       pgptest.Kind
		o          pgptest.Options
		signer     *pgptest.Key
		container  string
		algorithms []string
	}{
		{pgptest.RSA2048, pgptest.Options{}, us, "openpgp-seipd-v1", []string{"aes-256-cfb", "rsa-2048", "ed25519", "sha-256"}},
		{pgptest.Curve25519, pgptest.Options{}, us, "openpgp-seipd-v1", []string{"aes-256-cfb", "ecdh-curve25519", "ed25519", "sha-256"}},
		{pgptest.P256, pgptest.Options{}, pgptest.New(pgptest.P384, clinic, pgptest.Options{}), "openpgp-seipd-v1", []string{"aes-256-cfb", "ecdh-p-256", "ecdsa-p-384", "sha-384"}},
		{pgptest.P384, pgptest.Options{}, nil, "openpgp-seipd-v1", []string{"aes-256-cfb", "ecdh-p-384"}},
		{pgptest.P256, pgptest.Options{AEAD: true}, us, "openpgp-seipd-v2", []string{"aes-256-ocb", "ecdh-p-256", "ed25519", "sha-256"}},
		{pgptest.V4MLKEM, pgptest.Options{}, us, "openpgp-seipd-v1", []string{"aes-256-cfb", "ml-kem-768-x25519", "ed25519", "sha-256"}},
		{pgptest.V6, pgptest.Options{}, us6, "openpgp-seipd-v2", []string{"aes-256-ocb", "x25519", "ed25519", "sha-256"}},
		{pgptest.V6MLKEM, pgptest.Options{}, us6, "openpgp-seipd-v2", []string{"aes-256-ocb", "ml-kem-768-x25519", "ed25519", "sha-256"}},
	} {
		k := pgptest.New(c.kind, dana, c.o)
		cfg := pgp.Config{Keys: having(k), Forms: rules}
		var senders []*pgptest.Key
		if c.signer != nil {
			cfg.Signer, senders = pgp.PrivateKeys{c.signer.Private()}, append(senders, c.signer)
		}
		s := newSealer(t, cfg)
		out, sealed := seal(t, s, job(t, s, text, dana))
		e := &sealed.Evidence
		if e.Container != c.container || !slices.Equal(e.Algorithms, c.algorithms) || e.KeySource != "test" || !slices.Equal(e.Fingerprints, []string{k.Fingerprint()}) ||
			(e.Signed == "none") != (c.signer == nil) || c.signer != nil && !strings.HasSuffix(e.Signed, ":"+c.signer.Fingerprint()) {
			t.Errorf("%s: %+v", c.kind, e)
		}
		opened, err := readerOf(t, k, senders...).Read(t.Context(), bytes.NewReader(out))
		if err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		if opened.Container != c.container || !bytes.HasSuffix(opened.Entity, []byte("\r\n\r\n"+textBody)) || opened.SignedBy(address(clinic)) != (c.signer != nil) || opened.SignedBy(address(dana)) {
			t.Errorf("%s: %v", c.kind, opened)
		}
		if opened.Protected == nil || opened.Protected.Protection != crypt.Encrypted || opened.Protected.Fields[2].Value != subject {
			t.Errorf("%s: the subject is not protected", c.kind)
		}
	}
}

func TestTheSealedEntityIsPGPMIME(t *testing.T) {
	t.Parallel()
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	s := newSealer(t, pgp.Config{Keys: having(k)})
	out, _ := seal(t, s, job(t, s, text, dana))
	for _, want := range []string{
		"MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"",
		"\r\nContent-Type: application/pgp-encrypted\r\n", "\r\n\r\nVersion: 1\r\n", "\r\nContent-Type: application/octet-stream;",
		"\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\n", "\r\n-----END PGP MESSAGE-----\r\n", "--\r\n",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%q is missing", want)
		}
	}
	if bytes.Count(out, []byte("\n")) != bytes.Count(out, []byte("\r\n")) || bytes.Count(out, []byte("\r")) != bytes.Count(out, []byte("\n")) {
		t.Error("a line does not end with CRLF")
	}
	lines := strings.Split(string(out), "\r\n")
	checksum := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "=") })
	if checksum < 0 || len(lines[checksum]) != 5 || lines[checksum+1] != "-----END PGP MESSAGE-----" || len(lines[checksum-2]) != 64 {
		t.Error("no checksum where it belongs, or another line length")
	}
	for i := range out {
		if out[i] >= 0x80 {
			t.Fatal("a byte is not ASCII")
		}
	}
}

// variants are ways in which a text could stand in a sealed message.
func variants(s string) map[string][]byte {
	v := map[string][]byte{"raw": []byte(s)}
	for i := range 3 {
		e := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", i) + s))
		v["base64"+string(rune('0'+i))] = []byte(e[4 : len(e)-4]) // the ends depend on what is around
	}
	var qp strings.Builder
	for _, b := range []byte(s) {
		const digits = "0123456789ABCDEF"
		qp.Write([]byte{'=', digits[b>>4], digits[b&15]})
	}
	v["quoted-printable"] = []byte(qp.String())
	var le, be []byte
	for _, u := range utf16.Encode([]rune(s)) {
		le, be = append(le, byte(u), byte(u>>8)), append(be, byte(u>>8), byte(u))
	}
	v["UTF-16LE"], v["UTF-16BE"] = le, be
	return v
}

func TestNoWordOfTheMessageIsInTheSealedBytes(t *testing.T) {
	t.Parallel()
	k := pgptest.New(pgptest.Curve25519, dana, pgptest.Options{})
	s := newSealer(t, pgp.Config{Keys: having(k), Signer: pgp.PrivateKeys{pgptest.New(pgptest.P256, clinic, pgptest.Options{}).Private()}})
	out, _ := seal(t, s, job(t, s, text, dana))
	message := strings.ReplaceAll(string(out), "\r\n", "") // words could cross lines
	binary, err := base64.StdEncoding.DecodeString(armorBody(t, out))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"colonoscopy on Friday", "midnight. Bis Freitag", "gr\u00fc\u00dfe!", clinic + ">", "text/plain"} {
		for name, v := range variants(word) {
			if strings.Contains(message, string(v)) || bytes.Contains(out, v) || bytes.Contains(binary, v) {
				t.Errorf("%q is there as %s", word, name)
			}
		}
	}
	if !strings.Contains(message, string(variants("Version: 1")["raw"])) {
		t.Error("the search finds nothing")
	}
}

func armorBody(t *testing.T, out []byte) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(out), "BEGIN PGP MESSAGE-----\r\n\r\n")
	body, _, found := strings.Cut(rest, "\r\n=")
	if !ok || !found {
		t.Fatal("no armor")
	}
	return strings.ReplaceAll(body, "\r\n", "")
}

func TestRecipientsWithOtherFormsShareNoMessage(t *testing.T) {
	t.Parallel()
	a, b := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.V4MLKEM, lee, pgptest.Options{})
	s := newSealer(t, pgp.Config{Keys: having(a, b)})
	if _, err := s.Seal(t.Context(), io.Discard, job(t, s, text, dana, lee)); !errors.Is(err, crypt.ErrUnsupported) {
		t.Error(err)
	}
}

func TestThreeRecipientsReadOneMessage(t *testing.T) {
	t.Parallel()
	keys := []*pgptest.Key{
		pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.RSA2048, lee, pgptest.Options{}), pgptest.New(pgptest.Curve25519, kim, pgptest.Options{}),
	}
	s := newSealer(t, pgp.Config{Keys: having(keys...)})
	out, _ := seal(t, s, job(t, s, text, dana, lee, kim))
	for i, k := range keys {
		if _, err := readerOf(t, k).Read(t.Context(), bytes.NewReader(out)); err != nil {
			t.Errorf("recipient %d: %v", i, err)
		}
	}
	other := pgptest.New(pgptest.P256, "eve@x.example", pgptest.Options{})
	if _, err := readerOf(t, other).Read(t.Context(), bytes.NewReader(out)); !errors.Is(err, crypt.ErrRecipient) {
		t.Errorf("another reads it: %v", err)
	}
}

func TestKeysAreCheckedAgainWhenSealing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := func() time.Time { return now }
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{Lifetime: 2 * time.Hour})
	s := newSealer(t, pgp.Config{Keys: having(k), Clock: clock})
	j := job(t, s, text, dana)
	other := newSealer(t, pgp.Config{Keys: having(k), Clock: clock}) // one that has not seen the key
	seal(t, other, j)
	for name, alter := range map[string]func(*crypt.Job){
		"no recipients":      func(j *crypt.Job) { j.To = nil },
		"another address":    func(j *crypt.Job) { j.To[0].Address = address(lee) },
		"another key":        func(j *crypt.Job) { j.To[0].Key.Fingerprint = strings.Repeat("0", 40) },
		"no key":             func(j *crypt.Job) { j.To[0].Key.Data = nil },
		"another form":       func(j *crypt.Job) { j.To[0].Key.Form = "openpgp-seipd-v2/aes-256-ocb" },
		"found, and no pins": func(j *crypt.Job) { j.To[0].Key.Discovered = true },
	} {
		bad := *j
		bad.To = slices.Clone(j.To)
		alter(&bad)
		var out bytes.Buffer
		if _, err := s.Seal(t.Context(), &out, &bad); !errors.Is(err, crypt.ErrNoKey) || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, out.Len())
		}
	}
	now = now.Add(3 * time.Hour)
	if _, err := s.Seal(t.Context(), io.Discard, j); !errors.Is(err, crypt.ErrExpired) {
		t.Errorf("after it expired: %v", err)
	}
}

func TestFailuresOfOthersAreNotTheKeys(t *testing.T) {
	t.Parallel()
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	signer := pgp.PrivateKeys{pgptest.New(pgptest.P256, clinic, pgptest.Options{}).Private()}
	s := newSealer(t, pgp.Config{Keys: having(k), Signer: signer})
	for name, c := range map[string]struct {
		alter func(*crypt.Job)
		w     io.Writer
		want  crypt.Reason
	}{
		"the writer":          {func(*crypt.Job) {}, failing{}, crypt.ErrWrite},
		"no entity":           {func(j *crypt.Job) { j.Entity = nil }, io.Discard, crypt.ErrEntity},
		"an entity that ends": {func(j *crypt.Job) { j.Size += 5 }, io.Discard, crypt.ErrEntity},
		"an entity that fails": {func(j *crypt.Job) {
			j.Entity = func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("dana")))), nil
			}
		}, io.Discard, crypt.ErrEntity},
		"another sender": {func(j *crypt.Job) { j.From = address(lee) }, io.Discard, crypt.ErrSigner},
	} {
		j := job(t, s, text, dana)
		c.alter(j)
		if _, err := s.Seal(t.Context(), c.w, j); !errors.Is(err, c.want) || strings.Contains(err.Error(), "dana") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	j := job(t, s, text, dana)
	cancel()
	if _, err := s.Seal(ctx, io.Discard, j); !errors.Is(err, crypt.ErrCanceled) {
		t.Errorf("canceled: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("dana") }

func TestTheSignerHasToBeOneForTheSender(t *testing.T) {
	t.Parallel()
	long := time.Now().Add(-30 * 24 * time.Hour)
	k := pgptest.New(pgptest.P256, dana, pgptest.Options{})
	for name, c := range map[string]struct {
		key  *pgptest.Key
		good bool
	}{
		"fit":          {pgptest.New(pgptest.P256, clinic, pgptest.Options{}), true},
		"signs only":   {pgptest.New(pgptest.P256, clinic, pgptest.Options{SignOnly: true}), true},
		"of another":   {pgptest.New(pgptest.P256, dana, pgptest.Options{}), false},
		"expired":      {pgptest.New(pgptest.P256, clinic, pgptest.Options{Made: long, Lifetime: time.Hour}), false},
		"revoked":      {pgptest.New(pgptest.P256, clinic, pgptest.Options{Revoked: true}), false},
		"too short":    {pgptest.New(pgptest.RSA1024, clinic, pgptest.Options{}), false},
		"of version 6": {pgptest.New(pgptest.V6, clinic, pgptest.Options{}), false},
	} {
		s := newSealer(t, pgp.Config{Keys: having(k), Signer: pgp.PrivateKeys{c.key.Private()}})
		_, err := s.Find(t.Context(), address(clinic), address(dana))
		if c.good != (err == nil) || !c.good && !errors.Is(err, crypt.ErrSigner) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pinned is a crypt.Pins in memory.
type pinned map[string]string

func (p pinned) Pinned(_ context.Context, mode string, a mail.Address) (string, error) {
	return p[mode+" "+a.Address], nil
}

func (p pinned) Pin(_ context.Context, mode string, a mail.Address, key *crypt.Key) error {
	if is := p[mode+" "+a.Address]; is != "" && is != key.Pinned && is != key.Fingerprint {
		return crypt.ErrChanged
	}
	p[mode+" "+a.Address] = key.Fingerprint
	return nil
}

func TestADiscoveredKeyIsPinnedWhenItIsUsed(t *testing.T) {
	t.Parallel()
	first, second := pgptest.New(pgptest.P256, dana, pgptest.Options{}), pgptest.New(pgptest.P256, dana, pgptest.Options{})
	current := first
	source := pgp.KeySourceFunc(func(context.Context, mail.Address) ([]pgp.Candidate, error) {
		return []pgp.Candidate{{Key: current.Public(), Source: "wkd", Discovered: true}}, nil
	})
	pins := pinned{}
	s := newSealer(t, pgp.Config{Keys: source, Pins: pins})
	j := job(t, s, text, dana)
	if len(pins) > 0 || j.To[0].Key.Changed() || !j.To[0].Key.Discovered {
		t.Error("looking pins")
	}
	_, sealed := seal(t, s, j)
	if pins["pgp "+dana] != first.Fingerprint() || sealed.Evidence.KeySource != "wkd" {
		t.Error("using does not pin")
	}
	current = second
	changed := job(t, s, text, dana)
	if key := changed.To[0].Key; !key.Changed() || key.Pinned != first.Fingerprint() {
		t.Error("a change is not seen")
	}
	if seal(t, s, changed); pins["pgp "+dana] != second.Fingerprint() {
		t.Error("a change that was accepted is not pinned")
	}
	if _, err := s.Seal(t.Context(), io.Discard, j); err == nil || !errors.Is(err, crypt.ErrNoKey) {
		t.Errorf("a plan from before the change: %v", err)
	}
	if _, err := newSealer(t, pgp.Config{Keys: source}).Find(t.Context(), address(clinic), address(dana)); !errors.Is(err, crypt.ErrUnproven) {
		t.Errorf("without pins: %v", err)
	}
}
