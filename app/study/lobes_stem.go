package study

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"heed/autograd"
	"heed/internal/par"
	"heed/metric"
	"heed/model/volume"
	"heed/nn"
	"heed/train"
)

// A lobeStem says of each cell of the feature map what it shows: healthy
// tissue or a lesion of a type. It is the convolution stem, with a linear layer on
// each cell, as classifiers of patches are for patterns of interstitial lung
// disease (Anthimopoulos et al. 2016). It is trained on scans without a relation
// and then kept as it is, for all readers of all tasks of a seed.
type lobeStem struct {
	stem  *volume.Model // of which Map alone is used
	types *nn.Linear    // (1 + types, D)
}

// Visit names the stem and the linear layer.
func (d *lobeStem) Visit(prefix string, f nn.Visitor) {
	for _, s := range d.stem.Stem {
		s.Visit(nn.Join(prefix, "stem"), f)
	}
	d.types.Visit(nn.Join(prefix, "types"), f)
}

// kinds is the number of classes of a cell: healthy, then the types of lesions.
func (d *lobeStem) kinds() int { return d.types.Weight.Dim(0) }

// logits maps voxels (B, D, H, W) to those of all cells (B·tokens, kinds).
func (d *lobeStem) logits(t *autograd.Tape, x []float32) *autograd.Var {
	c := &d.stem.Config
	batch := len(x) / (c.Size[0] * c.Size[1] * c.Size[2])
	h := d.stem.Map(t, autograd.Input(x, batch, c.Size[0], c.Size[1], c.Size[2], 1))
	return d.types.Forward(t, autograd.Reshape(t, h, batch*c.Tokens(), c.Dim()))
}

// truth returns the class of every cell of a scan.
func (a *anatomy) truth(s *scan, tokens int) []int32 {
	out := make([]int32, tokens)
	for _, p := range s.left {
		out[a.cellOf(a.left[p.site])] = int32(1 + p.kind)
	}
	for _, p := range s.right {
		out[a.cellOf(a.right[p.site])] = int32(1 + p.kind)
	}
	return out
}

// fitStem trains the stem.
func (l *Lab) fitStem(ctx context.Context, a *anatomy, seed uint64) (*lobeStem, error) {
	const batch = 8
	total := l.pick(8000, 2400)
	c := reader{}.config(a)
	r := rand.New(rand.NewPCG(seed, 1))
	d := &lobeStem{volume.New(c, r), nn.NewLinear(c.Dim(), 1+len(lesionTypes()), r)}
	tokens, n := c.Tokens(), a.voxels()
	run, err := train.New(train.Config{Epochs: 1, Batch: batch, Leaves: 2, Rate: 3e-3, Warmup: 0.05, Floor: 0.1, Decay: 0.01, Seed: seed, Cores: l.Cores}, train.Problem{
		Model:   d,
		Lengths: slices.Repeat([]int{tokens}, total),
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			x := make([]float32, n*len(examples))
			var want []int32
			for i, e := range examples {
				s := drawer(drawAny).make(a, 0, seed, streamTissue+uint64(e))
				s.window(x[i*n : (i+1)*n])
				want = append(want, a.truth(s, tokens)...)
			}
			return autograd.CrossEntropy(t, d.logits(t, x), want, norm*float32(tokens))
		},
	})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		if step.EpochEnds {
			l.tell("seed %d, stem: %d scans, loss %.4f, %.0f s", seed, total, step.Loss, time.Since(began).Seconds())
		}
	}
	return d, nil
}

// read returns the probabilities of all cells (n, tokens, kinds) of n scans, which
// made gives by number.
func (d *lobeStem) read(a *anatomy, n, cores int, made func(i int) []float32) []float32 {
	const together = 8
	each := d.stem.Config.Tokens() * d.kinds()
	out := make([]float32, n*each)
	tapes := make([]*autograd.Tape, cores)
	par.Do((n+together-1)/together, cores, func(core, b int) {
		if tapes[core] == nil {
			tapes[core] = &autograd.Tape{NoGrad: true}
		}
		t := tapes[core]
		var x []float32
		for i := b * together; i < min((b+1)*together, n); i++ {
			x = append(x, made(i)...)
		}
		z := d.logits(t, x)
		for i := range z.Dim(0) {
			copy(out[b*together*each+i*d.kinds():], autograd.Softmax(z.Data[i*d.kinds():(i+1)*d.kinds()]))
		}
		t.Reset()
	})
	return out
}

// recall returns the share of lesions whose type is told, and the share of healthy
// cells that are taken for a lesion.
func (d *lobeStem) recall(a *anatomy, scans []*scan, cores int) (told, alarms float64) {
	tokens, k := d.stem.Config.Tokens(), d.kinds()
	x, _ := windows(a, scans)
	p := d.read(a, len(x), cores, func(i int) []float32 { return x[i] })
	var lesions, healthy float64
	for i, s := range scans {
		for cell, want := range a.truth(s, tokens) {
			row := p[(i*tokens+cell)*k:][:k]
			top := slices.Index(row, slices.Max(row))
			switch {
			case want == 0:
				healthy++
				if top != 0 {
					alarms++
				}
			default:
				lesions++
				if top == int(want) {
					told++
				}
			}
		}
	}
	return told / lesions, alarms / healthy
}

// stemTable shows how well the stem tells tissue, for each seed.
func (l *Lab) stemTable(a *anatomy, stems []*lobeStem, n int) Table {
	var told, alarms []float64
	for i, d := range stems {
		t, f := d.recall(a, drawer(drawAny).scans(a, n, l.Seed+uint64(i), streamTest, l.cores()), l.cores())
		told, alarms = append(told, t), append(alarms, f)
	}
	show := func(v []float64) string { var i metric.Interval = overSeeds(v); return interval(i) }
	return Table{Title: "The stem as a classifier of cells", Columns: []string{"measure", "value [range of seeds]"},
		Rows:  [][]string{{"lesions whose type is told", show(told)}, {"healthy cells taken for a lesion", show(alarms)}},
		Notes: []string{"Trained on scans with lesions of any type at any site, independently, and then kept as it is for all models of all tasks."}}
}
