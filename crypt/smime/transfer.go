package smime

import (
	"bytes"
	"strings"
)

// mayBeEncrypted goes by what an entity says of itself: RFC 8551 section 3.2.2.
// The type of the content is a hint that may be missing.
func mayBeEncrypted(mediaType, smimeType string) bool {
	if mediaType != "application/pkcs7-mime" && mediaType != "application/x-pkcs7-mime" {
		return false
	}
	switch strings.ToLower(smimeType) {
	case "", "enveloped-data", "authenveloped-data":
		return true
	}
	return false
}

var (
	envelopedBytes     = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03")         // 1.2.840.113549.1.7.3
	authEnvelopedBytes = []byte("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17") // 1.2.840.113549.1.9.16.1.23
)

// isEncrypted looks at the content type with which a ContentInfo begins.
func isEncrypted(message []byte) bool {
	const longestHead = 10 // tag and length
	start := message[:min(len(message), longestHead+len(authEnvelopedBytes))]
	return bytes.Contains(start, envelopedBytes) || bytes.Contains(start, authEnvelopedBytes)
}
