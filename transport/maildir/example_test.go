package maildir_test

import (
	"context"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/maildir"
)

func Example() {
	dir, err := os.MkdirTemp("", "maildir")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	out, err := maildir.New(maildir.Config{Dir: filepath.Join(dir, "out")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close(context.Background())

	content := "Subject: Secure message\r\n\r\n(sealed)\r\n"
	res, _ := out.Send(context.Background(), &transport.Envelope{
		ID:     "m-1",
		From:   mail.Address{Address: "no-reply@clinic.example"},
		To:     []mail.Address{{Address: "jane@patient.example"}},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Size:   int64(len(content)),
		Sealed: true,
	})
	files, _ := os.ReadDir(filepath.Join(dir, "out", "new"))
	fmt.Println(res.Recipients[0].Status, len(files))
	// Output: accepted 1
}
