package timeline

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/nn"
)

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func all(lists ...[]Event) func(func([]Event) bool) {
	return func(yield func([]Event) bool) {
		for _, l := range lists {
			if !yield(l) {
				return
			}
		}
	}
}

// Codes are counted by patient, rare ones are left out, and quantiles are distinct.
func TestLearn(t *testing.T) {
	nan := float32(math.NaN())
	var lists [][]Event
	for i := range 100 {
		l := []Event{{Code: "NA", Values: []float32{float32(i)}}, {Code: "NA", Values: []float32{nan}}, {Code: "SEX", Values: []float32{float32(i % 2)}}}
		if i == 0 {
			l = append(l, Event{Code: "RARE"}, Event{Code: "RARE"})
		}
		lists = append(lists, l[1:], l[:1])
	}
	v, err := Learn(all(lists...), 1, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"NA", "SEX"}; !slices.Equal(v.Codes, want) {
		t.Errorf("codes %v, want %v", v.Codes, want)
	}
	if want := []float32{1, 25, 50, 74, 98}; !slices.Equal(v.Knots[0], want) {
		t.Errorf("knots %v, want %v", v.Knots[0], want)
	}
	if want := []float32{0, 1}; !slices.Equal(v.Knots[1], want) {
		t.Errorf("knots of two values are %v, want %v", v.Knots[1], want)
	}
	if v.ID("RARE") != UnknownToken || v.ID("NA") != firstCode {
		t.Errorf("ids %d and %d", v.ID("RARE"), v.ID("NA"))
	}
	s := v.Encode([]Event{{Code: "RARE", Values: []float32{3}}, {Code: "NA"}}, nan, false)
	if s.Unknown != 1 || s.Values[0] == s.Values[0] {
		t.Errorf("%d unknown, value %v of [UNK]", s.Unknown, s.Values[0])
	}
	// A vocabulary survives JSON.
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	back := &Vocabulary{}
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	if err := back.Prepare(); err != nil || back.Size() != v.Size() || back.ID("SEX") != v.ID("SEX") {
		t.Errorf("read again: %v, %d tokens", err, back.Size())
	}
}

