package cms_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/cms"
)

func TestNoAlteredBitGivesOtherContent(t *testing.T) {
	t.Parallel()
	whom, content := everybody().p256, []byte("Your appointment is on Monday.")
	message := encrypt(t, content, cms.AES256GCM, to(cms.OAEP, whom)...)
	same := 0
	for i := range len(message) * 8 {
		altered := bytes.Clone(message)
		altered[i/8] ^= 1 << (i % 8)
		got, _, err := cms.Decrypt(altered, len(altered), []cms.Identity{whom})
		switch body := len(message) - len(content) - 18; {
		case err == nil && !bytes.Equal(got, content):
			t.Fatalf("bit %d: %q", i, got)
		case err == nil:
			same++
		case i/8 >= body && i/8 < body+len(content), i/8 >= len(message)-16:
			wantReason(t, err, crypt.ErrIntegrity)
		}
		if err != nil && got != nil {
			t.Fatalf("bit %d: content and an error", i)
		}
	}
	// The versions say nothing that a reader needs, nor does the name of a
	// cofactor that is one. 24 bits may differ at most.
	if same > 24 {
		t.Errorf("%d bits may be altered", same)
	}
}

func TestAnAlteredKeyIsNotToldFromAlteredContent(t *testing.T) {
	t.Parallel()
	p := everybody()
	for name, whom := range map[cms.Transport]cms.Identity{cms.PKCS1v15: p.rsa, cms.OAEP: p.rsa} {
		message := encrypt(t, []byte("content"), cms.AES256GCM, to(name, whom)...)
		key := bytes.Index(message, []byte{0x04, 0x82, 0x01, 0x00}) + 4
		for _, at := range []int{key + 255, key + 100, len(message) - 1, len(message) - 20} {
			altered := bytes.Clone(message)
			altered[at] ^= 1
			_, _, err := open(altered, whom)
			wantReason(t, err, crypt.ErrIntegrity)
		}
	}
}

func TestACutMessageIsRefused(t *testing.T) {
	t.Parallel()
	whom := everybody().p256
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		message := encrypt(t, []byte("content"), c, to(cms.OAEP, whom)...)
		for n := range message {
			_, _, err := open(message[:n], whom)
			wantReason(t, err, crypt.ErrMalformed)
		}
		_, _, err := open(append(message, 0), whom)
		wantReason(t, err, crypt.ErrMalformed)
		_, _, err = cms.Decrypt(message, len(message)-1, []cms.Identity{whom})
		wantReason(t, err, crypt.ErrTooLarge)
	}
}

