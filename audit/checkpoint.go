package audit

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/mod/sumdb/note"
)

// Errors of checkpoints.
var (
	// ErrCheckpoint: the bytes are not a checkpoint that this key has signed.
	ErrCheckpoint = errors.New("audit: not a checkpoint signed by this key; compare the public key and the file with those that were exported")
	// ErrCheckpointKey: the key is not of Ed25519, or the origin not usable.
	ErrCheckpointKey = errors.New("audit: a checkpoint needs an Ed25519 key, and an origin of printable text without space or plus")
)

// maxCheckpoint bounds the bytes of a checkpoint with the signatures of
// witnesses.
const maxCheckpoint = 16 << 10

// maxOrigin bounds the bytes of an origin.
const maxOrigin = 256

// Checkpoint is the head of a chain at a time, to be signed and kept where
// whoever may write the log can't: against it, truncation and rollback show
// (45 CFR 164.312(c)(1)).
//
// Its form is a signed note (c2sp.org/signed-note) laid out as a log checkpoint
// (c2sp.org/tlog-checkpoint): origin, number of records, hash and an extension
// line with the time. The hash is that of the last record, not the root of a
// Merkle tree.
type Checkpoint struct {
	// Origin names the log: "riverside.example/audit", say.
	Origin string
	// Head is the last record.
	Head Head
	// Time is when it was signed, in UTC, to the second.
	Time time.Time
}

// SignCheckpoint signs c with an Ed25519 key; a key in an HSM or a KMS works
// too, as long as it signs messages (crypto.Hash(0)). Its errors match
// ErrCheckpointKey, or come from the signer.
func SignCheckpoint(c Checkpoint, key crypto.Signer) ([]byte, error) {
	if key == nil || len(c.Origin) > maxOrigin {
		return nil, ErrCheckpointKey
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, ErrCheckpointKey
	}
	verifier, err := noteVerifier(c.Origin, public)
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: c.text()}, noteSigner{verifier, key})
	if err != nil {
		return nil, fmt.Errorf("audit: sign a checkpoint: %w", err)
	}
	// A signer that is not what its public key says would go unnoticed until the
	// checkpoint is needed.
	if _, err := ParseCheckpoint(signed, public); err != nil {
		return nil, err
	}
	return signed, nil
}

// ParseCheckpoint reads a checkpoint and verifies its signature by key, which
// must come from elsewhere than the checkpoint. Signatures of others, such as
// witnesses, are ignored. Its only error is ErrCheckpoint.
func ParseCheckpoint(signed []byte, key ed25519.PublicKey) (*Checkpoint, error) {
	origin, _, ok := bytes.Cut(signed, []byte("\n"))
	if !ok || len(signed) > maxCheckpoint || len(origin) > maxOrigin {
		return nil, ErrCheckpoint
	}
	verifier, err := noteVerifier(string(origin), key)
	if err != nil {
		return nil, ErrCheckpoint
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return nil, ErrCheckpoint
	}
	return parseCheckpointText(n.Text)
}

const timePrefix = "time "

func (c Checkpoint) text() string {
	return c.Origin + "\n" +
		strconv.FormatUint(c.Head.Seq, 10) + "\n" +
		base64.StdEncoding.EncodeToString(c.Head.Hash[:]) + "\n" +
		timePrefix + c.Time.UTC().Format(time.RFC3339) + "\n"
}

// parseCheckpointText takes further extension lines, which later versions add.
func parseCheckpointText(text string) (*Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 5 || lines[len(lines)-1] != "" {
		return nil, ErrCheckpoint
	}
	c := &Checkpoint{Origin: lines[0]}
	var err error
	if c.Head.Seq, err = strconv.ParseUint(lines[1], 10, 64); err != nil {
		return nil, ErrCheckpoint
	}
	hash, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(hash) != len(c.Head.Hash) {
		return nil, ErrCheckpoint
	}
	copy(c.Head.Hash[:], hash)
	at, ok := strings.CutPrefix(lines[3], timePrefix)
	if !ok {
		return nil, ErrCheckpoint
	}
	if c.Time, err = time.Parse(time.RFC3339, at); err != nil {
		return nil, ErrCheckpoint
	}
	c.Time = c.Time.UTC()
	if (c.Head.Seq == 0) != (c.Head.Hash == Hash{}) || !strings.HasPrefix(text, c.text()) {
		return nil, ErrCheckpoint // Each checkpoint has one spelling.
	}
	return c, nil
}

// noteVerifier makes the note's verifier of a key by the name of origin.
func noteVerifier(origin string, key ed25519.PublicKey) (note.Verifier, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, ErrCheckpointKey
	}
	for _, r := range origin {
		if !unicode.IsPrint(r) {
			return nil, ErrCheckpointKey
		}
	}
	encoded, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return nil, ErrCheckpointKey
	}
	verifier, err := note.NewVerifier(encoded)
	if err != nil {
		return nil, ErrCheckpointKey
	}
	return verifier, nil
}

// noteSigner lets any crypto.Signer sign a note.
type noteSigner struct {
	note.Verifier

	key crypto.Signer
}

// Sign signs msg itself, as Ed25519 has it (RFC 8032 section 5.1.6).
func (s noteSigner) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}

// Checkpoint signs the head of the chain as it stands now, under the name of
// origin. See [SignCheckpoint].
func (l *Log) Checkpoint(ctx context.Context, origin string, key crypto.Signer) ([]byte, error) {
	head, err := l.sinkHead(ctx)
	if err != nil {
		return nil, err
	}
	return SignCheckpoint(Checkpoint{Origin: origin, Head: head, Time: l.now()}, key)
}
