package ehr

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"heed/autograd"
	"heed/data/madeup"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/metric"
	"heed/model/timeline"
	"heed/train"
)

// Which seeds make which patients: no patient is in two parts.
const (
	streamTune = 0x74756e65 // "tune"
	streamTest = 0x74657374 // "test"
	streamLong = 0x6c6f6e67 // "long"
	streamAsk  = 0x61736b   // "ask"
)

// alertCases makes patients of a generation on all cores.
func (j *AlertJob) alertCases(g madeup.Generation, low, high float64) []alertCase {
	cases := make([]alertCase, g.Patients)
	par.Do(len(cases), j.cores(), func(_, i int) { cases[i].Case = g.Case(int64(i+1), low, high) })
	return cases
}

func (j *AlertJob) cores() int {
	if n := j.Fit.Train.Cores; n > 0 {
		return n
	}
	return par.Cores()
}

// encode gives cases their tokens.
func encodeCases(v *timeline.Vocabulary, cases []alertCase, cores int) {
	par.Do(len(cases), cores, func(_, i int) {
		cases[i].encode(v)
	})
}

// An alertFit is a model with what it has learned from.
type alertFit struct {
	job        *AlertJob
	vocabulary *timeline.Vocabulary
	warm       []alertCase // to train on: of a lower level as well,
	easy, full []alertCase // with few events, and with any number
	tune       []alertCase
}

// newAlertFit makes patients and learns codes and the moments of values.
func newAlertFit(j *AlertJob) (*alertFit, error) {
	f := &alertFit{job: j}
	f.full = j.alertCases(j.Generation, j.MinDensity, j.MaxDensity)
	f.easy = j.alertCases(j.Generation, j.MinDensity, j.MinDensity)
	g := j.Generation
	if j.WarmEpochs > 0 {
		g.Level = j.WarmLevel
		f.warm = append(j.alertCases(g, j.MinDensity, j.MinDensity), f.easy...)
	}
	g = j.Generation
	g.Seed, g.Patients = g.Seed^streamTune, j.Tune
	f.tune = j.alertCases(g, j.MinDensity, j.MaxDensity)
	var err error
	if f.vocabulary, err = timeline.Learn(func(yield func([]timeline.Event) bool) {
		for i := range f.full {
			if !yield(happened(f.full[i].Events)) {
				return
			}
		}
	}, 1, j.Fit.MinCount, j.Fit.Knots); err != nil {
		return nil, err
	}
	for _, cases := range [][]alertCase{f.warm, f.easy, f.full, f.tune} {
		encodeCases(f.vocabulary, cases, j.cores())
		for i := range cases { // the tokens are what training needs
			cases[i].Events, cases[i].Patient.Events = nil, nil
		}
	}
	return f, nil
}

// fit trains a model: on a lower level first, if the job says so, then on few events,
// then on any number. Of the epochs of the last stage it keeps the one with the least
// log-loss on the tuning part.
func (f *alertFit) fit(ctx context.Context, name string, m alertModel, seed uint64, see func(name string, p Progress)) error {
	c := f.job.Fit.Train
	early := int(math.Round(f.job.Curriculum * float64(c.Epochs)))
	if t, ok := m.(alertTransformer); ok && f.job.ValueEpochs > 0 {
		if err := f.tellValues(ctx, t.Model, seed+3, func(p Progress) { see(name, p) }); err != nil {
			return err
		}
	}
	var best train.Best
	for _, stage := range []struct {
		name   string
		cases  []alertCase
		epochs int
		seed   uint64
	}{
		{fmt.Sprintf("level %d", f.job.WarmLevel), f.warm, f.job.WarmEpochs, seed + 2},
		{"few events", f.easy, early, seed},
		{"all events", f.full, c.Epochs - early, seed + 1},
	} {
		if stage.epochs == 0 {
			continue
		}
		best = train.Best{}
		c.Epochs, c.Seed = stage.epochs, stage.seed
		if err := f.stage(ctx, m, c, stage.cases, &best, func(p Progress) {
			p.Stage = stage.name
			see(name, p)
		}); err != nil {
			return err
		}
	}
	best.Load(m)
	return nil
}

// stageValues is the stage without labels.
const stageValues = "values"

// hiddenValues is the share of the values that tellValues hides.
const hiddenValues = 0.3