func TestOtherAlgorithmsAreNotRead(t *testing.T) {
	t.Parallel()
	p := everybody()
	for _, tt := range []struct {
		name     string
		whom     cms.Identity
		c        cms.Cipher
		from, to string
		want     crypt.Reason
	}{
		{"signed data", p.p256, cms.AES256CBC, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", crypt.ErrAlgorithm},
		{"signed data inside", p.p256, cms.AES256CBC, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", crypt.ErrAlgorithm},
		{"AES-OFB", p.p256, cms.AES256CBC, "\x03\x04\x01\x2a", "\x03\x04\x01\x2b", crypt.ErrAlgorithm},
		{"CBC in an AuthEnvelopedData", p.p256, cms.AES256GCM, "\x03\x04\x01\x2e", "\x03\x04\x01\x2a", crypt.ErrMalformed},
		{"GCM in an EnvelopedData", p.p256, cms.AES256CBC, "\x03\x04\x01\x2a", "\x03\x04\x01\x2e", crypt.ErrMalformed},
		{"short tag", p.p256, cms.AES256GCM, "\x02\x01\x10\x80", "\x02\x01\x0c\x80", crypt.ErrAlgorithm},
		{"OAEP with SHA-224", p.rsa, cms.AES256GCM, "\x03\x04\x02\x01", "\x03\x04\x02\x04", crypt.ErrAlgorithm},
		{"OAEP with another mask", p.rsa, cms.AES256GCM, "\xf7\x0d\x01\x01\x08", "\xf7\x0d\x01\x01\x09", crypt.ErrAlgorithm},
		{"RSA in another way", p.rsa, cms.AES256GCM, "\xf7\x0d\x01\x01\x07", "\xf7\x0d\x01\x01\x06", crypt.ErrAlgorithm},
		{"KDF with SHA-224", p.p256, cms.AES256GCM, "\x2b\x81\x04\x01\x0b\x01", "\x2b\x81\x04\x01\x0b\x00", crypt.ErrAlgorithm},
		{"another key wrap", p.p256, cms.AES256GCM, "\x03\x04\x01\x2d", "\x03\x04\x01\x2f", crypt.ErrAlgorithm},
		{"another kind of sender's key", p.p256, cms.AES256GCM, "\xce\x3d\x02\x01", "\xce\x3d\x02\x02", crypt.ErrMalformed},
		{"a point not on the curve", p.p256, cms.AES256GCM, "\x03\x42\x00\x04", "\x03\x42\x00\x02", crypt.ErrIntegrity},
		{"a nonce of no length", p.p256, cms.AES256GCM, "\x04\x0c", "\x05\x0c", crypt.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			message := encrypt(t, []byte("content"), tt.c, to(cms.OAEP, tt.whom)...)
			altered := bytes.Replace(message, []byte(tt.from), []byte(tt.to), 1)
			if bytes.Equal(altered, message) {
				t.Fatal("nothing was altered")
			}
			_, _, err := open(altered, tt.whom)
			wantReason(t, err, tt.want)
		})
	}
}

func TestAKeyOfAnotherKindOpensNothing(t *testing.T) {
	t.Parallel()
	p := everybody()
	for name, tt := range map[string]struct {
		certificate, key cms.Identity
		want             crypt.Reason
	}{
		"EC key for RSA":       {p.rsa, p.p256, crypt.ErrIntegrity},
		"RSA key for EC":       {p.p256, p.rsa, crypt.ErrIntegrity},
		"another RSA key":      {p.rsa, p.other, crypt.ErrIntegrity},
		"another curve":        {p.p256, p.p384, crypt.ErrIntegrity},
		"no key":               {p.rsa, cms.Identity{}, crypt.ErrIntegrity},
		"a nameless recipient": {p.p521, p.p521, crypt.ErrRecipient},
	} {
		message := encrypt(t, []byte("content"), cms.AES256GCM, to(cms.OAEP, p.rsa, p.p256)...)
		_, _, err := open(message, cms.Identity{Certificate: tt.certificate.Certificate, Key: tt.key.Key})
		if err == nil {
			t.Error(name)
		}
		wantReason(t, err, tt.want)
	}
	// A certificate with the same name and number, and another kind of key.
	message := encrypt(t, []byte("content"), cms.AES256GCM, to(cms.OAEP, p.rsa)...)
	twin := *p.p256.Certificate
	twin.RawIssuer, twin.SerialNumber = p.rsa.Certificate.RawIssuer, p.rsa.Certificate.SerialNumber
	_, _, err := open(message, cms.Identity{Certificate: &twin, Key: p.p256.Key})
	wantReason(t, err, crypt.ErrMalformed)
}

// elsewhere has a content key of zeros for everybody: a key in hardware, seen from
// here.
type elsewhere struct{ crypto.PublicKey }

func (e elsewhere) Public() crypto.PublicKey { return e.PublicKey }

func (elsewhere) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return make([]byte, 32), nil
}

func fixedRSA() cms.Identity {
	public := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	return cms.Identity{
		Certificate: &x509.Certificate{RawIssuer: []byte{0x30, 0x00}, SerialNumber: big.NewInt(1), PublicKey: public, SubjectKeyId: []byte("rsa")},
		Key:         elsewhere{public},
	}
}

// A part is DER inside a message that another program might write.
func part(tag asn1.Tag, members ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, m := range members {
			b.AddBytes(m)
		}
	})
	return b.BytesOrPanic()
}

func object(value string) []byte { return part(asn1.OBJECT_IDENTIFIER, []byte(value)) }

// another is a message of another program to fixedRSA, with fields to vary.
type another struct {
	identifier, transport, attributes, before, after []byte
	plain                                            []byte
}

