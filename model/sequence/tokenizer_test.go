package sequence

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/format/fasta"
)

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// letters returns n random letters of an alphabet.
func letters(alphabet string, n int, r *rand.Rand) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return b
}

func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		k    int
		seq  string
		want []int32
	}{
		{1, "", []int32{}},
		{1, "ACGTN", []int32{3, 4, 5, 6, 7}},
		{1, "acgtn", []int32{3, 4, 5, 6, 7}},
		{1, "UuRy-*", []int32{6, 6, 7, 7, 7, 7}},
		{2, "A", []int32{}},
		{2, "AACGTT", []int32{3 + 0, 3 + 1, 3 + 6, 3 + 11, 3 + 15}},
		{2, "ANA", []int32{19, 19}},
		{3, "TTTANA", []int32{3 + 63, 3 + 60, 67, 67}},
		{6, "AAAAAC", []int32{4}},
		{6, "TTTTTTN", []int32{3 + 4095, 3 + 4096}},
		{6, "ACGTA", []int32{}},
	} {
		z := Tokenizer{K: tt.k}
		got := z.Encode([]byte(tt.seq))
		if !slices.Equal(got, tt.want) {
			t.Errorf("k %d: %q gives %v, want %v", tt.k, tt.seq, got, tt.want)
		}
		if len(got) != z.Length(len(tt.seq)) {
			t.Errorf("k %d: %q has %d tokens, Length says %d", tt.k, tt.seq, len(got), z.Length(len(tt.seq)))
		}
		for _, id := range got {
			if id < firstLetter || int(id) >= z.Vocab() {
				t.Errorf("k %d: id %d is outside of a vocabulary of %d", tt.k, id, z.Vocab())
			}
		}
	}
}

// Every k-mer has an id of its own, in the order of the letters, and its name.
func TestNames(t *testing.T) {
	for k := 1; k <= 6; k++ {
		z := Tokenizer{K: k}
		if err := z.Validate(); err != nil {
			t.Fatal(err)
		}
		if got, want := z.Vocab(), []int{8, 20, 68, 260, 1028, 4100}[k-1]; got != want {
			t.Errorf("k %d: vocabulary %d, want %d", k, got, want)
		}
		last := ""
		for id := firstLetter; int(id) < z.Vocab()-1; id++ {
			name := z.Name(id)
			if name <= last {
				t.Fatalf("k %d: %s follows %s", k, name, last)
			}
			last = name
			if got := z.Encode([]byte(name)); len(got) != 1 || got[0] != id {
				t.Fatalf("k %d: %s is %v, want %d", k, name, got, id)
			}
		}
		unknown := string(bytes.Repeat([]byte("N"), k))
		for id, want := range map[int32]string{PadToken: "[PAD]", ClsToken: "[CLS]", MaskToken: "[MASK]", int32(z.Vocab() - 1): unknown} {
			if got := z.Name(id); got != want {
				t.Errorf("k %d: id %d is %q, want %q", k, id, got, want)
			}
		}
	}
}

func TestTokenizerValidate(t *testing.T) {
	for k, want := range map[int]string{0: "k-mer length 0: want 1 to 6", 7: "k-mer length 7: want 1 to 6", -1: "k-mer length -1: want 1 to 6"} {
		if err := (Tokenizer{K: k}).Validate(); err == nil || err.Error() != want {
			t.Errorf("k %d: error %v, want %s", k, err, want)
		}
	}
}

// The reverse complement of ids is that of the letters, and its own inverse.
func TestReverseComplement(t *testing.T) {
	r := source()
	for k := 1; k <= 6; k++ {
		z := Tokenizer{K: k}
		for range 20 {
			seq := letters("ACGTACGTN", r.IntN(30), r)
			ids := z.Encode(seq)
			rc := z.ReverseComplement(ids)
			if want := z.Encode(fasta.ReverseComplement(seq)); !slices.Equal(rc, want) {
				t.Errorf("k %d: %s: ids %v, want %v", k, seq, rc, want)
			}
			if back := z.ReverseComplement(rc); !slices.Equal(back, ids) {
				t.Errorf("k %d: %s: twice gives %v, want %v", k, seq, back, ids)
			}
		}
	}
	z := Tokenizer{K: 2}
	special := []int32{PadToken, ClsToken, MaskToken, 19}
	if got := z.ReverseComplement(special); !slices.Equal(got, []int32{19, MaskToken, ClsToken, PadToken}) {
		t.Errorf("special tokens become %v", got)
	}
}