// tellValues trains the transformer without labels.
func (f *alertFit) tellValues(ctx context.Context, m *timeline.Model, seed uint64, see func(Progress)) error {
	c := f.job.Fit.Train
	c.Epochs, c.Seed = f.job.ValueEpochs, seed
	lengths := make([]int, len(f.easy))
	for i := range f.easy {
		lengths[i] = 1 + len(f.easy[i].seq.Codes)
	}
	run, err := train.New(c, train.Problem{Model: m, Lengths: lengths, Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
		seqs := make([]*timeline.Sequence, len(examples))
		for i, e := range examples {
			seqs[i] = &f.easy[e].seq
		}
		return m.ValueLoss(t, t.Rand, hiddenValues, norm, seqs...)
	}})
	if err != nil {
		return err
	}
	loss, steps := 0.0, 0
	for s, err := range run.Steps(ctx) {
		if err != nil {
			return err
		}
		if loss, steps = loss+s.Loss, steps+1; s.EpochEnds {
			see(Progress{Stage: stageValues, Epoch: s.Epoch, Epochs: c.Epochs, Loss: loss / float64(steps)})
			loss, steps = 0, 0
		}
	}
	return nil
}

func (f *alertFit) stage(ctx context.Context, m alertModel, c train.Config, cases []alertCase, best *train.Best, see func(Progress)) error {
	lengths := make([]int, len(cases))
	for i := range cases {
		lengths[i] = 1 + len(cases[i].seq.Codes)
	}
	run, err := train.New(c, train.Problem{Model: m, Lengths: lengths, Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
		qs := make([]question, len(examples))
		for i, e := range examples {
			qs[i] = cases[e].at(cases[e].Draw(t.Rand))
		}
		seqs, targets := f.pose(qs)
		return autograd.BinaryCrossEntropy(t, m.logits(t, seqs), targets, norm)
	}})
	if err != nil {
		return err
	}
	average := train.Average{Decay: f.job.Fit.Average}
	loss, steps := 0.0, 0
	for s, err := range run.Steps(ctx) {
		if err != nil {
			return err
		}
		average.See(m)
		loss, steps = loss+s.Loss, steps+1
		if !s.EpochEnds {
			continue
		}
		average.Swap(m)
		qs := questions(f.tune)
		z := f.ask(m, qs)
		b, err := metric.NewBinary(z, answers(qs))
		if err != nil {
			return fmt.Errorf("train: step %d: %w on the tuning part", s.N, train.ErrDiverged)
		}
		improved, _ := best.See(m, s.N, -logLoss(z, answers(qs)))
		average.Swap(m)
		see(Progress{Epoch: s.Epoch, Epochs: c.Epochs, Loss: loss / float64(steps), AUROC: b.AUROC(), AUPRC: b.AUPRC(), Best: improved})
		loss, steps = 0, 0
	}
	return nil
}

// pose returns tokens and answers of questions.
func (f *alertFit) pose(qs []question) ([]*timeline.Sequence, []float32) {
	seqs, targets := make([]*timeline.Sequence, len(qs)), make([]float32, len(qs))
	for i, q := range qs {
		s := q.sequence()
		seqs[i] = &s
		if q.positive() {
			targets[i] = 1
		}
	}
	return seqs, targets
}

// questions asks at the end of each record.
func questions(cases []alertCase) []question {
	qs := make([]question, len(cases))
	for i := range cases {
		qs[i] = cases[i].at(cases[i].Count)
	}
	return qs
}

// anytime asks each case three times: before the second of the two, when it has
// happened, and at the end: what calibration is for.
func anytime(cases []alertCase, seed uint64) []question {
	r := rand.New(rand.NewPCG(seed, streamAsk))
	var qs []question
	for i := range cases {
		c := &cases[i]
		qs = append(qs, c.at(c.Before(r.Float64())), c.at(c.Second), c.at(c.Count))
	}
	return qs
}

func answers(qs []question) []bool {
	out := make([]bool, len(qs))
	for i, q := range qs {
		out[i] = q.positive()
	}
	return out
}

// ask returns the logit of each question.
func (f *alertFit) ask(m alertModel, qs []question) []float64 {
	out := make([]float64, len(qs))
	cores := f.job.cores()
	tapes := make([]autograd.Tape, cores)
	// As many as make some thousand events, so that long ones come alone.
	const events = 2000
	var packs [][2]int
	for lo := 0; lo < len(qs); {
		hi, n := lo, 0
		for hi < len(qs) && (hi == lo || n+qs[hi].count <= events) {
			n += qs[hi].count
			hi++
		}
		packs = append(packs, [2]int{lo, hi})
		lo = hi
	}
	par.Do(len(packs), cores, func(worker, i int) {
		t := &tapes[worker]
		t.NoGrad = true
		t.Reset()
		lo, hi := packs[i][0], packs[i][1]
		seqs, _ := f.pose(qs[lo:hi])
		for k, z := range m.logits(t, seqs).Data {
			out[lo+k] = float64(z)
		}
	})
	return out
}

