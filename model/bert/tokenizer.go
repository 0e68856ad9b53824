package bert

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"heed/data"
)

// A Vocabulary is what a published file says of how letters become ids. It is
// stored in checkpoints.
type Vocabulary struct {
	Tokens []string `json:"tokens"` // by id
	// K is the length of overlapping k-mers; 0 stands for byte-pair encoding.
	K           int         `json:"k,omitempty"`
	Merges      [][2]string `json:"merges,omitempty"` // in the order in which they are made
	Unknown     string      `json:"unknown"`          // the token of what has none
	FuseUnknown bool        `json:"fuse_unknown,omitempty"`
	Begin       string      `json:"begin"`
	End         string      `json:"end"`
}

// KMers makes the vocabulary of DNABERT of the tokens of a vocab.txt: five in
// brackets, and all k-mers of A, C, G, T in any order.
func KMers(tokens []string) (Vocabulary, error) {
	v := Vocabulary{Tokens: tokens, Unknown: "[UNK]", Begin: "[CLS]", End: "[SEP]"}
	kmers := 0
	for id, token := range tokens {
		if strings.HasPrefix(token, "[") {
			continue
		}
		if v.K == 0 {
			v.K = len(token)
		}
		if len(token) != v.K || strings.Trim(token, "ACGT") != "" {
			return v, fmt.Errorf("token %d, %q, is no k-mer of %d letters A, C, G, T", id, token, v.K)
		}
		kmers++
	}
	if v.K < 1 || v.K > maxK || kmers != 1<<(2*v.K) {
		return v, fmt.Errorf("%d k-mers of %d letters: want all 4^k of 1 to %d letters", kmers, v.K, maxK)
	}
	return v, nil
}

// maxK is the length of the longest k-mers; those of DNABERT have 3 to 6 letters.
const maxK = 8

// A Tokenizer turns letters into token ids.
type Tokenizer struct {
	Vocabulary
	begin, end, unknown int32
	kmers               []int32             // ids by k-mer, two bits a letter
	letters             [256]int32          // ids of tokens of one letter
	joins               map[[2]int32]joined // by the two parts
}

// joined is what two tokens become, and its place in the order of merges.
type joined struct{ rank, id int32 }

// NewTokenizer checks a vocabulary and prepares it for use.
func NewTokenizer(v Vocabulary) (*Tokenizer, error) {
	z := &Tokenizer{Vocabulary: v}
	ids := make(map[string]int32, len(v.Tokens))
	for id, token := range v.Tokens {
		if first, ok := ids[token]; ok {
			return nil, fmt.Errorf("token %q has the ids %d and %d", token, first, id)
		}
		ids[token] = int32(id)
	}
	for _, s := range []struct {
		token string
		id    *int32
	}{{v.Begin, &z.begin}, {v.End, &z.end}, {v.Unknown, &z.unknown}} {
		id, ok := ids[s.token]
		if !ok {
			return nil, fmt.Errorf("no token %q", s.token)
		}
		*s.id = id
	}
	switch {
	case v.K < 0 || v.K > maxK:
		return nil, fmt.Errorf("k-mers of %d letters: want 1 to %d", v.K, maxK)
	case v.K > 0:
		z.kmers = make([]int32, 1<<(2*v.K))
		for i := range z.kmers {
			kmer := make([]byte, v.K)
			for j := range kmer {
				kmer[j] = "ACGT"[i>>(2*(v.K-1-j))&3]
			}
			id, ok := ids[string(kmer)]
			if !ok {
				return nil, fmt.Errorf("no token %q", kmer)
			}
			z.kmers[i] = id
		}
		return z, nil
	}
	for i := range z.letters {
		z.letters[i] = -1
		if id, ok := ids[string([]byte{byte(i)})]; ok {
			z.letters[i] = id
		}
	}
	z.joins = make(map[[2]int32]joined, len(v.Merges))
	for rank, m := range v.Merges {
		a, okA := ids[m[0]]
		b, okB := ids[m[1]]
		id, ok := ids[m[0]+m[1]]
		if !okA || !okB || !ok {
			return nil, fmt.Errorf("merge %d, %q and %q: not all are tokens", rank, m[0], m[1])
		}
		if _, ok := z.joins[[2]int32{a, b}]; ok {
			return nil, fmt.Errorf("merge %d, %q and %q, is there twice", rank, m[0], m[1])
		}
		z.joins[[2]int32{a, b}] = joined{int32(rank), id}
	}
	return z, nil
}

// upper returns a letter as vocabularies write it: upper case, and T for U.
func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c &^= 0x20
	}
	if c == 'U' {
		return 'T'
	}
	return c
}

