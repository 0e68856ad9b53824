package sequence

import "math/rand/v2"

// Augment says how training examples are varied. The zero Augment leaves them
// as they are.
type Augment struct {
	// ReverseComplement turns every second example round. It is wrong for
	// sequences with a direction, such as promoters aligned at their start.
	ReverseComplement bool `json:"reverse_complement"`
	// Shift moves the sequence by up to so many letters to either side; what
	// enters is unknown (N), what leaves is lost.
	Shift int `json:"shift"`
	// Mutate is the probability with which each token becomes another, drawn
	// evenly from all the other k-mers.
	Mutate float64 `json:"mutate"`
	// Mask is the probability with which each token becomes [MASK].
	Mask float64 `json:"mask"`
	// Hide is the length of a stretch of tokens that become unknown (N), at a
	// place where every token is as likely to be hit as another; a part of it may
	// lie beyond an end. What a model leans on is then missing now and then, and
	// it has to learn what else there is.
	Hide int `json:"hide,omitempty"`
}

// Apply returns a varied copy of ids.
func (a Augment) Apply(z Tokenizer, ids []int32, r *rand.Rand) []int32 {
	out := append([]int32(nil), ids...)
	if a.ReverseComplement && r.IntN(2) == 1 {
		out = z.ReverseComplement(out)
	}
	if a.Shift > 0 {
		out = shift(out, r.IntN(2*a.Shift+1)-a.Shift, int32(z.Vocab()-1))
	}
	for i := range out {
		if a.Mutate > 0 && r.Float64() < a.Mutate {
			out[i] = another(z, out[i], r)
		}
		if a.Mask > 0 && r.Float64() < a.Mask {
			out[i] = MaskToken
		}
	}
	if a.Hide > 0 && len(out) > 0 {
		from := r.IntN(len(out)+a.Hide-1) - a.Hide + 1
		for i := max(from, 0); i < min(from+a.Hide, len(out)); i++ {
			out[i] = int32(z.Vocab() - 1)
		}
	}
	return out
}

// another draws a k-mer other than id.
func another(z Tokenizer, id int32, r *rand.Rand) int32 {
	kmers := int32(1) << (2 * z.K)
	old := id - firstLetter
	if old < 0 || old >= kmers {
		return firstLetter + r.Int32N(kmers)
	}
	k := r.Int32N(kmers - 1)
	if k >= old {
		k++
	}
	return firstLetter + k
}

// shift moves ids by n places, to the right if n is positive.
func shift(ids []int32, n int, fill int32) []int32 {
	out := make([]int32, len(ids))
	for i := range out {
		out[i] = fill
		if j := i - n; j >= 0 && j < len(ids) {
			out[i] = ids[j]
		}
	}
	return out
}

// Corrupt prepares a sequence for masked-token training as BERT does (Devlin
// et al. 2019, §3.1): each token is chosen with probability rate, and one in any
// case; of the chosen ones 80 % become [MASK], 10 % a k-mer drawn from all, and
// 10 % stay. It returns the changed copy, and the chosen positions, ascending,
// with their true ids, which are the targets of [Model.MaskedLogits]: position p
// of sequence s is row Cls[s]+1+p of a [Batch].
func Corrupt(z Tokenizer, ids []int32, rate float64, r *rand.Rand) (out []int32, at []int, truth []int32) {
	out = append([]int32(nil), ids...)
	if len(ids) == 0 {
		return out, nil, nil
	}
	sure := r.IntN(len(ids))
	for i, id := range ids {
		if i != sure && r.Float64() >= rate {
			continue
		}
		at, truth = append(at, i), append(truth, id)
		switch p := r.Float64(); {
		case p < 0.8:
			out[i] = MaskToken
		case p < 0.9:
			out[i] = firstLetter + r.Int32N(int32(1)<<(2*z.K))
		}
	}
	return out, at, truth
}
