package sign_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime/internal/der"
	"github.com/phimail/sdk/crypt/smime/internal/sign"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// good is what forgeries start from.
func good(edits ...smimetest.Edit) *forged {
	return &forged{id: authority().below.Issue(smimetest.P256, address, edits...), content: entity}
}

func with(f *forged, edit func(*forged)) *forged {
	edit(f)
	return f
}

func ofRSA(kind smimetest.Kind) *forged {
	return &forged{id: authority().below.Issue(kind, address), content: entity}
}

func TestSignaturesOfOthersAreRead(t *testing.T) {
	t.Parallel()
	keyID := []byte{1, 2, 3, 4}
	named := func(c *x509.Certificate) { c.SubjectKeyId = keyID }
	now := time.Now().UTC().Truncate(time.Second)
	for name, f := range map[string]*forged{
		"plain":            good(),
		"revocation lists": with(good(), func(f *forged) { f.crls = true }),
		"no attributes":    with(good(), func(f *forged) { f.none = true }),
		"named by key": with(good(named), func(f *forged) {
			f.keyID = func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.Tag(0x80), func(b *cryptobyte.Builder) { b.AddBytes(keyID) })
			}
		}),
		"named by key in segments": with(good(named), func(f *forged) {
			f.keyID = func(b *cryptobyte.Builder) {
				b.AddASN1(der.Constructed0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(keyID[:3]); b.AddASN1OctetString(keyID[3:]) })
			}
		}),
		"several signers":    with(good(), func(f *forged) { f.signers = 8 }),
		"combined algorithm": with(ofRSA(smimetest.RSA2048), func(f *forged) { f.scheme = idSHA256WithRSA }),
		"SHA-512":            with(ofRSA(smimetest.RSA2048), func(f *forged) { f.hash, f.digest = crypto.SHA512, der.IDSHA512 }),
		"a time":             with(good(), func(f *forged) { f.edit = adding(attribute(idSigningTime, utcTime(now))) }),
		"generalized time": with(good(), func(f *forged) {
			f.edit = adding(attribute(idSigningTime, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(now) }))
		}),
		"bound by SHA-256 in words": with(good(), func(f *forged) {
			f.edit = adding(attribute(idCertificateV2, certificateV2(f.id.Certificate, der.IDSHA256)))
		}),
		"an unknown attribute": with(good(), func(f *forged) { f.edit = adding(attribute("\x2a\x03", octets(nil), octets(nil))) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, opaque := range []bool{false, true} {
				f.opaque = opaque
				content := []byte(entity)
				if opaque {
					content = nil
				}
				v, err := sign.Verify(f.bytes(t), content, options())
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range v.Signers {
					if string(v.Content) != entity || s.Fault != "" || !s.Certificate.Equal(f.id.Certificate) {
						t.Errorf("fault %q, content %q", s.Fault, v.Content)
					}
				}
			}
		})
	}
}

func adding(more ...adder) func([]adder) []adder {
	return func(list []adder) []adder { return slices.Concat(list, more) }
}