// Encode returns the ids of a sequence, without those around it. Case is ignored
// and U is T. A k-mer with a letter other than A, C, G, T is unknown; so is, in
// byte-pair encoding, a letter that is no token.
func (z *Tokenizer) Encode(seq []byte) []int32 {
	ids, _ := z.split(seq)
	return ids
}

// A Span is the letters [From, To) that a token covers.
type Span struct{ From, To int }

// Spans returns the letters that the tokens of Encode cover. Those of k-mers
// overlap, those of byte-pair encoding follow one another.
func (z *Tokenizer) Spans(seq []byte) []Span {
	_, spans := z.split(seq)
	return spans
}

// Most returns the greatest number of tokens that n letters can be.
func (z *Tokenizer) Most(n int) int {
	if z.K > 0 {
		return max(0, n-z.K+1)
	}
	return n
}

func (z *Tokenizer) split(seq []byte) ([]int32, []Span) {
	if z.K == 0 {
		return z.join(seq)
	}
	n := z.Most(len(seq))
	ids, spans := make([]int32, n), make([]Span, n)
	code, known := 0, 0 // of the last K letters, and how many of them are A, C, G, T
	for i, c := range seq {
		if b := data.Nucleotide(c); b >= 0 {
			code = (code<<2 | b) & (1<<(2*z.K) - 1)
			known++
		} else {
			known = 0
		}
		if at := i - z.K + 1; at >= 0 {
			ids[at], spans[at] = z.unknown, Span{at, i + 1}
			if known >= z.K {
				ids[at] = z.kmers[code]
			}
		}
	}
	return ids, spans
}

// join is byte-pair encoding: of all pairs of neighbours that may be joined, the
// one whose merge comes first is, the leftmost of several, until there is none.
func (z *Tokenizer) join(seq []byte) ([]int32, []Span) {
	parts := make([]part, 0, len(seq))
	for i, c := range seq {
		id := z.letters[upper(c)]
		if n := len(parts); id < 0 && z.FuseUnknown && n > 0 && parts[n-1].id == z.unknown {
			parts[n-1].to++
			continue
		}
		if id < 0 {
			id = z.unknown
		}
		n := len(parts)
		parts = append(parts, part{id: id, from: i, to: i + 1, left: n - 1, right: n + 1})
	}
	if len(parts) > 0 {
		parts[len(parts)-1].right = -1
	}
	var q queue
	look := func(at int) {
		if next := parts[at].right; next >= 0 {
			if j, ok := z.joins[[2]int32{parts[at].id, parts[next].id}]; ok {
				q.push(pair{j.rank, int32(at), j.id})
			}
		}
	}
	for i := range parts {
		look(i)
	}
	for len(q) > 0 {
		p := q.pop()
		at := int(p.at)
		next := parts[at].right
		if parts[at].gone || next < 0 {
			continue
		}
		// The pair may have changed since it was found.
		if j, ok := z.joins[[2]int32{parts[at].id, parts[next].id}]; !ok || j.id != p.id {
			continue
		}
		parts[at].id, parts[at].to, parts[at].right = p.id, parts[next].to, parts[next].right
		parts[next].gone = true
		if r := parts[at].right; r >= 0 {
			parts[r].left = at
		}
		look(at)
		if l := parts[at].left; l >= 0 {
			look(l)
		}
	}
	parts = slices.DeleteFunc(parts, func(p part) bool { return p.gone })
	ids, spans := make([]int32, len(parts)), make([]Span, len(parts))
	for i, p := range parts {
		ids[i], spans[i] = p.id, Span{p.from, p.to}
	}
	return ids, spans
}

// A part is a token in the making.
type part struct {
	id          int32
	from, to    int
	left, right int // its neighbours; -1 for none
	gone        bool
}

// A pair is a merge that may be made.
type pair struct{ rank, at, id int32 }

// A queue is a heap of pairs, the first merge on top, the leftmost of several.
type queue []pair

func (q queue) before(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}

func (q *queue) push(p pair) {
	*q = append(*q, p)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.before(i, up) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *queue) pop() pair {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*q = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return top
		}
		if down+1 < last && h.before(down+1, down) {
			down++
		}
		if !h.before(down, i) {
			return top
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

// Name returns how a report writes a token.
func (z *Tokenizer) Name(id int32) string { return z.Tokens[id] }

// ReverseComplement returns the other strand, in upper case; letters other than
// A, C, G, T and U become N.
func ReverseComplement(seq []byte) []byte {
	out := bytes.Repeat([]byte{'N'}, len(seq))
	for i, c := range seq {
		if b := data.Nucleotide(c); b >= 0 {
			out[len(seq)-1-i] = "TGCA"[b]
		}
	}
	return out
}
