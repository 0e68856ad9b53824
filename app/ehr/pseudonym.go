package ehr

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strconv"

	"github.com/spf13/pflag"

	"heed/format"
)

// Pseudonym returns what a report calls a subject: the start of HMAC-SHA256 of its id
// with a key that stays at the site. Without the key, nobody finds the id by trying
// all of them; with it, the site can. Of a million subjects, two share one with a
// probability below one in a million.
func Pseudonym(key []byte, subject int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(subject))
	h := hmac.New(sha256.New, key)
	h.Write(b[:])
	return "P-" + hex.EncodeToString(h.Sum(nil)[:8])
}

// subjectNames says what outputs call subjects: pseudonyms, if nobody asks for more.
type subjectNames struct {
	safe, plain bool
	path        string
	key         []byte
}

// shortestKey is in bytes.
const shortestKey = 16

func (n *subjectNames) flags(fs *pflag.FlagSet) {
	fs.BoolVar(&n.safe, "phi-safe", true, "write pseudonyms in place of subject_id, and no dates")
	fs.StringVar(&n.path, "key", "", "file with the site's key of pseudonyms, 16 bytes or more; without, each run draws one and forgets it")
}

// check reads the key, or draws one.
func (n *subjectNames) check() error {
	n.plain = !n.safe
	if n.path == "" {
		n.key = make([]byte, 32)
		rand.Read(n.key)
		return nil
	}
	key, err := os.ReadFile(n.path)
	if err != nil {
		return systemError(n.path, err)
	}
	if n.key = bytes.TrimSpace(key); len(n.key) < shortestKey {
		return format.Invalidf(n.path, 0, "a key of %d bytes, want %d or more", len(n.key), shortestKey)
	}
	return nil
}

func (n *subjectNames) of(subject int64) string {
	if n.plain {
		return strconv.FormatInt(subject, 10)
	}
	return Pseudonym(n.key, subject)
}

// column is the heading above the names.
func (n *subjectNames) column() string {
	if n.plain {
		return "subject_id"
	}
	return "subject"
}
