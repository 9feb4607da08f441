package smime_test

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/smime"
	"github.com/phimail/sdk/crypt/smime/smimetest"
)

func sealers(tb testing.TB, form smime.Form) *smime.Sealer {
	tb.Helper()
	root := smimetest.NewAuthority()
	return newSealer(tb, smime.Config{
		Certificates: having(root.Issue(smimetest.RSA2048, dana)), Trust: smimetest.Pool(root),
		Signer: identities(root.Issue(smimetest.P256, clinic)), Forms: []smime.FormRule{{dana, form}},
	})
}

// entityOf is an attachment of about size bytes, as it is encoded.
func entityOf(size int) string {
	return text + strings.Repeat(strings.Repeat("x", 76)+"\r\n", size/78)
}

func TestALargeMessageIsNotHeldTwice(t *testing.T) { //nolint:paralleltest // counts what the process allocates
	const size = 10 << 20
	entity := []byte(entityOf(size))
	for _, form := range []smime.Form{smime.Default, smime.GCM} {
		s := sealers(t, form)
		j := letter("")
		j.Entity, j.Size = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(entity)), nil }, int64(len(entity))
		j.To = []crypt.Target{{Address: address(dana), Key: find(t, s, dana)}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := s.Seal(t.Context(), io.Discard, j); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > size*3/2 {
			t.Errorf("%q: %d bytes for a message of %d", form, used, size)
		} else {
			t.Logf("%q: %.2f of the message", form, float64(used)/size)
		}
	}
}

func TestManyGoroutinesSealAtOnce(t *testing.T) {
	t.Parallel()
	s := sealers(t, smime.Default)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 4 {
				key, err := s.Find(t.Context(), address(clinic), address(dana))
				if err != nil {
					t.Error(err)
					return
				}
				j := letter(text)
				j.To = []crypt.Target{{Address: address(dana), Key: key}}
				if _, err := s.Seal(t.Context(), io.Discard, j); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkFind(b *testing.B) {
	s := sealers(b, smime.Default)
	b.ReportAllocs()
	for b.Loop() {
		find(b, s, dana)
	}
}

func BenchmarkSeal(b *testing.B) {
	for name, size := range map[string]int{"2KiB": 2 << 10, "10MiB": 10 << 20} {
		entity := entityOf(size)
		for _, form := range []smime.Form{smime.Default, smime.GCM} {
			s := sealers(b, form)
			j := job(b, s, entity, dana)
			j.Entity = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(entity)), nil }
			kind := "cbc"
			if form == smime.GCM {
				kind = "gcm"
			}
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(entity)))
				for b.Loop() {
					if _, err := s.Seal(b.Context(), io.Discard, j); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
