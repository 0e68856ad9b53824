package explain

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"heed/metric"
)

// A Method is what gives scores to the features of an input.
type Method struct {
	Name string
	// Unsigned scores say how much and not for or against: attention, rollout,
	// norms, whatever is clamped at 0. They are ranked by value, signed ones by
	// signed value for the class that is explained.
	Unsigned bool
}

// An Example is one input that several methods have explained.
type Example struct {
	Game   *Game
	Scores [][]float64 // (methods, M)
}

// A Referee tests whether the scores of methods are faithful: whether the
// features on top of a ranking are those that the model's score f rests on. The
// zero Referee has useful settings.
type Referee struct {
	// Replacement says in the verdicts how the games replace features, such as
	// "mask". A verdict is one about the replacement too: ask for one with each.
	Replacement string
	// Shares of the features that are taken; nil means [Shares].
	Shares []float64
	// Orders is the number of random orders; 0 means 20 for each of several
	// examples, and 39 for a single one, the fewest from which a 95 % interval
	// can be told.
	Orders int
	// Resamples of the bootstrap; 0 means 2000.
	Resamples int
}

// Shares are the shares of features over which ERASER (DeYoung et al. 2020)
// averages.
func Shares() []float64 { return []float64{0.01, 0.05, 0.10, 0.20, 0.50} }

// A Verification is what a referee found out.
type Verification struct {
	Replacement string
	Examples    int
	Orders      int    // random orders for each example
	Over        string // what the intervals are over: "examples" or "random orders"
	// Shares of features at the points of the curves: 0, those of the referee, 1.
	Shares                          []float64
	RandomDeletion, RandomInsertion []float64 // mean curves of random orders
	Methods                         []Faithfulness
}

// Faithfulness is the verdict on one method.
type Faithfulness struct {
	Method
	Comprehensiveness Gain
	Sufficiency       Gain
	Signs             SignViolations
	// Deletion is the mean of f without the top features, Insertion that of f with
	// nothing else, at the shares of the verification.
	Deletion, Insertion []float64
	Sentence            string // the verdict in words, to be shown beside the map
}

// Unfaithful returns the sentence to show beside a map of method m, or nothing if
// the method beat random orders under one of the replacements at least.
func Unfaithful(replacements []*Verification, m int) string {
	sentence := ""
	for _, r := range replacements {
		if f := &r.Methods[m]; f.Faithful() {
			return ""
		} else if sentence == "" {
			sentence = f.Sentence
		}
	}
	return sentence
}

// Faithful reports that both tests beat random orders.
func (f *Faithfulness) Faithful() bool { return f.Comprehensiveness.Beats && f.Sufficiency.Beats }

// A Gain compares a method with random orders of the same features.
type Gain struct {
	AOPC   float64 // area over the perturbation curve, mean over examples
	Random float64 // that of random orders
	// Gain is by how much the method is better: AOPC - Random for
	// comprehensiveness, of which much is good, and Random - AOPC for sufficiency,
	// of which little is.
	Gain  metric.Interval
	Beats bool // the interval lies above 0
}

