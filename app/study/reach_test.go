package study

import (
	"math/rand/v2"
	"testing"

	"heed/autograd"
)

// What is computed for the rows that are read is what the whole layer gives.
func TestRelayEqualsItsLayer(t *testing.T) {
	for _, c := range (&Lab{}).runners() {
		r := rand.New(rand.NewPCG(1, 2))
		m, err := newRelay(c, r)
		if err != nil {
			t.Fatal(err)
		}
		b := &relayBatch{}
		for _, d := range []int{1, 30, 7} {
			b.add(d, r)
		}
		got := m.logits(&autograd.Tape{NoGrad: true}, b, nil).Data
		tape := &autograd.Tape{NoGrad: true}
		x := m.Layer.Forward(tape, m.Embed.Forward(tape, b.ids), autograd.Packed(b.lengths...))
		want := m.Out.Forward(tape, m.Norm.Forward(tape, autograd.Rows(tape, x, b.to))).Data
		for i := range want {
			if d := got[i] - want[i]; d > 1e-5 || d < -1e-5 {
				t.Fatalf("%s: %v, want %v", c.name, got, want)
			}
		}
	}
}
