package bert

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The ids of DNABERT have a closed form: 5 + Σ code·4^(k-1-i) with A, T, C, G = 0 to
// 3. It is that of all 4,101 lines of the published vocabulary of 6-mers.
func TestDNABERTIds(t *testing.T) {
	kmers := []string{""}
	for range 6 {
		var longer []string
		for _, s := range kmers {
			for _, c := range "ATCG" {
				longer = append(longer, s+string(c))
			}
		}
		kmers = longer
	}
	v, err := KMers(append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}, kmers...))
	if err != nil || v.K != 6 {
		t.Fatal(err, v.K)
	}
	z, err := NewTokenizer(v)
	if err != nil {
		t.Fatal(err)
	}
	seq := []byte("ACGTTGCATCGGATTACCNAGGCTAacgtuacgtn")
	for i, id := range z.Encode(seq) {
		want := int32(0)
		for _, c := range seq[i : i+6] {
			code := strings.IndexByte("ATCG", upper(c))
			if code < 0 {
				want = 1 - 5 // [UNK]
				break
			}
			want = 4*want + int32(code)
		}
		if id != 5+want {
			t.Errorf("token %d is %d, want %d", i, id, 5+want)
		}
	}
	if got := z.Encode([]byte("ACGTA")); len(got) != 0 {
		t.Errorf("five letters are the tokens %v", got)
	}
	if got, want := z.Spans([]byte("ACGTACG")), []Span{{0, 6}, {1, 7}}; !slices.Equal(got, want) {
		t.Errorf("spans %v, want %v", got, want)
	}
}

// bpe makes a tokenizer of the letters A, C, G, T, and of merges such as "A C".
func bpe(t testing.TB, fuse bool, merges ...string) *Tokenizer {
	v := Vocabulary{Tokens: []string{"?", "[", "]", "A", "C", "G", "T"}, Unknown: "?", Begin: "[", End: "]", FuseUnknown: fuse}
	for _, m := range merges {
		a, b, _ := strings.Cut(m, " ")
		v.Merges = append(v.Merges, [2]string{a, b})
		if !slices.Contains(v.Tokens, a+b) {
			v.Tokens = append(v.Tokens, a+b)
		}
	}
	z, err := NewTokenizer(v)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestBytePairs(t *testing.T) {
	for _, c := range []struct {
		merges []string
		fuse   bool
		seq    string
		want   string
	}{
		{[]string{"A C", "C G"}, false, "ACG", "AC G"},
		{[]string{"C G", "A C"}, false, "ACG", "A CG"},      // the order of merges decides, not the length or the place
		{[]string{"A A"}, false, "AAAAA", "AA AA A"},        // the leftmost first
		{[]string{"A A", "AA A"}, false, "AAAAA", "AA AAA"}, // all pairs of letters come before AA A
		{[]string{"A C", "AC G", "G T"}, false, "ACGT", "ACG T"},
		{[]string{"G T", "A C", "AC G"}, false, "ACGT", "AC GT"},
		{[]string{"A C", "AC A", "ACA C"}, false, "ACAC", "AC AC"},
		{[]string{"A C"}, false, "acACaC", "AC AC AC"}, // lower case is read as upper
		{[]string{"T T"}, false, "UTuu", "TT TT"},      // U is T
		{[]string{"A C"}, false, "ANNC", "A ? ? C"},    // a letter that is no token breaks words
		{[]string{"A C"}, true, "ANNCN", "A ? C ?"},
		{[]string{"A C"}, false, "", ""},
	} {
		z := bpe(t, c.fuse, c.merges...)
		var got []string
		for _, id := range z.Encode([]byte(c.seq)) {
			got = append(got, z.Name(id))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%v: %s is %s, want %s", c.merges, c.seq, text, c.want)
		}
		at := 0
		for i, s := range z.Spans([]byte(c.seq)) {
			if s.From != at || s.To <= s.From || z.Name(z.Encode([]byte(c.seq))[i]) != "?" && len(got[i]) != s.To-s.From {
				t.Errorf("%s: token %d covers %v, the last ended at %d", c.seq, i, s, at)
			}
			at = s.To
		}
		if at != len(c.seq) {
			t.Errorf("%s: tokens cover %d letters of %d", c.seq, at, len(c.seq))
		}
	}
}

// The heap gives what the definition gives.
func TestBytePairsOfPython(t *testing.T) {
	z := vocabulary(t, "dnabert2")
	for _, ref := range references(t)["bpe"] {
		if got, want := z.Encode([]byte(ref.Seq)), ref.IDs[1:len(ref.IDs)-1]; !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", ref.Seq, got, want)
		}
	}
}

func TestVocabularyErrors(t *testing.T) {
	good := Vocabulary{Tokens: []string{"?", "[", "]", "A", "C", "AC"}, Unknown: "?", Begin: "[", End: "]", Merges: [][2]string{{"A", "C"}}}
	for _, c := range []struct {
		change func(*Vocabulary)
		want   string
	}{
		{func(v *Vocabulary) { v.Tokens[4] = "A" }, `token "A" has the ids 3 and 4`},
		{func(v *Vocabulary) { v.Unknown = "" }, `no token ""`},
		{func(v *Vocabulary) { v.Merges[0][1] = "G" }, `merge 0, "A" and "G": not all are tokens`},
		{func(v *Vocabulary) { v.Merges = append(v.Merges, v.Merges[0]) }, `merge 1, "A" and "C", is there twice`},
		{func(v *Vocabulary) { v.K = 9 }, "k-mers of 9 letters: want 1 to 8"},
		{func(v *Vocabulary) { v.K = 1 }, `no token "G"`},
	} {
		v := good
		v.Tokens, v.Merges = slices.Clone(good.Tokens), slices.Clone(good.Merges)
		c.change(&v)
		if _, err := NewTokenizer(v); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	for _, c := range []struct {
		tokens []string
		want   string
	}{
		{[]string{"[UNK]", "A", "C", "G"}, "3 k-mers of 1 letters: want all 4^k of 1 to 8 letters"},
		{[]string{"[UNK]", "A", "the"}, `token 2, "the", is no k-mer of 1 letters A, C, G, T`},
		{[]string{"[UNK]"}, "0 k-mers of 0 letters: want all 4^k of 1 to 8 letters"},
	} {
		if _, err := KMers(c.tokens); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
}

func TestReverseComplement(t *testing.T) {
	if got := ReverseComplement([]byte("aACGTUNx")); string(got) != "NNAACGTT" {
		t.Errorf("%s", got)
	}
}

func BenchmarkBytePairs(b *testing.B) {
	z := vocabulary(b, "dnabert2")
	r := rand.New(rand.NewPCG(1, 2))
	seq := make([]byte, 1000)
	for i := range seq {
		seq[i] = "ACGT"[r.IntN(4)]
	}
	for b.Loop() {
		z.Encode(seq)
	}
}
