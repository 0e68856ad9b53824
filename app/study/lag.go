package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"heed/autograd"
	"heed/data/madeup"
	"heed/metric"
	"heed/model/baseline"
	"heed/model/timeline"
	"heed/nn"
	"heed/train"
)

// lag asks who finds out that two events of a patient's record belong together: a
// drug, and an abnormal value up to two years and a thousand events later.
func lag() Study {
	return Study{
		Name:  "lag",
		Title: "Who relates two events of a patient that are far apart, in days or in events?",
		Claim: "An outcome may depend on how two events belong together: an abnormal value of the analyte that one drug acts on, after that drug. Who adds up what happened cannot tell it, since every drug and every abnormal value are as frequent with as without the outcome. " +
			"A causal transformer learns it from pairs at most 180 days apart, keeps it up to 730 days, which it has never seen, and over more events than it was trained on. An LSTM and a GRU-D of the same size, with four times the training, lose it as the events between the two become many, and not as the days do: days are nothing to them, steps are. " +
			"In the transformer one head retrieves the drug, and the feed-forward part behind it makes the AND of drug and value.",
		Refuted: "A bag of codes and values more than .06 from .5 on a level from 1 to 5, or below .95 on level 0, where the presence of two events is enough (control); a transformer more than .03 below the ceiling in any bin of days of level 2, more than .1 below it with 513 to 1,024 events between the two, or more than .05 on another level; " +
			"an LSTM or a GRU-D that loses less than .1 more than the transformer there, or itself loses more than .05 from at most 180 days to more than 365; in the mean of the seeds, a best head of the first layer that carries less than half of what the drug does, or a feed-forward part at the value without which less than half of the interaction goes.",
		Takes: "4 minutes",
		Run:   runLag,
	}
}

// lagSize says how much of everything there is.
type lagSize struct {
	levels     []int
	patients   int // to train on
	batch      int // patients in a step
	test       int // in all bins of days together
	crowd      int // in each bin of events
	few, many  int // passes of the transformer over patients with few events, and any number, on level 2
	slow       int // times the passes for recurrent models
	rung       int // passes over patients with few events on the levels that begin with what another has taught
	minDensity float64
	maxDensity float64
	farthest   int // events between the two
	patched    int // patients for interventions
	minGap     float64
}

func (l *Lab) lagSize() lagSize {
	if l.Tiny {
		return lagSize{levels: []int{0, 2}, patients: 6000, batch: 32, test: 420, few: 3, slow: 1, minDensity: 0.02, maxDensity: 0.02, patched: 4, minGap: 40}
	}
	return lagSize{levels: []int{0, 1, 2, 3, 4, 5}, patients: 8000, batch: 32, test: 1400, crowd: 100, few: 3, many: 1, slow: 4, rung: 3, minDensity: 0.05, maxDensity: 0.5, farthest: 1024, patched: 24, minGap: 181}
}

// A lagModel says how likely the outcome is, one logit for each sequence.
type lagModel struct {
	nn.Module
	params int
	logits func(t *autograd.Tape, seqs []*timeline.Sequence) *autograd.Var // (S, 1)
	encode *timeline.Model                                                 // nil if it is recurrent
}

// lagConfig is the encoder: that of "heed ehr alert train".
func lagConfig(layers int) timeline.Config {
	c := timeline.DefaultConfig()
	c.Layers, c.Dim, c.Heads, c.FFN, c.ValueHidden = layers, 32, 4, 64, 16
	c.Value, c.Time, c.Causal, c.LagUnit = "projection", "bias", true, 1
	c.Dropout, c.DropTokens, c.MaxTokens = 0, 0, 4096
	return c
}

// lagLayers returns the layers on a level: from 3 on there are three events to relate.
func lagLayers(level int) int {
	if level >= 3 {
		return 3
	}
	return 2
}

const lagEncoder = "transformer"

