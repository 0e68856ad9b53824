package sequence

import (
	"fmt"

	"heed/data"
)

// Token ids that every tokenizer shares.
const (
	PadToken int32 = iota
	ClsToken
	MaskToken
	firstLetter // the first id of a letter or k-mer
)

// Letters is the order of the nucleotides in ids: A, C, G, T, then N for
// anything else.
const Letters = "ACGTN"

// A Tokenizer turns nucleotides into token ids. K is the length of the
// overlapping k-mers that are its tokens; 1 means single nucleotides.
type Tokenizer struct {
	K int `json:"k"`
}

// Validate reports a k that makes no sense.
func (z Tokenizer) Validate() error {
	if z.K < 1 || z.K > 6 {
		return fmt.Errorf("k-mer length %d: want 1 to 6", z.K)
	}
	return nil
}

// Vocab returns the number of token ids: [PAD], [CLS], [MASK], 4^K k-mers, and
// one id for every k-mer with a letter other than A, C, G, T.
func (z Tokenizer) Vocab() int { return int(firstLetter) + 1<<(2*z.K) + 1 }

// Length returns the number of tokens of a sequence of n letters.
func (z Tokenizer) Length(n int) int { return max(0, n-z.K+1) }

// Encode returns the ids of the k-mers of seq, without [CLS]. Case is ignored
// and U is T.
func (z Tokenizer) Encode(seq []byte) []int32 {
	ids := make([]int32, z.Length(len(seq)))
	unknown := int32(1) << (2 * z.K)
	for i := range ids {
		var id int32
		for _, c := range seq[i : i+z.K] {
			n := int32(data.Nucleotide(c))
			if n < 0 {
				id = unknown
				break
			}
			id = id<<2 | n
		}
		ids[i] = firstLetter + id
	}
	return ids
}

// ReverseComplement returns the ids of the reverse complement of a sequence
// with the given ids.
func (z Tokenizer) ReverseComplement(ids []int32) []int32 {
	rc := make([]int32, len(ids))
	for i, id := range ids {
		rc[len(ids)-1-i] = z.complement(id)
	}
	return rc
}

// complement returns the id of the reverse complement of one k-mer.
func (z Tokenizer) complement(id int32) int32 {
	k := id - firstLetter
	if k < 0 || k == 1<<(2*z.K) {
		return id
	}
	var rc int32
	for range z.K {
		rc = rc<<2 | (3 - k&3)
		k >>= 2
	}
	return firstLetter + rc
}

// Name returns how a report writes a token: the letters of a k-mer, or the
// name of a special token in brackets.
func (z Tokenizer) Name(id int32) string {
	switch id {
	case PadToken:
		return "[PAD]"
	case ClsToken:
		return "[CLS]"
	case MaskToken:
		return "[MASK]"
	}
	k := id - firstLetter
	b := make([]byte, z.K)
	for i := range b {
		b[i] = 'N'
		if k < 1<<(2*z.K) {
			b[i] = Letters[k>>(2*(z.K-1-i))&3]
		}
	}
	return string(b)
}
