package escrowdir_test

import (
	"fmt"
	"os"

	"github.com/phimail/sdk/crypt/escrow/escrowdir"
)

// Shares live on another file system than the ciphertext, outside of its backups.
func Example() {
	parent, err := os.MkdirTemp("", "escrow")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(parent) }()
	items, err := escrowdir.Open(escrowdir.Config{Dir: parent + "/items"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = items.Close() }()
	shares, err := escrowdir.Open(escrowdir.Config{Dir: parent + "/elsewhere"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = shares.Close() }()
	store := items.Store()
	store.Shares = shares.Store().Shares
	info, err := os.Stat(parent + "/items/contents")
	fmt.Println(info.Mode(), err)
	// Output: drwx------ <nil>
}