// lagKinds lists what is trained on a level. Recurrent models are on level 2 alone.
func (l *Lab) lagKinds(level int) []string {
	switch {
	case level != 2:
		return []string{lagEncoder}
	case l.Tiny:
		return []string{lagEncoder, "LSTM"}
	}
	return append([]string{lagEncoder}, timeline.RecurrentKinds()...)
}

// A lagCourse is how often a model reads patients with few events, and with any number.
type lagCourse struct{ few, many int }

// course returns that of a kind on levels on which it begins anew.
func (z lagSize) course(kind string, level int) lagCourse {
	switch {
	case level == 0: // which is easy
		return lagCourse{1, 0}
	case kind != lagEncoder:
		return lagCourse{z.slow * z.few, z.slow * z.many}
	}
	return lagCourse{z.few, z.many}
}

func newLagModel(kind string, layers int, v *timeline.Vocabulary, seed uint64) (*lagModel, error) {
	c, r := lagConfig(layers), rand.New(rand.NewPCG(seed, 1))
	if kind == lagEncoder {
		m := timeline.New(c, v, r)
		return &lagModel{m, m.Parameters(), func(t *autograd.Tape, seqs []*timeline.Sequence) *autograd.Var {
			return m.Logits(t, m.Pack(nil, seqs...))
		}, m}, nil
	}
	m, err := timeline.NewRecurrent(kind, c, v, r)
	if err != nil {
		return nil, err
	}
	return &lagModel{m, nn.Count(m), func(t *autograd.Tape, seqs []*timeline.Sequence) *autograd.Var { return m.Logits(t, seqs...) }, nil}, nil
}

// A lagCase is a made-up patient with its tokens.
type lagCase struct {
	madeup.Case
	seq timeline.Sequence
}

// happened returns happenings as what the vocabulary reads.
func happened(events []madeup.Happening) []timeline.Event {
	out := make([]timeline.Event, len(events))
	for i, e := range events {
		out[i] = timeline.Event{Code: e.Code, Time: e.Days}
		if e.Value == e.Value {
			out[i].Values = []float32{e.Value}
		}
	}
	return out
}

// A lagTask is the patients of one level and seed.
type lagTask struct {
	l          *Lab
	size       lagSize
	generation madeup.Generation
	seed       uint64
	vocabulary *timeline.Vocabulary
	few, many  []lagCase // to train on
	tune       []lagCase // for the penalty of the bag of codes
	parts      []lagPart
}

// A lagPart is some patients to test on, as they are at the end of their records.
type lagPart struct {
	name  string
	cases []*lagCase
}

// Other seeds than the patients' own make those to test on.
const (
	lagTune  = 0x74756e65
	lagTest  = 0x74657374
	lagCrowd = 0x6c6f6e67
)

// lagTask makes the patients to train on. A vocabulary that is nil is learned from them.
func (l *Lab) lagTask(level int, seed uint64, v *timeline.Vocabulary) (*lagTask, error) {
	x := &lagTask{l: l, size: l.lagSize(), seed: seed, vocabulary: v}
	g := madeup.Default()
	g.Level, g.Seed, g.MaxGap = level, seed, 180
	x.generation = g
	z := x.size
	n := z.patients
	if level == 0 {
		n /= 2
	}
	x.few = lagCases(g, n, z.minDensity, z.minDensity)
	if level == 2 && z.many > 0 {
		x.many = lagCases(g, n, z.minDensity, z.maxDensity)
	}
	if v == nil {
		var err error
		x.vocabulary, err = timeline.Learn(func(yield func([]timeline.Event) bool) {
			for _, cases := range [][]lagCase{x.few, x.many} {
				for i := range cases {
					if !yield(happened(cases[i].Events)) {
						return
					}
				}
			}
		}, 1, 10, 2) // quantiles are of no account: values enter as numbers
		if err != nil {
			return nil, err
		}
	}
	g.Seed ^= lagTune
	x.tune = lagCases(g, 600, z.minDensity, z.maxDensity)
	for _, cases := range [][]lagCase{x.few, x.many, x.tune} {
		x.encode(cases)
		for i := range cases { // the tokens are what training needs
			cases[i].Events, cases[i].Patient.Events = nil, nil
		}
	}
	return x, nil
}

