package compose

import (
	"encoding/base64"
	"io"
)

const (
	// base64Line is how many bytes make a line of 76.
	base64Line = maxEncodedLine / 4 * 3
	// base64Lines are encoded at a time.
	base64Lines = 64
)

// writeBase64 encodes r to w in lines of 76 (RFC 2045 section 6.8). It keeps some
// 9 KiB and reports errors of r apart from those of w.
func writeBase64(w io.Writer, r io.Reader) (readErr, writeErr error) {
	src := make([]byte, base64Line*base64Lines)
	dst := make([]byte, 0, (maxEncodedLine+2)*base64Lines)
	for {
		n, err := io.ReadFull(r, src)
		dst = dst[:0]
		for at := 0; at < n; at += base64Line {
			dst = base64.StdEncoding.AppendEncode(dst, src[at:min(at+base64Line, n)])
			dst = append(dst, '\r', '\n')
		}
		if len(dst) > 0 {
			if _, werr := w.Write(dst); werr != nil {
				return nil, werr
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return nil, nil
		default:
			return err, nil
		}
	}
}
