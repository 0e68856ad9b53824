package alignment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMutualInformation(t *testing.T) {
	// Two letters that always go together have one bit; a third column of one
	// letter has none; weights count as sequences do, and a gap is no letter.
	f, _ := Encode([][]byte{[]byte("ARN"), []byte("ARN"), []byte("RAN"), []byte("A-N")})
	f.Weights = []float64{0.5, 0.5, 1, 7}
	got := MutualInformation(f, 0, 1)
	want := []float64{0, math.Ln2, 0, math.Ln2, 0, 0, 0, 0, 0}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("information %v, want %v", got, want)
			break
		}
	}
	// With a pseudo-count c: 2 sequences and 400 c.
	const c = 0.25
	total, pair, margin, other := 2+400*c, 1+c, 1+20*c, 20*c
	sum := 2*pair*math.Log(pair*total/(margin*margin)) + 2*c*math.Log(c*total/(margin*margin)) +
		72*c*math.Log(c*total/(margin*other)) + 324*c*math.Log(c*total/(other*other))
	if got := MutualInformation(f, c, 1)[1]; math.Abs(got-sum/total) > 1e-12 {
		t.Errorf("information with a pseudo-count %v, want %v", got, sum/total)
	}
	empty, _ := Encode([][]byte{[]byte("A-"), []byte("-A")})
	if got := MutualInformation(empty, 0, 1)[1]; got != 0 {
		t.Errorf("information of no sequences %v", got)
	}
}

func TestMutualInformationFindsPairs(t *testing.T) {
	f := plantedFamily(400, rand.New(rand.NewPCG(3, 4)))
	s := MutualInformation(f, InformationPseudocount, 1)
	checkPlanted(t, APC(s, f.Columns), f.Columns)
	if !slices.Equal(s, MutualInformation(f, InformationPseudocount, 3)) {
		t.Error("other bits on 3 cores")
	}
}

func TestNearness(t *testing.T) {
	if got := Nearness([]int{0, 1, 4}); !slices.Equal(got, []float64{0, -1, -4, -1, 0, -3, -4, -3, 0}) {
		t.Errorf("%v", got)
	}
}