func TestBadVocabulary(t *testing.T) {
	for want, damage := range map[string]func(v *Vocabulary){
		"timeline: no codes":                                                 func(v *Vocabulary) { v.Codes = nil },
		`timeline: code "A" occurs twice`:                                    func(v *Vocabulary) { v.Codes[1] = "A" },
		"timeline: the knots of value 0 do not ascend":                       func(v *Vocabulary) { v.Knots[0][1] = 0 },
		"timeline: value 2 has mean 20 and deviation 0":                      func(v *Vocabulary) { v.SD[2] = 0 },
		"timeline: 2 codes with 65 channels":                                 func(v *Vocabulary) { v.Channels = 65 },
		"timeline: knots, means and deviations of 3, 4 and 4 values, want 4": func(v *Vocabulary) { v.Knots = v.Knots[:3] },
	} {
		v := fixed()
		damage(v)
		if err := v.Prepare(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Interval tokens stand before what is later, by how much later it is.
func TestIntervals(t *testing.T) {
	v := fixed()
	s := v.Encode([]Event{{Code: "A", Time: 400}, {Code: "A", Time: 400}, {Code: "B", Time: 10}, {Code: "B", Time: 9.99}}, 50, true)
	var names []string
	for _, id := range s.Codes {
		names = append(names, v.Name(id))
	}
	if got, want := strings.Join(names, " "), "A A [>365 d] B [<=0.0104 d] B"; got != want {
		t.Errorf("tokens %s, want %s", got, want)
	}
}

// A sequence has the same logits, to the bit, alone and packed with others.
func TestPackingChangesNothing(t *testing.T) {
	v := fixed()
	for _, time := range []string{"time2vec", "bias", "both", "none"} {
		for _, causal := range []bool{false, true} {
			c := goldenConfig()
			c.Time, c.Causal, c.Age, c.Visits = time, causal, true, true
			m := New(c, v, source())
			p := patients(v)
			together := slices.Clone(m.Logits(&autograd.Tape{NoGrad: true}, m.Pack(nil, p[1], p[0], p[1])).Data)
			for i, s := range []*Sequence{p[1], p[0], p[1]} {
				alone := m.Logits(&autograd.Tape{NoGrad: true}, m.Pack(nil, s)).Data
				if !slices.Equal(alone, together[2*i:2*i+2]) {
					t.Errorf("%s, causal %v, %d: %v alone, %v packed", time, causal, i, alone, together[2*i:2*i+2])
				}
			}
		}
	}
}

// Events of one time may stand in any order; without time the model is blind to
// when they were, with it it is not.
func TestTime(t *testing.T) {
	v := fixed()
	logit := func(m *Model, events ...Event) float64 {
		s := v.Encode(events, 50, m.Config.Time == "tokens")
		return float64(m.Logits(&autograd.Tape{NoGrad: true}, m.Pack(nil, &s)).Data[0])
	}
	a, b := Event{Code: "A", Values: []float32{1, 0}, Time: 2}, Event{Code: "B", Values: []float32{12, 0}, Time: 2}
	far := a
	far.Time = 500
	for _, time := range []string{"time2vec", "bias", "both", "tokens", "none"} {
		c := goldenConfig()
		c.Time = time
		m := New(c, v, source())
		if d := logit(m, a, b) - logit(m, b, a); math.Abs(d) > 1e-5 {
			t.Errorf("%s: order of equal times changes the logit by %g", time, d)
		}
		if d := math.Abs(logit(m, far, b) - logit(m, a, b)); (d < 1e-4) != (time == "none") {
			t.Errorf("%s: 498 days change the logit by %g", time, d)
		}
	}
}

// In a causal model a token knows nothing of what follows it.
func TestCausal(t *testing.T) {
	v := fixed()
	c := goldenConfig()
	c.Causal = true
	m := New(c, v, source())
	encode := func(events ...Event) []float32 {
		s := v.Encode(events, 50, false)
		return m.Encode(&autograd.Tape{NoGrad: true}, m.Pack(nil, &s)).Data[:8]
	}
	if !slices.Equal(encode(Event{Code: "A", Time: 2}), encode(Event{Code: "A", Time: 2}, Event{Code: "B", Time: 1})) {
		t.Error("the first token of a causal model changes with the second")
	}
}

func TestMaxTokens(t *testing.T) {
	v := fixed()
	c := goldenConfig()
	c.MaxTokens = 2
	m := New(c, v, source())
	b := m.Pack(nil, patients(v)...)
	if want := []int32{-1, 2, 3, -1, 0}; !slices.Equal(b.Sources, want) {
		t.Errorf("rows come from %v, want the last two of each patient, %v", b.Sources, want)
	}
}

// A value beyond the quantiles is the last of them; between two it is between.
func TestKnots(t *testing.T) {
	v := fixed()
	for x, want := range map[float32]string{-9: "0 0 0", 0: "0 1 0", 0.25: "0 1 0.25", 3: "2 3 0.5", 4: "3 3 0", 99: "3 3 0"} {
		lo, hi, f := v.between(0, x)
		if got := fmt.Sprint(lo, hi, f); got != want {
			t.Errorf("%v lies at %s, want %s", x, got, want)
		}
	}
	for x, want := range map[float32]int32{-9: 6, 19: 6, 20: 7, 29: 7, 30: 8, 99: 8} {
		if got := v.bin(2, x); got != want {
			t.Errorf("%v is in row %d, want %d", x, got, want)
		}
	}
}

// What is hidden has neither code nor value, and a model learns to tell it.
func TestHide(t *testing.T) {
	v := fixed()
	m := New(goldenConfig(), v, source())
	b := m.Pack(nil, patients(v)...)
	rows, codes := b.Hide(0.99999, source())
	if want := []int32{1, 2, 3, 6}; !slices.Equal(rows, want) {
		t.Errorf("hidden rows %v, want %v: all but [CLS] and [UNK]", rows, want)
	}
	if want := []int32{17, 18, 18, 17}; !slices.Equal(codes, want) {
		t.Errorf("hidden codes %v, want %v", codes, want)
	}
	for i, r := range rows {
		if b.Codes[r] != MaskToken || slices.Max(b.weights[int(r)*b.perToken:int(r+1)*b.perToken]) != 0 {
			t.Errorf("row %d of code %d is not hidden", r, codes[i])
		}
	}
}

// The loss of a forecast is the mean squared error of what came.
func TestForecastLoss(t *testing.T) {
	v := fixed()
	f := []Future{v.Future([]string{"A", "B", "C"}, []float32{3, 20, 7}), v.Future(nil, nil)}
	if want := (Future{Codes: []int32{17, 18}, Values: []float32{1, 0}}); fmt.Sprint(f[0]) != fmt.Sprint(want) {
		t.Errorf("future %v, want %v", f[0], want)
	}
	x := autograd.Param(2, v.Size())
	x.Data[17], x.Data[18], x.Data[v.Size()+17] = 3, 1, 9
	tape := &autograd.Tape{}
	loss := ForecastLoss(tape, x, f, 2)
	if want := float32((4 + 1) / 2. / 2); loss.Data[0] != want {
		t.Errorf("loss %v, want %v", loss.Data[0], want)
	}
	tape.Backward(loss)
	g := tape.Grad(x)
	if g[17] != 1 || g[18] != 0.5 || g[v.Size()+17] != 0 {
		t.Errorf("gradients %v %v %v", g[17], g[18], g[v.Size()+17])
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"layers -1: want 0 to 64":                                 func(c *Config) { c.Layers = -1 },
		"heads 3: want a divisor of dim 8":                        func(c *Config) { c.Heads = 3 },
		`value "x": want bins, knots, linear, projection or none`: func(c *Config) { c.Value = "x" },
		`time "x": want time2vec, bias, both, tokens or none`:     func(c *Config) { c.Time = "x" },
		"dropout 1: want 0 or more, less than 1":                  func(c *Config) { c.Dropout = 1 },
		"lag_unit 0: want a positive number of days":              func(c *Config) { c.LagUnit = 0 },
		"max_tokens 0: want 1 to 65536":                           func(c *Config) { c.MaxTokens = 0 },
		"outputs 0: want 1 to 1000":                               func(c *Config) { c.Outputs = 0 },
	} {
		c := goldenConfig()
		change(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNewIsDeterministic(t *testing.T) {
	a, b := nn.Params(New(goldenConfig(), fixed(), source())), nn.Params(New(goldenConfig(), fixed(), source()))
	for i := range a {
		if !slices.Equal(a[i].Data, b[i].Data) {
			t.Errorf("parameter %d differs between two models of one seed", i)
		}
	}
}

// A hidden value is a target and no input: with every value hidden, the loss is the
// square of its distance from what the model expects, whatever the value is. Without
// hidden values there is no loss.
func TestValueLoss(t *testing.T) {
	var lists [][]Event
	for i := range 9 {
		lists = append(lists, []Event{{Code: "NA", Values: []float32{float32(i)}}, {Code: "DX"}})
	}
	v, err := Learn(all(lists...), 1, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Layers, c.Dim, c.Heads, c.FFN, c.Value, c.Time, c.Causal, c.Dropout = 1, 8, 2, 8, "projection", "bias", true, 0
	m := New(c, v, source())
	loss := func(value, rate float64) float64 {
		k := v.ID("NA") - firstCode
		raw := []float32{v.Mean[k] + float32(value)*v.SD[k]}
		s := v.Encode([]Event{{Code: "NA", Time: 9, Values: raw}, {Code: "DX", Time: 5}, {Code: "NA", Time: 2, Values: raw}}, 50, false)
		var tape autograd.Tape
		return float64(m.ValueLoss(&tape, source(), rate, 4, &s, &s, &s, &s).Data[0])
	}
	if second := loss(1, 1) - 2*loss(0, 1) + loss(-1, 1); math.Abs(second-2) > 1e-4 {
		t.Errorf("second difference of the loss %v, want 2: the model sees what it must tell", second)
	}
	if peek := loss(1, 0.5) - 2*loss(0, 0.5) + loss(-1, 0.5); math.Abs(peek-2) < 1e-3 {
		t.Error("values that are not hidden do not matter")
	}
	if l := loss(1, 0); l != 0 {
		t.Errorf("loss %v of nothing", l)
	}
}
