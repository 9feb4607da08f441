package escrowmem_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/escrowmem"
)

func Example() {
	store := escrowmem.New().Store()
	ctx := context.Background()
	name := "00112233445566778899aabbccddeeff"
	fmt.Println(store.Shares.Put(ctx, name, escrow.Share{}), store.Shares.Delete(ctx, name))
	_, err := store.Shares.Get(ctx, name)
	fmt.Println(errors.Is(err, escrow.ErrNotFound))
	// Output:
	// <nil> <nil>
	// true
}