func TestWhatIsNoSignatureIsRefused(t *testing.T) {
	t.Parallel()
	other := authority().below.Issue(smimetest.P256, address)
	for name, tt := range map[string]struct {
		f    *forged
		want crypt.Reason
	}{
		"other content":          {with(good(), func(f *forged) { f.content = "x" }), crypt.ErrSignature},
		"no attributes, other":   {with(good(), func(f *forged) { f.content, f.none = "x", true }), crypt.ErrSignature},
		"another's signature":    {with(good(), func(f *forged) { f.value = []byte{0x30, 6, 2, 1, 1, 2, 1, 1} }), crypt.ErrSignature},
		"signer not sent":        {with(good(), func(f *forged) { f.set = []*x509.Certificate{other.Certificate} }), crypt.ErrSignature},
		"SHA-1":                  {with(ofRSA(smimetest.RSA2048), func(f *forged) { f.hash, f.digest = crypto.SHA1, idSHA1 }), crypt.ErrAlgorithm},
		"hashes differ":          {with(ofRSA(smimetest.RSA2048), func(f *forged) { f.scheme = idSHA384WithRSA }), crypt.ErrAlgorithm},
		"scheme of another key":  {with(good(), func(f *forged) { f.scheme = der.IDRSA }), crypt.ErrAlgorithm},
		"PSS by default":         {with(ofRSA(smimetest.RSA2048), func(f *forged) { f.scheme = idPSS }), crypt.ErrAlgorithm},
		"unknown scheme":         {with(good(), func(f *forged) { f.scheme = "\x2a\x03" }), crypt.ErrAlgorithm},
		"Ed25519":                {with(&forged{id: authority().below.Issue(smimetest.P256, address), content: entity}, func(f *forged) { f.scheme = "\x2b\x65\x70" }), crypt.ErrAlgorithm},
		"not data":               {with(good(), func(f *forged) { f.kind = "\x2a\x03" }), crypt.ErrAlgorithm},
		"not signed":             {with(good(), func(f *forged) { f.outer = der.IDData }), crypt.ErrUnsigned},
		"nine signers":           {with(good(), func(f *forged) { f.signers = 9 }), crypt.ErrTooLarge},
		"many certificates":      {with(good(), func(f *forged) { f.set = slices.Repeat([]*x509.Certificate{f.id.Certificate}, 40) }), crypt.ErrTooLarge},
		"bytes after":            {with(good(), func(f *forged) { f.trailing = true }), crypt.ErrMalformed},
		"content within as well": {with(good(), func(f *forged) { f.opaque = true }), crypt.ErrMalformed},
		"no content type":        {with(good(), func(f *forged) { f.edit = func(l []adder) []adder { return l[1:] } }), crypt.ErrMalformed},
		"two content types":      {with(good(), func(f *forged) { f.edit = adding(attribute(idContentType, oid(der.IDData))) }), crypt.ErrMalformed},
		"another content type": {with(good(), func(f *forged) {
			f.edit = func(l []adder) []adder { return append(l[1:], attribute(idContentType, oid("\x2a"))) }
		}), crypt.ErrMalformed},
		"no digest":   {with(good(), func(f *forged) { f.edit = func(l []adder) []adder { return l[:1] } }), crypt.ErrMalformed},
		"two digests": {with(good(), func(f *forged) { f.edit = adding(attribute(idMessageDigest, octets(nil))) }), crypt.ErrMalformed},
		"two values of a digest": {with(good(), func(f *forged) {
			f.edit = func(l []adder) []adder { return append(l[:1], attribute(idMessageDigest, octets(nil), octets(nil))) }
		}), crypt.ErrMalformed},
		"a time that is none": {with(good(), func(f *forged) { f.edit = adding(attribute(idSigningTime, octets(nil))) }), crypt.ErrMalformed},
		"two times": {with(good(), func(f *forged) {
			f.edit = adding(attribute(idSigningTime, utcTime(time.Now())), attribute(idSigningTime, utcTime(time.Now())))
		}), crypt.ErrMalformed},
		"bound to another": {with(good(), func(f *forged) { f.edit = adding(attribute(idCertificateV2, certificateV2(other.Certificate, ""))) }), crypt.ErrSignature},
		"bound by SHA-1":   {with(good(), func(f *forged) { f.edit = adding(attribute(idCertificateV2, certificateV2(f.id.Certificate, idSHA1))) }), crypt.ErrAlgorithm},
		"bound to nothing": {with(good(), func(f *forged) { f.edit = adding(attribute(idCertificateV2, octets(nil))) }), crypt.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sign.Verify(tt.f.bytes(t), []byte(entity), options())
			wantReason(t, err, tt.want)
		})
	}
	_, err := sign.Verify(good().bytes(t), nil, options())
	wantReason(t, err, crypt.ErrMalformed)
	_, err = sign.Verify(smimetest.PKCS7(other.Certificate), []byte(entity), options())
	wantReason(t, err, crypt.ErrUnsigned)
	_, err = sign.Verify(good().bytes(t), []byte(entity), sign.Options{Limit: 10})
	wantReason(t, err, crypt.ErrTooLarge)
}

// The attributes that somebody signed look like content that they signed without
// attributes. Who takes them apart must not gain a signature over those bytes.
func TestAttributesAreNotPassedOffAsContent(t *testing.T) {
	t.Parallel()
	f := good()
	var set cryptobyte.Builder
	set.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(f.signedAttributes(crypto.SHA256)) })
	f.content, f.none = string(set.BytesOrPanic()), true
	for _, opaque := range []bool{false, true} {
		f.opaque = opaque
		content := []byte(f.content)
		if opaque {
			content = nil
		}
		_, err := sign.Verify(f.bytes(t), content, options())
		wantReason(t, err, crypt.ErrSignature)
	}
}