// Verify tests methods on some examples. With k features on top of a ranking
// (DeYoung et al. 2020),
//
//	comprehensiveness = f(all) - f(all without the top k)
//	sufficiency       = f(all) - f(only the top k)
//	AOPC              = mean over k of 1, 5, 10, 20 and 50 % of the features, at least one
//
// against random orders of the same features, the same for all methods, so that
// everything is compared at one budget. Equal scores are ranked at random. Each
// example costs 2 + 2·K·(methods + orders) evaluations for K different k, and
// 1 + M for the signs if a method has one.
//
// The interval of several examples is a percentile bootstrap over examples of
// the mean gain, made wider by t/z·sqrt(n/(n-1)) (with Student's t for n-1),
// without which it is too narrow for a few. That of one example holds the middle
// 95 % of the differences to its random orders: whether a random order could
// have done as well. A method beats random only if the interval excludes 0.
//
// What it cannot tell: whether a method that fails would have been right under
// another replacement, since inputs with features replaced are not inputs that
// the model was trained on; and whether a method that passes is right in order
// and size, for random orders are a low floor. Where either of two features
// would do, a perfect account of the model has no comprehensiveness.
func (r Referee) Verify(ctx context.Context, rng *rand.Rand, methods []Method, examples []Example) (*Verification, error) {
	if err := checkExamples(methods, examples); err != nil {
		return nil, err
	}
	out := &Verification{Replacement: r.Replacement, Examples: len(examples), Orders: r.Orders, Over: "examples"}
	if len(examples) == 1 {
		out.Over = "random orders"
		out.Orders = cmp.Or(out.Orders, singleOrders)
		if out.Orders < singleOrders {
			return nil, fmt.Errorf("%d random orders: one example needs %d for a 95 %% interval", out.Orders, singleOrders)
		}
	}
	out.Orders = cmp.Or(out.Orders, 20)
	shares := r.Shares
	if shares == nil {
		shares = Shares()
	}
	for _, s := range shares {
		if !(s > 0 && s < 1) {
			return nil, fmt.Errorf("share %v of the features: want more than 0 and less than 1", s)
		}
	}
	if out.Orders < 1 || len(shares) == 0 {
		return nil, fmt.Errorf("%d random orders of %d shares: want 1 or more", out.Orders, len(shares))
	}
	out.Shares = append(append([]float64{0}, shares...), 1)

	signed := slices.ContainsFunc(methods, func(m Method) bool { return !m.Unsigned })
	curves := make([][]curve, len(examples)) // (examples, methods + orders)
	occlusions := make([]*Occlusion, len(examples))
	for i, e := range examples {
		tie := rng.Perm(e.Game.Features)
		rankings := make([][]int, 0, len(methods)+out.Orders)
		for _, scores := range e.Scores {
			rankings = append(rankings, ranking(scores, tie))
		}
		for range out.Orders {
			rankings = append(rankings, rng.Perm(e.Game.Features))
		}
		var err error
		if curves[i], err = curvesOf(ctx, e.Game, rankings, shares); err != nil {
			return nil, fmt.Errorf("example %d: %w", i, err)
		}
		if signed {
			if occlusions[i], err = e.Game.Occlusion(ctx); err != nil {
				return nil, fmt.Errorf("example %d: %w", i, err)
			}
		}
	}
	resamples := cmp.Or(r.Resamples, 2000)
	seed := rng.Uint64()
	for o := range out.Orders {
		out.RandomDeletion, out.RandomInsertion = addMeanCurve(out.RandomDeletion, out.RandomInsertion, curves, len(methods)+o, out.Orders)
	}
	for m, method := range methods {
		f := Faithfulness{Method: method}
		f.Deletion, f.Insertion = addMeanCurve(nil, nil, curves, m, 1)
		f.Comprehensiveness = gainOf(curves, m, len(methods), 1, rand.New(rand.NewPCG(seed, 0)), resamples, curve.comprehensiveness)
		f.Sufficiency = gainOf(curves, m, len(methods), -1, rand.New(rand.NewPCG(seed, 1)), resamples, curve.sufficiency)
		f.Signs = SignViolations{Unsigned: method.Unsigned, Rate: metric.Wilson(0, 0)}
		if !method.Unsigned {
			scores := make([][]float64, len(examples))
			for i, e := range examples {
				scores[i] = e.Scores[m]
			}
			f.Signs = CheckSigns(rand.New(rand.NewPCG(seed, 2)), resamples, scores, occlusions)
		}
		f.Sentence = out.sentence(&f)
		out.Methods = append(out.Methods, f)
	}
	return out, nil
}

// singleOrders is the number of random orders at which the range of the
// differences to them holds 0 in 95 % for one order more: 1 - 2/(39+1).
const singleOrders = 39

func checkExamples(methods []Method, examples []Example) error {
	if len(methods) == 0 || len(examples) == 0 {
		return fmt.Errorf("%d methods on %d examples: want 1 or more", len(methods), len(examples))
	}
	for i, e := range examples {
		if e.Game.Features < 1 {
			return fmt.Errorf("example %d has no features", i)
		}
		if len(e.Scores) != len(methods) {
			return fmt.Errorf("example %d has scores of %d methods, want %d", i, len(e.Scores), len(methods))
		}
		for m, scores := range e.Scores {
			if len(scores) != e.Game.Features {
				return fmt.Errorf("example %d, %s: %d scores for %d features", i, methods[m].Name, len(scores), e.Game.Features)
			}
			for k, s := range scores {
				if math.IsNaN(s) {
					return fmt.Errorf("example %d, %s: the score of feature %d is not a number", i, methods[m].Name, k)
				}
			}
		}
	}
	return nil
}

// ranking returns the features, the highest score first; equal ones as they are
// in tie.
func ranking(scores []float64, tie []int) []int {
	order := slices.Clone(tie)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	return order
}

// top returns how many features a share of m is, at least one.
func top(share float64, m int) int {
	return min(m, max(1, int(math.Round(share*float64(m)))))
}

// A curve is f along one ranking, at the shares: 0, those of the referee, 1.
type curve struct{ deletion, insertion []float64 }

// comprehensiveness returns its AOPC.
func (c curve) comprehensiveness() float64 { return aopc(c.deletion[0], c.deletion) }

// sufficiency returns its AOPC.
func (c curve) sufficiency() float64 { return aopc(c.deletion[0], c.insertion) }

// aopc returns the mean of full - f over the shares of the referee.
func aopc(full float64, f []float64) float64 {
	sum := 0.0
	for _, v := range f[1 : len(f)-1] {
		sum += full - v
	}
	return sum / float64(len(f)-2)
}

