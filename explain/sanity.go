package explain

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/autograd"
	"heed/nn"
)

// A Grade is the result of a sanity check.
type Grade string

const (
	Pass      Grade = "pass"
	Warn      Grade = "warn"
	Fail      Grade = "fail"
	Undecided Grade = "undecided" // the inputs are too short to tell, or the maps are flat
)

// A Redraw overwrites the values of one parameter by random ones.
type Redraw func(data []float32, r *rand.Rand)

// PermuteValues puts the values of a parameter into a random order: their
// distribution stays. A bias of zeros stays too.
func PermuteValues(data []float32, r *rand.Rand) {
	r.Shuffle(len(data), func(i, j int) { data[i], data[j] = data[j], data[i] })
}

// NormalValues draws new values from the normal distribution of the mean and the
// standard deviation of the old ones.
func NormalValues(data []float32, r *rand.Rand) {
	mean, square := 0.0, 0.0
	for _, v := range data {
		mean += float64(v) / float64(len(data))
	}
	for _, v := range data {
		square += (float64(v) - mean) * (float64(v) - mean) / float64(len(data))
	}
	for i := range data {
		data[i] = float32(mean + math.Sqrt(square)*r.NormFloat64())
	}
}

// LayerName returns the layer to which a parameter belongs by the names of
// package nn: "layers.3" of "layers.3.attention.query.weight", "embed" of
// "embed.weight".
func LayerName(parameter string) string {
	parts := strings.Split(parameter, ".")
	if len(parts) > 1 && strings.Trim(parts[1], "0123456789") == "" {
		return parts[0] + "." + parts[1]
	}
	return parts[0]
}

// A ParameterTest asks whether a map depends on what a model has learned
// (Adebayo et al. 2018): a map that stays as it is when the parameters become
// random shows the input, not the model.
type ParameterTest struct {
	Module nn.Module
	// Layer groups parameters by name; those of the layer "" are left alone. It
	// is called in the order of Visit, from input to output. Nil means [LayerName].
	Layer func(parameter string) string
	// Redraw randomises a parameter; nil means [PermuteValues].
	Redraw Redraw
}

// A RandomisedStep is what is left of the maps.
type RandomisedStep struct {
	Layers []string    // those with random parameters
	Rho    Correlation // mean of |rank correlation| with the original maps
}

// A Randomised is the result of a [ParameterTest].
type Randomised struct {
	// Cascade randomises from the output down, one layer more in each step, and
	// Independent one layer at a time, the others as they were learned.
	Cascade, Independent []RandomisedStep
	// Chance is the mean |rank correlation| of unrelated maps of this length,
	// about sqrt(2/(π(M-1))).
	Chance   float64
	Grade    Grade
	Sentence string
}

// Run compares the maps of a method (examples, M), which scores returns for the
// parameters as they are when it is called, with those under random parameters:
// 2·layers + 1 calls. The test writes into the parameters and restores them
// before it returns, so that nothing else may use the module meanwhile.
//
// The grade is that of the last step of the cascade: pass up to 0.2, warn up to
// 0.5, fail above. Below 17 features unrelated maps are not expected to stay
// below 0.2, and what is between 0.2 and 0.5 is undecided. To pass is necessary
// and not sufficient: the rollout of random attention has nothing to do with that
// of trained attention either, and is no more faithful for it.
func (p ParameterTest) Run(ctx context.Context, rng *rand.Rand, scores func() ([][]float64, error)) (*Randomised, error) {
	layer, redraw := p.Layer, p.Redraw
	if layer == nil {
		layer = LayerName
	}
	if redraw == nil {
		redraw = PermuteValues
	}
	type parameter struct {
		layer             string
		v                 *autograd.Var
		original, changed []float32
	}
	var params []parameter
	var layers []string // the output first
	p.Module.Visit("", func(name string, v *autograd.Var) {
		l := layer(name)
		if l == "" || slices.ContainsFunc(params, func(q parameter) bool { return q.v == v }) {
			return
		}
		q := parameter{l, v, slices.Clone(v.Data), slices.Clone(v.Data)}
		redraw(q.changed, rng)
		params = append(params, q)
		if !slices.Contains(layers, l) {
			layers = slices.Insert(layers, 0, l)
		}
	})
	if len(params) == 0 {
		return nil, fmt.Errorf("no parameter to randomise")
	}
	set := func(random []string) {
		for _, q := range params {
			if slices.Contains(random, q.layer) {
				copy(q.v.Data, q.changed)
			} else {
				copy(q.v.Data, q.original)
			}
		}
	}
	defer set(nil)

	original, err := scores()
	if err != nil {
		return nil, err
	}
	original = cloneMaps(original)
	seed := rng.Uint64()
	step := func(random []string) (RandomisedStep, error) {
		if err := ctx.Err(); err != nil {
			return RandomisedStep{}, err
		}
		set(random)
		maps, err := scores()
		if err != nil {
			return RandomisedStep{}, err
		}
		rho, err := correlations(original, maps)
		if err != nil {
			return RandomisedStep{}, err
		}
		return RandomisedStep{random, correlation(seed, sizes(rho))}, nil
	}
	out := &Randomised{Chance: chance(original)}
	for i := range layers {
		s, err := step(layers[:i+1])
		if err != nil {
			return nil, err
		}
		out.Cascade = append(out.Cascade, s)
		if i > 0 { // the first is that of the cascade
			if s, err = step(layers[i : i+1]); err != nil {
				return nil, err
			}
		}
		out.Independent = append(out.Independent, s)
	}
	out.grade()
	return out, nil
}

