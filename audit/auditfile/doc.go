// Package auditfile keeps an audit chain in files of one machine: append-only
// JSON Lines that many processes may write to at once. [Sink] implements
// audit.Sink and audit.Runs, and [Reader] reads a log, or a copy of one, without
// writing anything.
//
// # Format
//
// A record is one line, ended by LF. It is the record's Body with the closing
// brace replaced by a frame:
//
//	{"seq":7,"prev":"<64 hex>","event":{…},"hash":"<64 hex>"}
//	{"seq":8,"prev":"<64 hex>","event":{…},"batch":2,"hash":"<64 hex>"}
//
// Each line is therefore a JSON object, and the Body is what stands before the
// frame plus "}", byte for byte; hash is its SHA-256. The last line of a batch,
// and only that, has "batch": the number of records that were appended
// together. Lines after the last "batch" are a write that did not finish. No
// byte of a line is below 0x20.
//
// The file at Config.Path is the live one. When a batch would make it larger
// than Config.MaxBytes it is renamed to PATH.<seq>, where seq is the number of
// its first record in 20 digits, and a new one is begun: the chain runs on
// across the files. Rotated files may be moved away, oldest first, but the
// newest of them must stay. Beside the log lie PATH.lock and PATH.turn, which
// are empty and only locked, and PATH.runs with a file for each run.
//
// # What is promised
//
//   - Append returns nil only after fsync, and the directory is synced when a
//     file is created or renamed.
//   - A write that did not finish (a killed process, a power loss) is cut off
//     before the next append, and [Sink.Repairs] tells of it. It is told from
//     tampering by its shape: what an unfinished batch leaves is a beginning of
//     the lines that had to come next, perhaps with whole sectors of zeros.
//     Anything else matches audit.ErrBroken, and nothing more is written.
//   - The first failed fsync is final for the Sink (audit.ErrSinkFailed). A
//     write that failed, as on a full disk, is taken back and may be tried again.
//   - A truncation at the end of a batch can't be seen by a file alone. Compare
//     with a checkpoint kept elsewhere: see audit.Verify.
//
// The files must lie on a local file system with working locks and fsync, in a
// directory that nobody else may write to.
package auditfile