// curvesOf evaluates the curves of some rankings: every coalition of one ranking
// once.
func curvesOf(ctx context.Context, g *Game, rankings [][]int, shares []float64) ([]curve, error) {
	var ks []int
	for _, s := range shares {
		if k := top(s, g.Features); !slices.Contains(ks, k) {
			ks = append(ks, k)
		}
	}
	per := 2 * len(ks)
	v, err := g.values(ctx, 2+per*len(rankings), func(s int, keep []bool) {
		switch s {
		case 0:
			keepAll(keep)
			return
		case 1:
			return
		}
		s -= 2
		without := s%per < len(ks)
		if without {
			keepAll(keep)
		}
		for _, i := range rankings[s/per][:ks[s%len(ks)]] {
			keep[i] = !without
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]curve, len(rankings))
	for i := range out {
		c := curve{[]float64{v[0]}, []float64{v[1]}}
		for _, s := range shares {
			at := 2 + i*per + slices.Index(ks, top(s, g.Features))
			c.deletion = append(c.deletion, v[at])
			c.insertion = append(c.insertion, v[at+len(ks)])
		}
		out[i] = curve{append(c.deletion, v[1]), append(c.insertion, v[0])}
	}
	return out, nil
}

// addMeanCurve adds the mean over examples of the curves of ranking r, divided by
// n, to deletion and insertion.
func addMeanCurve(deletion, insertion []float64, curves [][]curve, r, n int) (del, ins []float64) {
	points := len(curves[0][r].deletion)
	if deletion == nil {
		deletion, insertion = make([]float64, points), make([]float64, points)
	}
	for _, c := range curves {
		for p := range points {
			deletion[p] += c[r].deletion[p] / float64(n*len(curves))
			insertion[p] += c[r].insertion[p] / float64(n*len(curves))
		}
	}
	return deletion, insertion
}

// gainOf compares method m with the random orders, which come behind the
// methods; sign is 1 if much is good and -1 if little is.
func gainOf(curves [][]curve, m, methods int, sign float64, rng *rand.Rand, resamples int, area func(curve) float64) Gain {
	g := Gain{}
	n := len(curves)
	gain := make([]float64, n) // mean over orders, for each example
	var differences []float64  // to each order
	for i, c := range curves {
		mine, orders := area(c[m]), float64(len(c)-methods)
		g.AOPC += mine / float64(n)
		for _, random := range c[methods:] {
			other := area(random)
			g.Random += other / orders / float64(n)
			gain[i] += sign * (mine - other) / orders
			differences = append(differences, sign*(mine-other))
		}
	}
	if n == 1 {
		g.Gain = middle(differences)
	} else {
		g.Gain = bootstrapMean(rng, resamples, gain)
	}
	g.Beats = g.Gain.Low > 0
	return g
}

// middle returns the mean of at least 39 values and the limits of their middle 95 %, such
// that one value more would be outside of them with a chance of at most 5 %.
func middle(x []float64) metric.Interval {
	x = slices.Sorted(slices.Values(x))
	iv := metric.Interval{Resamples: len(x)}
	for _, v := range x {
		iv.Estimate += v / float64(len(x))
	}
	iv.SD = standardError(len(x), iv.Estimate, func(i int) float64 { return x[i] }) * math.Sqrt(float64(len(x)))
	cut := (len(x)+1)/40 - 1
	iv.Low, iv.High = x[cut], x[len(x)-1-cut]
	return iv
}

// bootstrapMean returns the mean of x (n), NaN left out, with its bootstrap
// interval, made wider as [Referee.Verify] says. One value has no interval.
func bootstrapMean(rng *rand.Rand, resamples int, x []float64) metric.Interval {
	x = slices.DeleteFunc(slices.Clone(x), math.IsNaN)
	n := float64(len(x))
	iv := metric.Bootstrap(rng, len(x), resamples, func(idx []int) float64 {
		sum := 0.0
		for _, i := range idx {
			sum += x[i] / n
		}
		return sum
	})
	if len(x) < 2 {
		iv.Low, iv.High, iv.SD = math.NaN(), math.NaN(), math.NaN()
		return iv
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975)
	wider := t / distuv.UnitNormal.Quantile(0.975) * math.Sqrt(n/(n-1))
	iv.Low = iv.Estimate - wider*(iv.Estimate-iv.Low)
	iv.High = iv.Estimate + wider*(iv.High-iv.Estimate)
	return iv
}

// sentence says in words what was found about a method.
func (v *Verification) sentence(f *Faithfulness) string {
	c, s := &f.Comprehensiveness, &f.Sufficiency
	verdict := "not faithful here"
	switch {
	case f.Faithful():
		verdict = "faithful here"
	case c.Gain.High < 0 || s.Gain.High < 0:
		verdict = "not faithful here, worse than random in one test at least"
	case c.Beats:
		verdict = "faithful here in what it puts on top, not in that this is enough"
	case s.Beats:
		verdict = "faithful here in that what it puts on top is enough, not in that it is needed"
	}
	of := fmt.Sprintf("%d examples", v.Examples)
	if v.Examples == 1 {
		of = fmt.Sprintf("1 example, %d random orders", v.Orders)
	}
	if v.Replacement != "" {
		of += ", features replaced by " + v.Replacement
	}
	return fmt.Sprintf("%s: gain over random order %s when the top features are removed, %s when only they are kept (95 %% intervals; %s)",
		verdict, interval(c.Gain), interval(s.Gain), of)
}

// interval formats an estimate with its limits.
func interval(iv metric.Interval) string {
	return fmt.Sprintf("%.3g (%.3g to %.3g)", iv.Estimate, iv.Low, iv.High)
}
