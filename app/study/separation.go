package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"heed/autograd"
	"heed/data"
	"heed/metric"
	"heed/model/alignment"
	"heed/nn"
	"heed/train"
)

// separation asks what the older alternatives know of residues that are far apart
// along a protein and next to each other in its fold.
func separation() Study {
	return Study{
		Name:  "separation",
		Title: "Does attention see farther along a protein than its predecessors?",
		Claim: "Trained alike at equal parameters to fill in masked residues of one family, attention knows pairs of columns however far apart they are; a bidirectional LSTM knows the less the farther apart; " +
			"convolutions that reach four rows know none that are farther apart than that.",
		Refuted: "On the planted family: long-range pairs of attention found with a precision below .8 or less than .3 above the LSTM; or convolutions that find any beyond chance.",
		Takes:   "5 minutes",
		Run:     runSeparation,
	}
}

// A contender is one architecture of the study; mixer is empty for attention.
type contender struct {
	name, mixer string
	rate        float64 // peak learning rate
	times       int     // of the common training
}

// contenders lists attention and the LSTM, which gets what helps it most: a higher
// rate, at which it learns faster, and a forget gate that begins open. On the
// planted family, where the truth is known, a longer training and a control join
// them.
func (l *Lab) contenders() []contender {
	c := []contender{{"attention", "", 3e-3, 1}, {"BiLSTM", "bilstm", 1e-2, 1}}
	if l.Family == "" {
		c = append(c, contender{"inception", "inception", 3e-3, 1}, contender{"BiLSTM, trained 4 x longer", "bilstm", 1e-2, 4})
	}
	return c
}

// A filled is what a trained model made of one seed's test rows and pairs.
type filled struct {
	right  []int // residues filled in rightly, of each test row
	scores []float64
	epoch  int // that was kept
	took   time.Duration
	count  int // parameters
}

func (f *filled) accuracy(masked []int) float64 { return share(f.right, masked, nil) }

// share returns the sum of right over that of all, of some rows, or of all rows.
func share(right, all, idx []int) float64 {
	a, b := 0, 0
	if idx == nil {
		for i := range right {
			a, b = a+right[i], b+all[i]
		}
	}
	for _, i := range idx {
		a, b = a+right[i], b+all[i]
	}
	return float64(a) / float64(b)
}

// A trial is one seed: a split of the family, the floors, and the contenders.
type trial struct {
	family   *family
	models   []contender
	clusters []int // of the test rows
	masked   []int // residues to fill in, of each test row
	profile  []int // of them right by the profile
	results  []filled
}

func runSeparation(ctx context.Context, l *Lab) (*Finding, error) {
	var trials []*trial
	for k := range l.Seeds {
		t, err := l.separationTrial(ctx, l.Seed+uint64(k))
		if err != nil {
			return nil, err
		}
		trials = append(trials, t)
	}
	f := &Finding{}
	f.Tables = append(f.Tables, accuracyTable(trials, l.Seed))
	ranges, precision, err := precisionTable(trials, l.Seed)
	if err != nil {
		return nil, err
	}
	f.Tables = append(f.Tables, ranges)
	if f.Figures, err = separationFigure(trials, precision); err != nil {
		return nil, err
	}
	long := slices.IndexFunc(metric.Separations(), func(s metric.Separation) bool { return s.Name == "long" })
	attention := precision[0][long]
	above := func(name string, other []float64, bound float64) {
		d := make([]float64, len(attention))
		for i := range d {
			d[i] = attention[i] - other[i]
		}
		f.Checks = append(f.Checks, Check{Name: "attention less " + name + ", long range", Value: overSeeds(d), Bound: bound})
	}
	if l.Family == "" {
		f.Checks = append(f.Checks, Check{Name: "precision of attention, long range", Value: overSeeds(attention), Bound: 0.8},
			Check{Name: "control: precision of inception, long range", Value: overSeeds(precision[2][long]), Bound: 0.2, Upper: true})
		above(trials[0].models[1].name, precision[1][long], 0.3)
		above(trials[0].models[3].name, precision[3][long], 0.3)
	} else {
		above(trials[0].models[1].name, precision[1][long], 0)
	}
	var words []string
	for i, s := range metric.Separations()[:3] {
		var values []string
		for m := range precision {
			values = append(values, fmt.Sprintf("%.2f", overSeeds(precision[m][i]).Estimate))
		}
		words = append(words, s.Name+" "+strings.Join(values, ", "))
	}
	var names []string
	for _, c := range trials[0].models {
		names = append(names, c.name)
	}
	f.Words = fmt.Sprintf("%s. Precision of the first pairs by %s, in this order, by the distance along the chain: %s.", trials[0].family.title, strings.Join(names, "; "), strings.Join(words, "; "))
	return f, nil
}

