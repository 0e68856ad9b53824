package ehr

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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
