// Package escrowsql keeps escrow items in a database, by database/sql: SQLite or
// PostgreSQL, with a driver of the host's.
//
// There are three tables, made if they are missing: of items, with tenant, state
// and expiry in columns of their own; of ciphertext, in parts of 256 KiB, so that
// a large item streams in both directions; and of the server's shares of keys.
// The shares may be in another database: open two, and take Shares of the one.
//
// What a database deletes it may keep: in its log, in free pages, in replicas and
// backups. An item is destroyed for good only once its share is gone from all of
// them. For SQLite set secure_delete; for PostgreSQL keep the shares in a database
// that is neither archived nor replicated.
//
// A database that may lose what it has acknowledged is refused: SQLite needs
// synchronous FULL or EXTRA on every connection (with modernc.org/sqlite
// "?_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)"), PostgreSQL
// synchronous_commit other than off, and fsync on.
package escrowsql