// model makes an untrained model of a name.
func (f *alertFit) model(name string, seed uint64) (alertModel, error) {
	r := rand.New(rand.NewPCG(seed, streamInit))
	transformer := alertTransformer{timeline.New(f.job.Fit.Model, f.vocabulary, r)}
	if name == "transformer" {
		return transformer, nil
	}
	// Floors draw after the weights of a transformer, as in published runs.
	m, err := timeline.NewRecurrent(name, f.job.Fit.Model, f.vocabulary, r)
	return alertRecurrent{m}, err
}

// An AlertOutcome is what "heed ehr alert train" found out.
type AlertOutcome struct {
	Fitted *Fitted // nil if no transformer was asked for
	Rows   []AlertRow
}

// Run trains the transformer and its floors on the same patients and measures them on
// the same others. tell may be nil.
func (j *AlertJob) Run(ctx context.Context, tell func(line string)) (*AlertOutcome, error) {
	if err := j.Validate(); err != nil {
		return nil, &cli.UsageError{Reason: err.Error()}
	}
	if tell == nil {
		tell = func(string) {}
	}
	f, err := newAlertFit(j)
	if err != nil {
		return nil, err
	}
	parts := f.parts()
	o := &AlertOutcome{}
	seed := j.Fit.Train.Seed
	for _, name := range j.Models {
		begin := time.Now()
		row := AlertRow{Model: name, Seed: seed}
		var ask func([]question) []float64
		if name == "bag of codes" {
			if ask, row.Parameters, err = f.bagOfEvents(); err != nil {
				return nil, err
			}
		} else {
			m, err := f.model(name, seed)
			if err != nil {
				return nil, err
			}
			row.Parameters = parameters(m)
			if err := f.fit(ctx, name, m, seed, func(name string, p Progress) {
				line := fmt.Sprintf("%s  %s %d/%d  loss %.4f", name, p.Stage, p.Epoch, p.Epochs, p.Loss)
				if p.Stage != stageValues {
					line += fmt.Sprintf("  tuning AUROC %.3f", p.AUROC)
				}
				tell(line)
			}); err != nil {
				return nil, err
			}
			if t, ok := m.(alertTransformer); ok {
				o.Fitted = f.finish(t.Model)
			}
			ask = func(qs []question) []float64 { return f.ask(m, qs) }
		}
		row.Seconds = time.Since(begin).Seconds()
		if row.Scores, err = alertScores(parts, seed, ask); err != nil {
			return nil, err
		}
		o.Rows = append(o.Rows, row)
	}
	scores, err := alertScores(parts, seed, ceiling)
	o.Rows = append(o.Rows, AlertRow{Model: "ceiling", Seed: j.Generation.Seed, Scores: scores})
	return o, err
}

// alertProbability is the threshold of alerts: a calibrated probability above it says
// that the outcome is more likely than not. A specificity would not do, as the model is
// asked after every event, and the answers of one patient hang together.
const alertProbability = 0.5

// finish calibrates a model on questions at any time.
func (f *alertFit) finish(m *timeline.Model) *Fitted {
	x := &Fitted{Config: f.job.Fit, Vocabulary: f.vocabulary, Members: []*timeline.Model{m}}
	x.Info.Heed, x.Info.Command = f.job.Version, f.job.Command
	any := anytime(f.tune, f.job.Fit.Train.Seed)
	slope, intercept := metric.Platt(f.ask(alertTransformer{m}, any), answers(any))
	if x.Temperature, x.Shift = 1/slope, intercept; !(x.Temperature > 0) || math.IsInf(x.Temperature, 1) {
		x.Temperature, x.Shift = 1, 0 // a model that has learned nothing
	}
	x.Threshold = alertProbability
	return x
}

// logLoss is the mean log-loss of logits.
func logLoss(z []float64, positive []bool) float64 {
	sum := 0.0
	for i, x := range z {
		if positive[i] {
			x = -x
		}
		sum += max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
	}
	return sum / float64(len(z))
}
