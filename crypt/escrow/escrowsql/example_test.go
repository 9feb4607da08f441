package escrowsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/phimail/sdk/crypt/escrow/escrowsql"
)

func Example() {
	dir, err := os.MkdirTemp("", "escrow")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", "file:"+dir+"/escrow.db?_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=secure_delete(ON)")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	d, err := escrowsql.Open(context.Background(), escrowsql.Config{DB: db, Dialect: escrowsql.SQLite})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d, d.Store().Shares.Delete(context.Background(), "0123456789abcdef0123456789abcdef"))
	// Output: escrowsql.Database{sqlite} <nil>
}