func TestChainThatDoesNotHoldIsSaid(t *testing.T) {
	t.Parallel()
	stranger := smimetest.NewAuthority()
	now := time.Now()
	later := options()
	later.Now = now.AddDate(2, 0, 0)
	none := options()
	none.Trust = nil
	signedAt := func(at time.Time) func(*forged) {
		return func(f *forged) { f.edit = adding(attribute(idSigningTime, utcTime(at))) }
	}
	weak, edwards := smimetest.NewAuthorityOf(smimetest.RSA1024), smimetest.NewAuthorityOf(smimetest.Ed25519)
	for name, tt := range map[string]struct {
		f    *forged
		o    sign.Options
		want crypt.Reason
	}{
		"expired":                  {good(smimetest.Expired), options(), crypt.ErrExpired},
		"expired since":            {good(), later, crypt.ErrExpired},
		"not yet valid":            {good(smimetest.NotYetValid), options(), crypt.ErrNotYetValid},
		"signed before":            {with(good(), signedAt(now.AddDate(0, 0, -2))), options(), crypt.ErrNotYetValid},
		"signed after":             {with(good(), signedAt(now.AddDate(3, 0, 0))), sign.Options{Trust: options().Trust, Now: now, Limit: 1 << 20}, crypt.ErrNotYetValid},
		"not for e-mail":           {good(smimetest.NotForEmail), options(), crypt.ErrPurpose},
		"for anything unsaid":      {good(smimetest.AnyPurpose), options(), crypt.ErrPurpose},
		"SHA-1 in the chain":       {good(smimetest.SHA1), options(), crypt.ErrUntrusted},
		"not for signing":          {good(smimetest.EncryptOnly), options(), crypt.ErrUsage},
		"RSA-1024":                 {ofRSA(smimetest.RSA1024), options(), crypt.ErrWeak},
		"unknown root":             {&forged{id: stranger.Issue(smimetest.P256, address), content: entity}, options(), crypt.ErrUntrusted},
		"nobody is trusted":        {good(), none, crypt.ErrUntrusted},
		"intermediate not sent":    {with(good(), func(f *forged) { f.set = []*x509.Certificate{f.id.Certificate} }), options(), crypt.ErrUntrusted},
		"expired intermediate":     {&forged{id: authority().root.Intermediate(smimetest.Expired).Issue(smimetest.P256, address), content: entity}, options(), crypt.ErrExpired},
		"intermediate for servers": {&forged{id: authority().root.Intermediate(smimetest.NotForEmail).Issue(smimetest.P256, address), content: entity}, options(), crypt.ErrPurpose},
		"Ed25519 root": {&forged{id: edwards.Issue(smimetest.P256, address), content: entity},
			sign.Options{Trust: smimetest.Pool(edwards), Now: now, Limit: 1 << 20}, crypt.ErrWeak},
		"weak root": {&forged{id: weak.Issue(smimetest.P256, address), content: entity},
			sign.Options{Trust: smimetest.Pool(weak), Now: now, Limit: 1 << 20}, crypt.ErrWeak},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := sign.Verify(tt.f.bytes(t), []byte(entity), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if s := v.Signers[0]; s.Fault != tt.want || s.Chain != nil {
				t.Errorf("fault %q, a chain of %d", s.Fault, len(s.Chain))
			}
		})
	}
	bare := with(good(), func(f *forged) { f.set = []*x509.Certificate{f.id.Certificate} })
	o := options()
	o.Intermediates = bare.id.Chain
	if v, err := sign.Verify(bare.bytes(t), []byte(entity), o); err != nil || v.Signers[0].Fault != "" {
		t.Errorf("an intermediate at hand does not help: %v, %v", v, err)
	}
}

// One altered byte never gives other content, or another signer who is trusted.
func TestNoAlteredByteIsTakenForSigned(t *testing.T) {
	t.Parallel()
	id := signer(smimetest.P256)
	der := detached(t, signed(t, id, entity, time.Now()))
	for i := range der {
		altered := bytes.Clone(der)
		altered[i] ^= 0x04
		v, err := sign.Verify(altered, []byte(entity), options())
		if err == nil && v.Signers[0].Fault == "" && !v.Signers[0].Certificate.Equal(id.Certificate) {
			t.Fatalf("byte %d: another signer", i)
		}
	}
	f := good()
	f.opaque = true
	der = f.bytes(t)
	for i := range der {
		altered := bytes.Clone(der)
		altered[i] ^= 0x01
		v, err := sign.Verify(altered, nil, options())
		if err == nil && string(v.Content) != entity {
			t.Fatalf("byte %d: other content", i)
		}
	}
	der = detached(t, signed(t, id, entity, time.Now()))
	for i := range entity {
		altered := []byte(entity)
		altered[i] ^= 0x01
		_, err := sign.Verify(der, altered, options())
		wantReason(t, err, crypt.ErrSignature)
	}
}