func lagCases(g madeup.Generation, n int, low, high float64) []lagCase {
	cases := make([]lagCase, n)
	for i := range cases {
		cases[i].Case = g.Case(int64(i+1), low, high)
	}
	return cases
}

// tests makes the patients to test on: by days between the two; by what is missing in
// those without the outcome, each against all that have it; and, on level 2, by events between the two.
func (x *lagTask) tests() {
	g, z := x.generation, x.size
	g.Seed, g.MaxGap = x.seed^lagTest, 730
	test := lagCases(g, z.test, z.minDensity, z.maxDensity)
	x.encode(test)
	x.add(allPart, test, func(*madeup.Patient) bool { return true })
	for _, high := range madeup.GapEnds {
		bin := madeup.GapBin(high)
		x.add(daysPart+strings.TrimSuffix(bin, " d"), test, func(p *madeup.Patient) bool { return madeup.GapBin(p.Gap) == bin })
	}
	for _, kind := range g.Kinds() {
		x.add(kindPart+kind, test, func(p *madeup.Patient) bool { return p.Kind == "pair" || p.Kind == kind })
	}
	low := 0
	for _, high := range madeup.BetweenEnds {
		if high > z.farthest || g.Level != 2 {
			break
		}
		g.Seed = x.seed ^ lagCrowd + uint64(high)
		cases := make([]lagCase, z.crowd)
		for i := range cases {
			cases[i].Case = g.Crowded(int64(i+1), low+1, high, z.minDensity)
		}
		x.encode(cases)
		x.add(fmt.Sprintf("%s%d-%d", eventsPart, low+1, high), cases, func(*madeup.Patient) bool { return true })
		low = high
	}
}

func (x *lagTask) encode(cases []lagCase) {
	for i := range cases {
		cases[i].seq = x.vocabulary.Encode(happened(cases[i].Events), float32(math.NaN()), false)
	}
}

// What the names of parts begin with.
const (
	allPart    = "all"
	daysPart   = "days "
	kindPart   = "without the outcome: "
	eventsPart = "events "
)

func (x *lagTask) add(name string, cases []lagCase, keep func(p *madeup.Patient) bool) {
	part := lagPart{name: name}
	for i := range cases {
		if keep(cases[i].Patient) {
			part.cases = append(part.cases, &cases[i])
		}
	}
	x.parts = append(x.parts, part)
}

// A lagFit is what one model did: its AUROC on every part.
type lagFit struct {
	params int
	passes int       // over the patients
	needed float64   // passes until the AUROC on other patients was .9; NaN for never
	auroc  []float64 // (parts)
}

// auroc scores a part.
func (p *lagPart) auroc(logits []float64) float64 {
	positive := make([]bool, len(p.cases))
	for i, c := range p.cases {
		positive[i] = c.Answer(c.Count)
	}
	b, err := metric.NewBinary(logits, positive)
	if err != nil || b.Positives() == 0 || b.Positives() == b.N() {
		panic(fmt.Sprintf("study: lag: part %q: %v", p.name, err)) // a diverged training ends before, and parts are large
	}
	return b.AUROC()
}

// ask returns the logit of each case of a part.
func (m *lagModel) ask(p *lagPart) []float64 {
	const rows = 2000 // packed together, so that long records come alone
	out := make([]float64, 0, len(p.cases))
	t := &autograd.Tape{NoGrad: true}
	for lo := 0; lo < len(p.cases); {
		var seqs []*timeline.Sequence
		for n := 0; lo < len(p.cases) && (n == 0 || n+p.cases[lo].Count <= rows); lo++ {
			n += p.cases[lo].Count
			seqs = append(seqs, &p.cases[lo].seq)
		}
		t.Reset()
		for _, z := range m.logits(t, seqs).Data {
			out = append(out, float64(z))
		}
	}
	return out
}