// grade reads the last step of the cascade.
func (r *Randomised) grade() {
	rho := r.Cascade[len(r.Cascade)-1].Rho
	switch e := rho.Estimate; {
	case math.IsNaN(e):
		r.Grade = Undecided
		r.Sentence = "undecided: the maps are flat"
		return
	case e <= 0.2:
		r.Grade = Pass
	case e > 0.5:
		r.Grade = Fail
	case r.Chance > 0.2:
		r.Grade = Undecided
	default:
		r.Grade = Warn
	}
	r.Sentence = fmt.Sprintf("%s: with random parameters the map keeps a rank correlation of %.2f in size (unrelated maps: %.2f; %d examples)", r.Grade, rho.Estimate, r.Chance, rho.Examples)
	if r.Grade == Pass {
		r.Sentence += "; this is necessary and not sufficient"
	}
}

// chance returns the mean over maps of the expected |rank correlation| with an
// unrelated one, which is about normal with variance 1/(M-1).
func chance(maps [][]float64) float64 {
	sum := 0.0
	for _, m := range maps {
		sum += min(1, math.Sqrt(2/math.Pi/float64(max(1, len(m)-1)))) / float64(len(maps))
	}
	return sum
}

func cloneMaps(maps [][]float64) [][]float64 {
	out := make([][]float64, len(maps))
	for i, m := range maps {
		out[i] = slices.Clone(m)
	}
	return out
}

// correlations returns the rank correlation of the maps of each example.
func correlations(a, b [][]float64) ([]float64, error) {
	if len(a) == 0 || len(a) != len(b) {
		return nil, fmt.Errorf("maps of %d and of %d examples", len(a), len(b))
	}
	rho := make([]float64, len(a))
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return nil, fmt.Errorf("example %d: maps of %d and of %d features", i, len(a[i]), len(b[i]))
		}
		if slices.ContainsFunc(a[i], math.IsNaN) || slices.ContainsFunc(b[i], math.IsNaN) {
			return nil, fmt.Errorf("example %d: a score is not a number", i)
		}
		rho[i] = spearman(a[i], b[i])
	}
	return rho, nil
}

// A LogitTest compares the maps for two classes.
type LogitTest struct {
	Rho Correlation // mean rank correlation
	// ClassAgnostic maps are the same for both classes in every example: the
	// method cannot say what speaks for a class, by construction.
	ClassAgnostic bool
}

// RandomLogit compares the maps of a method for one class (examples, M) with
// those for another one (the random-logit test of Sixt et al. 2020). A map that
// knows the class has a low correlation; signed maps of the log-odds of two
// classes have -1. To pass is necessary and not sufficient.
func RandomLogit(rng *rand.Rand, a, b [][]float64) (*LogitTest, error) {
	rho, err := correlations(a, b)
	if err != nil {
		return nil, err
	}
	out := &LogitTest{Rho: correlation(rng.Uint64(), rho), ClassAgnostic: true}
	for i := range a {
		largest, difference := 0.0, 0.0
		for k, v := range a[i] {
			largest, difference = max(largest, math.Abs(v)), max(difference, math.Abs(v-b[i][k]))
		}
		out.ClassAgnostic = out.ClassAgnostic && difference <= 1e-6*largest
	}
	return out, nil
}

// A Stability says how much maps depend on the seed of the training.
type Stability struct {
	Rho             [][]float64 // (models, models) mean rank correlation over examples
	Mean, Low, High float64     // over pairs of models; Low and High are the extremes
}

// SeedStability compares the maps (models, examples, M) of models that were
// trained alike from different seeds. Maps that differ although the models
// predict alike say little about the data; maps that agree may still be wrong.
// Examples in which a map is flat are left out; NaN where nothing is left.
func SeedStability(maps [][][]float64) (*Stability, error) {
	n := len(maps)
	if n < 2 {
		return nil, fmt.Errorf("maps of %d models: want 2 or more", n)
	}
	out := &Stability{Rho: make([][]float64, n), Low: math.Inf(1), High: math.Inf(-1)}
	for i := range maps {
		out.Rho[i] = make([]float64, n)
		out.Rho[i][i] = 1
		for j := range i {
			rho, err := correlations(maps[j], maps[i])
			if err != nil {
				return nil, fmt.Errorf("models %d and %d: %w", j, i, err)
			}
			mean := correlation(0, rho).Estimate
			out.Rho[i][j], out.Rho[j][i] = mean, mean
			out.Mean += mean / float64(n*(n-1)/2)
			out.Low, out.High = min(out.Low, mean), max(out.High, mean)
		}
	}
	return out, nil
}