func (l *Lab) separationTrial(ctx context.Context, seed uint64) (*trial, error) {
	fam, err := l.family(seed)
	if err != nil {
		return nil, err
	}
	parts, clusters, err := fam.split(seed)
	if err != nil {
		return nil, err
	}
	t := &trial{family: fam, models: l.contenders()}
	for _, i := range parts.Test {
		t.clusters = append(t.clusters, clusters[i])
	}
	encoded, _ := alignment.Encode(fam.rows)
	columns := encoded.Columns
	pick := func(idx []int) [][]uint8 {
		out := make([][]uint8, len(idx))
		for k, i := range idx {
			out[k] = encoded.States[i*columns : (i+1)*columns]
		}
		return out
	}
	test := maskRows(pick(parts.Test), 4, rand.New(rand.NewPCG(seed, 7)))
	valid := maskRows(pick(parts.Valid), 1, rand.New(rand.NewPCG(seed, 8)))
	t.masked = test.counts()
	if t.profile, err = profileRight(fam.rows, parts, test); err != nil {
		return nil, err
	}
	training := pick(parts.Train)
	for _, c := range t.models {
		began := time.Now()
		model, epoch, err := l.fitRow(ctx, c, training, valid, seed)
		if err != nil {
			return nil, err
		}
		jacobian, err := alignment.CategoricalJacobian(ctx, training[:min(len(training), l.pick(4, 2))], l.Cores, func(rows []uint8) []float32 {
			return model.Logits(&autograd.Tape{NoGrad: true}, rows, nil).Data
		})
		if err != nil {
			return nil, err
		}
		t.results = append(t.results, filled{
			right: test.right(model), epoch: epoch, count: nn.Count(model), took: time.Since(began),
			scores: alignment.APC(alignment.JacobianScores(jacobian, columns), columns),
		})
		words, err := t.precisionWords()
		if err != nil {
			return nil, err
		}
		l.tell("seed %d: %s: %d parameters, epoch %d kept, accuracy %.3f, precision %s, %.0f s", seed, c.name, nn.Count(model), epoch, t.results[len(t.results)-1].accuracy(t.masked), words, time.Since(began).Seconds())
	}
	return t, nil
}

// precisionWords names the precision of the last result in every range.
func (t *trial) precisionWords() (string, error) {
	var words []string
	for _, s := range metric.Separations() {
		r, err := metric.RankContacts(t.results[len(t.results)-1].scores, t.family.truth, len(t.family.rows[0]), s)
		if err != nil {
			return "", err
		}
		words = append(words, fmt.Sprintf("%s %.3f", s.Name, r.Precision(t.family.k)))
	}
	return strings.Join(words, ", "), nil
}

// fitRow trains one contender and keeps the epoch of the least loss on the
// validation rows.
func (l *Lab) fitRow(ctx context.Context, c contender, rows [][]uint8, valid *maskedRows, seed uint64) (*alignment.Row, int, error) {
	const rate = 0.15
	columns := len(rows[0])
	model, err := alignment.NewRow(alignment.RowConfig{Columns: columns, Layers: 2, Dim: l.pick(64, 32), Heads: 4, FFN: l.pick(128, 32), Dropout: 0.1, Mixer: c.mixer},
		rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		return nil, 0, err
	}
	for _, layer := range model.Layers { // what helps an LSTM remember (Jozefowicz et al. 2015)
		if m, ok := layer.Mixer.(*nn.RecurrentMixer); ok {
			both := m.Reader.(*nn.Bidirectional)
			both.Ahead.(*nn.LSTM).Remember(1)
			both.Back.(*nn.LSTM).Remember(1)
		}
	}
	lengths := make([]int, len(rows))
	for i := range lengths {
		lengths[i] = columns
	}
	epochs := max(1, l.Longer) * c.times * max(1, min(l.pick(60, 2), l.pick(separationResidues, 20000)/(len(rows)*columns)))
	residues := float32(rate) * float32(columns)
	run, err := train.New(train.Config{Epochs: epochs, Batch: 64, Rate: c.rate, Warmup: 0.1, Decay: 0.01, Clip: 1, Seed: seed, Cores: l.Cores}, train.Problem{
		Model: model, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			var states []uint8
			var at, truth []int32
			for k, e := range examples {
				row := slices.Clone(rows[e])
				places, letters := alignment.Mask(row, rate, false, t.Rand)
				for _, p := range places {
					at = append(at, int32(k*columns)+p)
				}
				states, truth = append(states, row...), append(truth, letters...)
			}
			if len(at) == 0 { // a leaf of rows of gaps: nothing to learn
				at, truth = []int32{0}, []int32{-1}
			}
			return autograd.CrossEntropy(t, model.Logits(t, states, at), truth, norm*residues)
		},
	})
	if err != nil {
		return nil, 0, err
	}
	best, kept := &train.Best{}, 0
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return nil, 0, err
		}
		if !step.EpochEnds {
			continue
		}
		loss := valid.loss(model)
		if better, _ := best.See(model, step.N, -loss); better {
			kept = step.Epoch
		}
		l.tell("seed %d: %s: epoch %d of %d, loss %.3f, on validation rows %.3f", seed, c.name, step.Epoch, epochs, step.Loss, loss)
	}
	best.Load(model)
	return model, kept, nil
}

// separationResidues is how many residues a contender reads in training.
const separationResidues = 3 << 20

// profileRight counts, for each test row, the residues that the most frequent
// letter of the training rows' column is right about.
func profileRight(rows [][]byte, parts data.Parts, test *maskedRows) ([]int, error) {
	var training [][]byte
	for _, i := range parts.Train {
		training = append(training, rows[i])
	}
	f, _ := alignment.Encode(training)
	var err error
	if f.Weights, err = data.RowWeights(training, data.MSAIdentity, data.GapsCount); err != nil {
		return nil, err
	}
	p := alignment.Profile(f)
	logits := make([]float32, len(p))
	for i, v := range p {
		logits[i] = float32(math.Log(v))
	}
	return test.count(func(_ []uint8, at []int32) []float32 {
		var out []float32
		for _, c := range at {
			c %= int32(f.Columns)
			out = append(out, logits[c*alignment.Residues:(c+1)*alignment.Residues]...)
		}
		return out
	}), nil
}