func (a another) der() []byte {
	if a.identifier == nil {
		a.identifier = part(asn1.SEQUENCE, part(asn1.SEQUENCE), part(asn1.INTEGER, []byte{1}))
	}
	if a.transport == nil {
		a.transport = part(asn1.SEQUENCE, object("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07"), oaep(sha256Name, mgf1(sha256Name)))
	}
	covered := bytes.Clone(a.attributes)
	if covered != nil {
		covered[0] = byte(asn1.SET)
	}
	aead := must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(make([]byte, 32)))))
	box := aead.Seal(nil, nil, a.plain, covered)
	nonce, content, tag := box[:12], box[12:len(box)-16], box[len(box)-16:]
	return part(asn1.SEQUENCE, object("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17"), part(0xa0, part(asn1.SEQUENCE,
		part(asn1.INTEGER, []byte{0}),
		a.before,
		part(asn1.SET,
			part(0xa3, part(asn1.INTEGER, []byte{0})), // a password, perhaps
			part(asn1.SEQUENCE, part(asn1.INTEGER, []byte{0}), a.identifier, a.transport, part(asn1.OCTET_STRING, []byte("key")))),
		part(asn1.SEQUENCE,
			object("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"),
			part(asn1.SEQUENCE, object("\x60\x86\x48\x01\x65\x03\x04\x01\x2e"),
				part(asn1.SEQUENCE, part(asn1.OCTET_STRING, nonce), part(asn1.INTEGER, []byte{16}))),
			part(0xa0, part(asn1.OCTET_STRING, content[:1]), part(asn1.OCTET_STRING), part(asn1.OCTET_STRING, content[1:]))),
		a.attributes,
		part(asn1.OCTET_STRING, tag),
		a.after,
	)))
}

const sha256Name = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"

func mgf1(hash string) []byte {
	return part(asn1.SEQUENCE, object("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"), part(asn1.SEQUENCE, object(hash)))
}

func oaep(hash string, mask []byte, more ...[]byte) []byte {
	return part(asn1.SEQUENCE, part(0xa0, part(asn1.SEQUENCE, object(hash))), part(0xa1, mask), bytes.Join(more, nil))
}

func TestWhatOthersMayWriteIsRead(t *testing.T) {
	t.Parallel()
	const idOAEP, idPSource = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09"
	algorithm := func(parameters ...[]byte) []byte {
		return part(asn1.SEQUENCE, object(idOAEP), bytes.Join(parameters, nil))
	}
	label := func(text string) []byte {
		return part(0xa2, part(asn1.SEQUENCE, object(idPSource), part(asn1.OCTET_STRING, []byte(text))))
	}
	const sha384Name, sha512Name, sha1Name = "\x60\x86\x48\x01\x65\x03\x04\x02\x02", "\x60\x86\x48\x01\x65\x03\x04\x02\x03", "\x2b\x0e\x03\x02\x1a"
	for name, tt := range map[string]struct {
		message another
		want    crypt.Reason
	}{
		"no attributes":                     {another{}, ""},
		"attributes under the tag":          {another{attributes: part(0xa1, part(asn1.SEQUENCE, object("\x2a")))}, ""},
		"attributes that nothing protects":  {another{after: part(0xa2, part(asn1.SEQUENCE))}, ""},
		"the originator's certificates":     {another{before: part(0xa0, part(asn1.SEQUENCE))}, ""},
		"a subject key identifier":          {another{identifier: part(0x80, []byte("rsa"))}, ""},
		"OAEP with SHA-384 and SHA-512":     {another{transport: algorithm(oaep(sha384Name, mgf1(sha512Name)))}, ""},
		"OAEP with an empty label":          {another{transport: algorithm(oaep(sha256Name, mgf1(sha256Name), label("")))}, ""},
		"OAEP with a label":                 {another{transport: algorithm(oaep(sha256Name, mgf1(sha256Name), label("x")))}, crypt.ErrAlgorithm},
		"OAEP with SHA-1":                   {another{transport: algorithm(oaep(sha1Name, mgf1(sha1Name)))}, crypt.ErrAlgorithm},
		"OAEP with SHA-1 in the mask":       {another{transport: algorithm(oaep(sha256Name, mgf1(sha1Name)))}, crypt.ErrAlgorithm},
		"OAEP with the default, SHA-1":      {another{transport: algorithm(part(asn1.SEQUENCE))}, crypt.ErrAlgorithm},
		"OAEP with the default mask":        {another{transport: algorithm(part(asn1.SEQUENCE, part(0xa0, part(asn1.SEQUENCE, object(sha256Name)))))}, crypt.ErrAlgorithm},
		"OAEP without parameters":           {another{transport: algorithm()}, crypt.ErrAlgorithm},
		"another key identifier":            {another{identifier: part(0x80, []byte("dsa"))}, crypt.ErrRecipient},
		"no key identifier":                 {another{identifier: part(0x80)}, crypt.ErrRecipient},
		"another serial number":             {another{identifier: part(asn1.SEQUENCE, part(asn1.SEQUENCE), part(asn1.INTEGER, []byte{2}))}, crypt.ErrRecipient},
		"another issuer":                    {another{identifier: part(asn1.SEQUENCE, part(asn1.SEQUENCE, part(asn1.SET)), part(asn1.INTEGER, []byte{1}))}, crypt.ErrRecipient},
		"a recipient of no kind":            {another{identifier: part(0x81, []byte("rsa"))}, crypt.ErrMalformed},
		"something before the recipients":   {another{before: part(asn1.NULL)}, crypt.ErrMalformed},
		"something after all":               {another{after: part(asn1.NULL)}, crypt.ErrMalformed},
		"attributes in the wrong place":     {another{after: part(0xa1)}, crypt.ErrMalformed},
		"an algorithm that is no algorithm": {another{transport: part(asn1.NULL)}, crypt.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.message.plain = []byte("what another program wrote")
			got, facts, err := open(tt.message.der(), everybody().p256, fixedRSA())
			if tt.want != "" {
				wantReason(t, err, tt.want)
				return
			}
			if err != nil || !bytes.Equal(got, tt.message.plain) || facts.Identity != 1 || !strings.HasPrefix(facts.Algorithms[1], "rsa-oaep-sha") {
				t.Errorf("%q, %v, %v", got, facts, err)
			}
		})
	}
}

