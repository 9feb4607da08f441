package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"testing"
)

// The vectors of RFC 3394 sections 4.1 to 4.6.
func TestKeyWrapAgreesWithItsRFC(t *testing.T) {
	t.Parallel()
	const kek = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	const key = "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"
	for _, tt := range []struct {
		kek, key int
		want     string
	}{
		{16, 16, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{24, 16, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"},
		{32, 16, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
		{24, 24, "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"},
		{32, 24, "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"},
		{32, 32, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
	} {
		block, err := aes.NewCipher(fromHex(t, kek)[:tt.kek])
		if err != nil {
			t.Fatal(err)
		}
		plain := fromHex(t, key)[:tt.key]
		wrapped := wrapKey(block, plain)
		if !bytes.Equal(wrapped, fromHex(t, tt.want)) {
			t.Errorf("wrapping %d with %d bytes: %x", tt.key, tt.kek, wrapped)
		}
		if got, ok := unwrapKey(block, wrapped); !ok || !bytes.Equal(got, plain) {
			t.Errorf("unwrapping %d with %d bytes: %x, %v", tt.key, tt.kek, got, ok)
		}
		for i := range len(wrapped) * 8 {
			wrapped[i/8] ^= 1 << (i % 8)
			if _, ok := unwrapKey(block, wrapped); ok {
				t.Errorf("bit %d altered", i)
			}
			wrapped[i/8] ^= 1 << (i % 8)
		}
		for n := range wrapped {
			if _, ok := unwrapKey(block, wrapped[:n]); ok {
				t.Errorf("cut to %d bytes", n)
			}
		}
	}
}

// Vectors of NIST's CAVP for ANSI X9.63-2001 (800-135): those with a shared
// secret of a P-256 and a P-384 point, and one that takes several rounds is
// checked against its definition.
func TestKeyDerivationAgreesWithNIST(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		hash               func() hash.Hash
		secret, info, want string
	}{
		{sha256.New, "96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", "", "443024c3dae66b95e6f5670601558f71"},
		{sha256.New, "22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d", "75eef81aa3041e33b80971203d2c0c52",
			"c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e52a13d9c7c6fc878c50c5ea0bc7b00e0da2447cfd874f6cf92f30d0097111485500c90c3af8b487872d04685d14c8d1dc8d7fa08beb0ce0ababc11f0bd496269142d43525a78e5bc79a17f59676a5706dc54d54d4d1f0bd7e386128ec26afc21"},
	} {
		want := fromHex(t, tt.want)
		if got := deriveKey(tt.hash, fromHex(t, tt.secret), fromHex(t, tt.info), len(want)); !bytes.Equal(got, want) {
			t.Errorf("%x", got)
		}
	}
	h := sha512.New384()
	h.Write([]byte("secret\x00\x00\x00\x01info"))
	first := h.Sum(nil)
	h.Reset()
	h.Write([]byte("secret\x00\x00\x00\x02info"))
	want := h.Sum(first)[:60]
	if got := deriveKey(sha512.New384, []byte("secret"), []byte("info"), 60); !bytes.Equal(got, want) {
		t.Errorf("%x", got)
	}
}

func TestPaddingIsTakenOffOnlyIfWhole(t *testing.T) {
	t.Parallel()
	block := func(last ...byte) []byte { return append(make([]byte, 32-len(last)), last...) }
	for _, tt := range []struct {
		in   []byte
		want int
	}{
		{block(1), 31},
		{block(2, 2), 30},
		{bytes.Repeat([]byte{16}, 32), 16},
		{block(), -1},
		{block(17), -1},
		{block(255), -1},
		{bytes.Repeat([]byte{17}, 32), -1},
		{block(3, 2, 3), -1},
		{block(2, 3, 3), -1},
		{append(append(make([]byte, 16), 15), bytes.Repeat([]byte{16}, 15)...), -1},
	} {
		before := bytes.Clone(tt.in)
		got, ok := unpad(tt.in)
		if ok != (tt.want >= 0) || ok && len(got) != tt.want {
			t.Errorf("%x: %d, %v", before, len(got), ok)
		}
	}
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