// fit trains a model: first on patients with few events, then on any number.
func (x *lagTask) fit(ctx context.Context, kind string, m *lagModel, how lagCourse) (*lagFit, error) {
	out := &lagFit{params: m.params, needed: math.NaN()}
	tune := &lagPart{name: "tuning", cases: pointers(x.tune)}
	for stage, cases := range [][]lagCase{x.few, x.many} {
		passes := []int{how.few, how.many}[stage]
		if passes == 0 {
			continue
		}
		lengths := make([]int, len(cases))
		for i := range cases {
			lengths[i] = 1 + cases[i].Count
		}
		run, err := train.New(train.Config{Epochs: passes, Batch: x.size.batch, Leaves: 1, Rate: 4e-3, Warmup: 0.05, Decay: 0.01, Seed: x.seed + uint64(stage), Cores: 1}, train.Problem{
			Model: m, Lengths: lengths,
			Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
				seqs, want := make([]*timeline.Sequence, len(examples)), make([]float32, len(examples))
				for i, e := range examples {
					c := &cases[e]
					count := c.Draw(t.Rand)
					s := c.seq.Until(count)
					if seqs[i] = &s; c.Answer(count) {
						want[i] = 1
					}
				}
				return autograd.BinaryCrossEntropy(t, m.logits(t, seqs), want, norm)
			},
		})
		if err != nil {
			return nil, err
		}
		for step, err := range run.Steps(ctx) {
			if err != nil {
				return nil, err
			}
			if !step.EpochEnds {
				continue
			}
			out.passes++
			auroc := tune.auroc(m.ask(tune))
			x.l.tell("level %d, seed %d, %s: pass %d, loss %.3f, AUROC %.3f", x.generation.Level, x.seed, kind, out.passes, step.Loss, auroc)
			switch {
			case auroc < 0.9:
				out.needed = math.NaN()
			case math.IsNaN(out.needed):
				out.needed = float64(out.passes)
			}
		}
	}
	for i := range x.parts {
		out.auroc = append(out.auroc, x.parts[i].auroc(m.ask(&x.parts[i])))
	}
	return out, nil
}

func pointers(cases []lagCase) (out []*lagCase) {
	for i := range cases {
		out = append(out, &cases[i])
	}
	return out
}

// bag fits a logistic regression on how often each code occurs and on the highest of its values, in
// standard deviations: it adds up what happened and how much of it.
func (x *lagTask) bag() (*lagFit, error) {
	v, size := x.vocabulary, x.vocabulary.Size()
	rows := func(cases []*lagCase) (x [][]float32, y []bool) {
		for _, c := range cases {
			row := make([]float32, 2*size)
			for i, code := range c.seq.Codes {
				row[code]++
				if z, known := v.Standard(code, 0, c.seq.Values[i]); known {
					row[size+int(code)] = max(row[size+int(code)], z)
				}
			}
			x, y = append(x, row), append(y, c.Answer(c.Count))
		}
		return x, y
	}
	train, trainY := rows(pointers(x.few[:min(len(x.few), 4000)]))
	tune, tuneY := rows(pointers(x.tune))
	m, err := baseline.FitTableLogisticTuned(train, trainY, tune, tuneY)
	if err != nil {
		return nil, err
	}
	out := &lagFit{params: 2*size + 1, needed: math.NaN()}
	for i := range x.parts {
		some, _ := rows(x.parts[i].cases)
		out.auroc = append(out.auroc, x.parts[i].auroc(m.Predict(some)))
	}
	return out, nil
}

// ceiling scores who knows what decides: the wrong labels of this very sample are what it lacks of 1.
func (x *lagTask) ceiling() *lagFit {
	out := &lagFit{needed: math.NaN()}
	for i := range x.parts {
		var z []float64
		for _, c := range x.parts[i].cases {
			truth := 0.0
			if c.Truth(c.Count) {
				truth = 1
			}
			z = append(z, truth)
		}
		out.auroc = append(out.auroc, x.parts[i].auroc(z))
	}
	return out
}
