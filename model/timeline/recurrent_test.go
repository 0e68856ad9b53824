package timeline

import (
	"math"
	"math/rand/v2"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// A recurrent model is as large as the encoder, gives a sequence the same logits
// whatever it is packed with, and reads code, value, time and order.
func TestRecurrent(t *testing.T) {
	v := &Vocabulary{Codes: []string{"A", "B"}, Channels: 1, Knots: [][]float32{{}, {}}, Mean: []float32{0, 0}, SD: []float32{1, 1}}
	if err := v.Prepare(); err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Value, c.Dim, c.FFN, c.ValueHidden = "projection", 16, 32, 4
	sequence := func(events ...Event) *Sequence {
		s := v.Encode(events, float32(math.NaN()), false)
		return &s
	}
	for _, kind := range RecurrentKinds() {
		m, err := NewRecurrent(kind, c, v, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		want := New(c, v, nil).Parameters()
		if n := nn.Count(m); 50*max(n-want, want-n) > want {
			t.Errorf("%s has %d parameters, the encoder %d", kind, n, want)
		}
		logit := func(s *Sequence, others ...*Sequence) float32 {
			return m.Logits(&autograd.Tape{NoGrad: true}, append([]*Sequence{s}, others...)...).Data[0]
		}
		base := sequence(Event{"A", []float32{1}, 20, 0}, Event{"B", []float32{2}, 3, 0})
		z := logit(base)
		if other := logit(base, sequence(Event{Code: "B", Time: 7})); other != z {
			t.Errorf("%s: %v alone and %v in company", kind, z, other)
		}
		for what, s := range map[string]*Sequence{
			"code":  sequence(Event{"B", []float32{1}, 20, 0}, Event{"B", []float32{2}, 3, 0}),
			"value": sequence(Event{"A", []float32{1.5}, 20, 0}, Event{"B", []float32{2}, 3, 0}),
			"none":  sequence(Event{"A", nil, 20, 0}, Event{"B", []float32{2}, 3, 0}),
			"time":  sequence(Event{"A", []float32{1}, 40, 0}, Event{"B", []float32{2}, 3, 0}),
			"order": sequence(Event{"B", []float32{2}, 20, 0}, Event{"A", []float32{1}, 3, 0}),
		} {
			if logit(s) == z {
				t.Errorf("%s does not see another %s", kind, what)
			}
		}
	}
}

func TestUntil(t *testing.T) {
	s := Sequence{Codes: []int32{5, 6, 7}, Times: []float32{30, 20, 4}, Visits: make([]int32, 3), Values: []float32{1, 2, 3, 4, 5, 6}, Age: 50}
	u := s.Until(2)
	if len(u.Codes) != 2 || len(u.Visits) != 2 || len(u.Values) != 4 || u.Times[0] != 10 || u.Times[1] != 0 || u.Age != 50 {
		t.Errorf("%+v", u)
	}
	if all := s.Until(3); all.Times[2] != 4 {
		t.Errorf("%+v", all)
	}
}
