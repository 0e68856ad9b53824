package explain

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"heed/autograd"
	"heed/model/sequence"
	"heed/nn"
)

func direct(t *testing.T, c *Case, e *Encoder) *Direct {
	t.Helper()
	d, err := DirectLogitAttribution(c, e)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDirectSums(t *testing.T) {
	eachModel(t, func(t *testing.T, m *sequence.Model, c *Case) {
		d := direct(t, c, encoderOf(m, 1))
		if math.Abs(d.Sum()-c.Score()) > 1e-4*math.Abs(c.Score()) {
			t.Errorf("sum %v, score %v", d.Sum(), c.Score())
		}
		for l, heads := range d.Heads {
			for h, v := range heads {
				closeTo(t, "sources", []float64{addUp(d.Sources[l][h])}, []float64{v}, 1e-12)
			}
		}
		if len(d.Input) != c.Rows || len(d.Heads) != len(m.Layers) || len(d.FeedForward) != len(m.Layers) || len(d.Heads[0]) != 2 {
			t.Errorf("shapes of %+v", d)
		}
	})
}

// TestDirectIsWhatTheLastLayerLoses: with a last norm that is linear and no
// feed-forward part in the last layer, taking away a head, or one of its keys,
// lowers the score by its part.
func TestDirectIsWhatTheLastLayerLoses(t *testing.T) {
	for _, pooling := range []string{"cls", "mean"} {
		m := unplacedModel(t, 2, pooling)
		straighten(m.Norm)
		last := m.Layers[1]
		c := caseOf(m, nineLetters, 1)
		without := func(suffix string, change func(v *autograd.Var)) float64 {
			return float64(c.Run(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
				if strings.HasPrefix(name, last.Name) && strings.HasSuffix(name, suffix) {
					change(v)
				}
			}}, 1).Data[0])
		}

		clear(last.Down.Bias.Data)
		d := direct(t, c, encoderOf(m, 1))
		var middle []float32
		without(".middle", func(v *autograd.Var) { middle = append(middle, v.Data...) })
		got := d.Score - without(".output", func(v *autograd.Var) { copy(v.Data, middle) })
		closeTo(t, pooling+" feed-forward", []float64{d.FeedForward[1]}, []float64{got}, 1e-4)

		clear(last.Down.Weight.Data)
		d = direct(t, c, encoderOf(m, 1))
		for h := range 2 {
			fall := d.Score - without(".heads", func(v *autograd.Var) {
				for i := range c.Rows {
					clear(v.Data[i*8+h*4 : i*8+h*4+4])
				}
			})
			closeTo(t, fmt.Sprint(pooling, " head ", h), []float64{d.Heads[1][h]}, []float64{fall}, 1e-4)
			for j := range c.Rows {
				fall := d.Score - without(".weights", func(v *autograd.Var) {
					for i := range c.Rows {
						v.Data[(h*c.Rows+i)*c.Rows+j] = 0
					}
				})
				closeTo(t, fmt.Sprint(pooling, " head ", h, " source ", j), []float64{d.Sources[1][h][j]}, []float64{fall}, 1e-4)
			}
		}
	}
}

func TestDirectWithoutOutputProjection(t *testing.T) {
	m, c := smallCase(t, "cls")
	for _, l := range m.Layers {
		clear(l.Mixer.(*nn.MultiHeadAttention).Out.Weight.Data)
	}
	d := direct(t, c, encoderOf(m, 1))
	for l, heads := range d.Heads {
		if heads[0] != 0 || heads[1] != 0 {
			t.Errorf("layer %d: heads %v", l, heads)
		}
	}
	// Nothing reaches [CLS]: its own row has all of what the rows have.
	for i, v := range decompose(t, c, encoderOf(m, 1)).Values {
		if (v == 0) != (i > 0) {
			t.Errorf("row %d has %v", i, v)
		}
	}
}

func TestDirectOfTheOtherClass(t *testing.T) {
	m, c := smallCase(t, "mean")
	a, b := direct(t, c, encoderOf(m, 1)), direct(t, caseOf(m, nineLetters, 0), encoderOf(m, 0))
	if a.Bias != -b.Bias || a.Heads[1][0] != -b.Heads[1][0] || a.FeedForward[0] != -b.FeedForward[0] || a.Input[3] != -b.Input[3] {
		t.Errorf("%+v and %+v", a, b)
	}
}