func TestCBCThatIsNotWholeBlocksIsRefused(t *testing.T) {
	t.Parallel()
	block := must(aes.NewCipher(make([]byte, 32)))
	padded := bytes.Repeat([]byte{16}, 16)
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(padded, padded)
	for name, tt := range map[string]struct {
		iv      int
		content []byte
		want    crypt.Reason
	}{
		"nothing but padding":   {16, part(0x80, padded), ""},
		"in segments":           {16, part(0xa0, part(asn1.OCTET_STRING, padded)), ""},
		"not even padding":      {16, part(0x80), crypt.ErrIntegrity},
		"half a block":          {16, part(0x80, padded[:8]), crypt.ErrIntegrity},
		"not segments":          {16, part(0xa0, part(asn1.INTEGER, padded)), crypt.ErrIntegrity},
		"no content":            {16, nil, crypt.ErrMalformed},
		"content of no kind":    {16, part(0x81, padded), crypt.ErrMalformed},
		"a short vector":        {8, part(0x80, padded), crypt.ErrMalformed},
		"more than the content": {16, append(part(0x80, padded), 5, 0), crypt.ErrMalformed},
	} {
		message := part(asn1.SEQUENCE, object("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"), part(0xa0, part(asn1.SEQUENCE,
			part(asn1.INTEGER, []byte{2}),
			part(asn1.SET, part(asn1.SEQUENCE,
				part(asn1.INTEGER, []byte{2}), part(0x80, []byte("rsa")),
				part(asn1.SEQUENCE, object("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), part(asn1.NULL)),
				part(asn1.OCTET_STRING, []byte("key")))),
			part(asn1.SEQUENCE,
				object("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"),
				part(asn1.SEQUENCE, object("\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), part(asn1.OCTET_STRING, make([]byte, tt.iv))),
				tt.content),
		)))
		got, _, err := open(message, fixedRSA())
		if tt.want != "" {
			wantReason(t, err, tt.want)
		} else if err != nil || len(got) > 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// fixedEC has a key that all processes of a fuzzer know.
func fixedEC() cms.Identity {
	private := must(ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{7}, 32)))
	return cms.Identity{
		Certificate: &x509.Certificate{
			RawIssuer: []byte{0x30, 0x00}, SerialNumber: big.NewInt(2), SubjectKeyId: []byte("ec"),
			PublicKey: must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), private.PublicKey().Bytes())),
		},
		Key: private,
	}
}

func FuzzDecrypt(f *testing.F) {
	whom := []cms.Identity{fixedRSA(), fixedEC()}
	for _, c := range []cms.Cipher{cms.AES256CBC, cms.AES256GCM} {
		f.Add(encrypt(f, []byte("content"), c, to(cms.OAEP, whom[1], everybody().p384)...))
	}
	f.Add(another{plain: []byte("content"), attributes: part(0xa1)}.der())
	f.Fuzz(func(t *testing.T, message []byte) {
		size := len(message)
		content, facts, err := cms.Decrypt(message, 1<<16, whom)
		switch {
		case err != nil:
			if _, ok := errors.AsType[*crypt.Error](err); !ok || content != nil || facts != nil {
				t.Errorf("%T, %d bytes, %v", err, len(content), facts)
			}
		case len(content) > size:
			t.Errorf("%d bytes of content from %d", len(content), size)
		}
	})
}