func TestEntitiesOfOthersAreOpened(t *testing.T) {
	t.Parallel()
	f := good()
	f.opaque = true
	message := base64.StdEncoding.EncodeToString(f.bytes(t))
	plain := string(signed(t, signer(smimetest.P256), entity, time.Now()))
	boundary, _, _ := strings.Cut(plain[strings.Index(plain, "boundary=\"")+10:], "\"")
	for name, in := range map[string]string{
		"opaque":             "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" + message + "\r\n",
		"opaque, older name": "Content-Type: application/x-pkcs7-mime\nContent-Transfer-Encoding: BASE64\n\n" + message,
		"opaque, binary":     "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: binary\r\n\r\n" + string(f.bytes(t)),
		"LF":                 strings.ReplaceAll(plain, "\r\n", "\n"),
		"padded delimiters":  strings.ReplaceAll(plain, boundary+"\r\n", boundary+" \t\r\n"),
		"preamble, epilogue": strings.Replace(plain, "\r\n\r\n--", "\r\n\r\nSigned mail.\r\n--"+boundary+"x\r\n--", 1) + "\r\nMore\r\n",
		"older names":        strings.ReplaceAll(plain, "application/pkcs7-signature", "Application/X-pkcs7-signature"),
	} {
		v, err := sign.Open([]byte(in), options())
		if err != nil || string(v.Content) != entity || v.Signers[0].Fault != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tt := range map[string]struct {
		in   string
		want crypt.Reason
	}{
		"unsigned":           {entity, crypt.ErrUnsigned},
		"encrypted":          {"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n", crypt.ErrUnsigned},
		"OpenPGP":            {strings.Replace(plain, "pkcs7-signature", "pgp-signature", 1), crypt.ErrUnsigned},
		"no boundary":        {strings.Replace(plain, "boundary=", "b=", 1), crypt.ErrMalformed},
		"another boundary":   {strings.Replace(plain, "boundary=\"", "boundary=\"x", 1), crypt.ErrMalformed},
		"no end":             {strings.TrimSuffix(plain, "--"+boundary+"--\r\n"), crypt.ErrMalformed},
		"one part":           {strings.Replace(plain, "--"+boundary+"\r\n", "", 1), crypt.ErrMalformed},
		"three parts":        {strings.Replace(plain, "--"+boundary+"\r\n", "--"+boundary+"\r\n\r\nx\r\n--"+boundary+"\r\n", 1), crypt.ErrMalformed},
		"closed early":       {strings.Replace(plain, "--"+boundary+"\r\n", "--"+boundary+"--\r\n", 1), crypt.ErrMalformed},
		"not base64":         {strings.Replace(plain, "filename=\"smime.p7s\"\r\n\r\n", "filename=\"smime.p7s\"\r\n\r\n!", 1), crypt.ErrMalformed},
		"7bit":               {strings.Replace(plain, "Encoding: base64", "Encoding: 7bit", 1), crypt.ErrMalformed},
		"opaque, not base64": {"Content-Type: application/pkcs7-mime\r\n\r\nx", crypt.ErrMalformed},
		"no header":          {" x", crypt.ErrMalformed},
		"two types":          {"Content-Type: text/plain\r\n" + plain, crypt.ErrMalformed},
		"altered":            {strings.Replace(plain, "results", "result5", 1), crypt.ErrSignature},
		"too large":          {strings.Repeat("x", 65<<20), crypt.ErrTooLarge},
	} {
		_, err := sign.Open([]byte(tt.in), options())
		if t.Log(name); err == nil {
			t.Errorf("%s was opened", name)
		}
		wantReason(t, err, tt.want)
	}
}

func FuzzOpen(f *testing.F) {
	at := time.Now()
	f.Add(signed(f, signer(smimetest.P256), entity, at))
	f.Add([]byte("Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\nMIAGCSqGSIb3DQEHAqCAMIA="))
	o := options()
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := sign.Open(in, o)
		if err == nil && len(v.Signers) == 0 {
			t.Fatal("nobody signed")
		}
	})
}

func FuzzVerify(f *testing.F) {
	message := with(good(), func(f *forged) { f.opaque = true }).bytes(f)
	f.Add(message, []byte(nil))
	f.Add(good().bytes(f), []byte(entity))
	f.Add([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x00\x00\x00\x00"), []byte("x"))
	o := options()
	f.Fuzz(func(t *testing.T, in, content []byte) {
		if len(content) == 0 {
			content = nil
		}
		v, err := sign.Verify(in, content, o)
		if err == nil && v.Signers[0].Fault == "" && string(v.Content) != entity {
			t.Fatal("other content is taken for signed")
		}
	})
}

func TestWhatIsVerifiedPrintsNothing(t *testing.T) {
	t.Parallel()
	v, err := sign.Open(signed(t, signer(smimetest.P256), entity, time.Now()), options())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := crypt.NewPayload(jobOf(entity), crypt.SignedOnly)
	if err != nil {
		t.Fatal(err)
	}
	w, err := sign.Wrap(payload, signer(smimetest.P256), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{v, *v, v.Signers[0], signer(smimetest.P256), w} {
		out, err := json.Marshal(v)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", v, v, v, v), string(out), log.String()} {
			if err != nil || strings.Contains(s, "esults") || strings.Contains(s, address) || len(s) > 600 {
				t.Errorf("%T prints %s, %v", v, s, err)
			}
		}
	}
}
