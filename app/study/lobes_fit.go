package study

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"heed/autograd"
	"heed/explain"
	"heed/internal/par"
	"heed/metric"
	"heed/model/volume"
	"heed/nn"
	"heed/train"
)

// A reader is one architecture in the comparison: the same stem below, and what
// mixes the cells of the feature map above.
type reader struct {
	name    string
	mixer   string // "" for none
	pooling string
	plain   bool // trained on the last stage alone
	alone   bool // the layers work on each cell alone
}

// readers lists them: the hybrid and its rival first.
func readers() []reader {
	return []reader{
		{name: "stem, attention, [CLS]", mixer: volume.Attention, pooling: "cls"},
		{name: "stem, mean (CNN + pooling)", pooling: "mean"},
		{name: "stem, layers on each cell alone, mean (CNN + pooling)", mixer: volume.Conv, pooling: "mean", alone: true},
		{name: "stem, 3³ convolutions, mean", mixer: volume.Conv, pooling: "mean"},
		{name: "stem, axial attention, mean", mixer: volume.Axial, pooling: "mean"},
		{name: "stem, attention, mean", mixer: volume.Attention, pooling: "mean"},
		{name: "stem, attention, [CLS], the last stage alone", mixer: volume.Attention, pooling: "cls", plain: true},
		{name: "stem, Inception, mean", mixer: volume.Inception, pooling: "mean"},
		{name: "stem, LSTM over slices, mean", mixer: volume.LSTM, pooling: "mean"},
	}
}

// config is the network of a reader: 16 and 32 channels, then two layers of mixer
// and feed-forward. Nothing but attention gets [CLS], which is attention itself,
// and nobody a maximum, which would do some of the work that is asked of the
// mixer: the maximum over both lungs of "a lesion at this height" counts what is
// not mirrored.
func (c reader) config(a *anatomy) volume.Config {
	m := volume.Config{Size: a.size, Spacing: a.spacing, Channels: 1, Stem: []int{16, 32}, Mixer: cmp.Or(c.mixer, volume.Conv), Layers: 2, Heads: 4, FFN: 64,
		Position: "sinusoidal", Pooling: cmp.Or(c.pooling, "mean"), Classes: 2}
	if c.mixer == "" {
		m.Layers = 0
	}
	return m
}

// alone is a mixer that mixes nothing, with the parameters of attention: what
// positions and tissues together say of a cell can be computed, and no cell learns
// of another.
type alone struct{ Up, Down *nn.Linear } // (2D, D), (D, 2D)

func newAlone(dim int, r *rand.Rand) *alone {
	return &alone{nn.NewLinear(dim, 2*dim, r), nn.NewLinear(2*dim, dim, r)}
}

func (m *alone) Mix(t *autograd.Tape, x *autograd.Var, _ []autograd.Segment) *autograd.Var {
	return m.Down.Forward(t, autograd.GELU(t, m.Up.Forward(t, x)))
}

func (m *alone) Visit(prefix string, f nn.Visitor) {
	m.Up.Visit(nn.Join(prefix, "up"), f)
	m.Down.Visit(nn.Join(prefix, "down"), f)
}

// Streams of random numbers; no scan of one is in another.
const (
	streamTrain  = 1 << 40
	streamValid  = 2 << 40
	streamTest   = 3 << 40
	streamTissue = 4 << 40
)

// A readerFit is a trained reader. What the stem says of a cell becomes the mean
// of the vectors of the tissues, weighted by their probabilities; positions and the
// layers of the model come above.
type readerFit struct {
	stem    *lobeStem
	tissues *nn.Embedding // (kinds, D)
	model   *volume.Model // without a stem
	params  int           // above the stem
	scans   int           // that it has seen
	seen    int           // scans until the validation AUROC reached .9; 0 if never
	at      []float64     // scans seen at each evaluation,
	curve   []float64     // and its AUROC
	took    time.Duration
	cores   int
}

// Visit names what is trained with the task.
func (f *readerFit) Visit(prefix string, v nn.Visitor) {
	f.tissues.Visit(nn.Join(prefix, "tissues"), v)
	f.model.Visit(prefix, v)
}

// logits maps what the stem says of scans (B, tokens, kinds) to (B, 2).
func (f *readerFit) logits(t *autograd.Tape, said []float32) *autograd.Var {
	c, k := &f.model.Config, f.stem.kinds()
	x := autograd.MatMul(t, autograd.Input(said, len(said)/k, k), f.tissues.Weight)
	g := c.Grid()
	return f.model.Logits(t, autograd.Reshape(t, x, len(said)/k/c.Tokens(), g[0], g[1], g[2], c.Dim()))
}

// A lesson is what the stem says of scans (n, tokens, kinds), whose classes
// alternate.
type lesson struct {
	n    int
	said []float32
}

// of returns the part of scans from..to.
func (s lesson) of(from, to int) []float32 {
	each := len(s.said) / s.n
	return s.said[from*each : to*each]
}

// heard reads scans by the stem.
func (d *lobeStem) heard(a *anatomy, scans []*scan, cores int) lesson {
	x, _ := windows(a, scans)
	return lesson{len(x), d.read(a, len(x), cores, func(i int) []float32 { return x[i] })}
}

// lessons makes the training scans of all stages of a task, and reads them.
func (d *lobeStem) lessons(a *anatomy, k *task, seed uint64, cores int) []lesson {
	var out []lesson
	first := uint64(streamTrain)
	for _, s := range k.stages {
		out = append(out, lesson{s.scans, d.read(a, s.scans, cores, func(i int) []float32 {
			x := make([]float32, a.voxels())
			s.draw.make(a, i%2, seed, first+uint64(i)).window(x)
			return x
		})})
		first += uint64(s.scans)
	}
	return out
}

// fitReader trains a reader on the lessons, none of them twice: what is compared
// is how many a model has to see, not how well it remembers. A stage ends with its
// scans, or, but for the last one, when the loss of 100 steps is below .3. The
// weights are those of the best AUROC on valid; training stops when that reaches
// .995.
func (l *Lab) fitReader(ctx context.Context, c reader, a *anatomy, k *task, stem *lobeStem, lessons []lesson, valid lesson, seed uint64) (*readerFit, error) {
	const batch, every = 16, 100
	cfg := c.config(a)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 2))
	f := &readerFit{stem: stem, tissues: nn.NewEmbedding(stem.kinds(), cfg.Dim(), 1, r), model: volume.New(cfg, r), cores: l.cores()}
	f.model.Stem = nil // another's
	if c.alone {
		for _, layer := range f.model.Layers {
			layer.Mixer = newAlone(cfg.Dim(), r)
		}
	}
	f.params = nn.Count(f)
	if c.plain {
		lessons = lessons[len(lessons)-1:]
	}
	total, stage, at := 0, 0, 0
	for _, s := range lessons {
		total += s.n
	}
	run, err := train.New(train.Config{Epochs: 1, Batch: batch, Leaves: 1, Rate: 3e-3, Warmup: 0.05, Floor: 0.3, Decay: 0.01, Seed: seed, Cores: l.Cores}, train.Problem{
		Model:   f,
		Lengths: slices.Repeat([]int{cfg.Tokens()}, total),
		// There is one leaf, so this is called once in a step. It takes the next
		// scans of the stage, and not those that are drawn.
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			want := make([]int32, len(examples))
			for i := range want {
				want[i] = int32((at + i) % 2)
			}
			return autograd.CrossEntropy(t, f.logits(t, lessons[stage].of(at, at+len(examples))), want, norm)
		},
	})
	if err != nil {
		return nil, err
	}
	best, began := &train.Best{}, time.Now()
	sum, steps := 0.0, 0.0
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		at, f.scans = at+batch, f.scans+batch
		sum, steps = sum+step.Loss, steps+1
		last, ended := stage == len(lessons)-1, at+batch > lessons[stage].n
		if steps == every || ended {
			auroc := f.aurocOf(valid)
			best.See(f, step.N, auroc)
			f.at, f.curve = append(f.at, float64(f.scans)), append(f.curve, auroc)
			if auroc >= 0.9 && f.seen == 0 {
				f.seen = f.scans
			}
			l.tell("%s, seed %d, %s, stage %d: %d scans, loss %.3f, AUROC %.3f, %.0f s", k.name, seed, c.name, stage+1, f.scans, sum/steps, auroc, time.Since(began).Seconds())
			if last && (ended || auroc >= 0.995) {
				break
			}
			ended = ended || sum/steps < 0.3
			sum, steps = 0, 0
			if ended && !last {
				stage, at = stage+1, 0
			}
		}
	}
	best.Load(f)
	f.took = time.Since(began)
	return f, nil
}

// judge returns the log-odds of class 1 of scans that the stem has read.
func (f *readerFit) judge(s lesson) []float64 {
	const together = 8
	out := make([]float64, s.n)
	par.Do((s.n+together-1)/together, f.cores, func(_, b int) {
		from, to := b*together, min((b+1)*together, s.n)
		z := f.logits(&autograd.Tape{NoGrad: true}, s.of(from, to)).Data
		for i := from; i < to; i++ {
			out[i] = float64(z[2*(i-from)+1] - z[2*(i-from)])
		}
	})
	return out
}

// scores returns the log-odds of class 1 of inputs (n, D, H, W).
func (f *readerFit) scores(a *anatomy, inputs [][]float32) []float64 {
	return f.judge(lesson{len(inputs), f.stem.read(a, len(inputs), f.cores, func(i int) []float32 { return inputs[i] })})
}

// aurocOf is the AUROC on scans whose classes alternate.
func (f *readerFit) aurocOf(s lesson) float64 {
	y := make([]bool, s.n)
	for i := range y {
		y[i] = i%2 == 1
	}
	return mustAUROC(f.judge(s), y)
}

func windows(a *anatomy, scans []*scan) ([][]float32, []bool) {
	x, y := make([][]float32, len(scans)), make([]bool, len(scans))
	for i, s := range scans {
		x[i], y[i] = make([]float32, a.voxels()), s.label == 1
		s.window(x[i])
	}
	return x, y
}

// mustAUROC is AUROC of finite scores of both classes.
func mustAUROC(scores []float64, y []bool) float64 {
	b, err := metric.NewBinary(scores, y)
	if err != nil {
		panic(fmt.Sprintf("study: %v", err)) // a diverged training ends before
	}
	return b.AUROC()
}

// A gaze is the attention of one scan: what each head of each layer gives from one
// cell of the feature map to another.
type gaze struct {
	names  []string
	weight func(head, from, to int) float64
}

// gazeAt returns the attention of what the stem says of a scan, (tokens, kinds).
// Of axial attention it is that along the width, which joins the lungs. With [CLS]
// the cells of the last layer are read by nobody, so that layer is left out.
func (f *readerFit) gazeAt(said []float32) gaze {
	c := &f.model.Config
	ending := ".attention.weights"
	if c.Mixer == volume.Axial {
		ending = ".attention.width.weights"
	}
	var layers [][]float32
	t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, ending) {
			layers = append(layers, slices.Clone(v.Data))
		}
	}}
	f.logits(t, said)
	skip := 0
	if c.Pooling == "cls" {
		layers, skip = layers[:len(layers)-1], 1
	}
	g := gaze{}
	for i := range len(layers) * c.Heads {
		g.names = append(g.names, fmt.Sprintf("layer %d, head %d", i/c.Heads+1, i%c.Heads+1))
	}
	g.weight = func(head, from, to int) float64 {
		line, n := 0, c.Tokens()+skip
		if c.Mixer == volume.Axial {
			n = c.Grid()[2]
			if line = from / n; line != to/n {
				return 0
			}
			from, to = from%n, to%n
		}
		return float64(layers[head/c.Heads][((line*c.Heads+head%c.Heads)*n+from+skip)*n+to+skip])
	}
	return g
}

// slope returns gradient x input of the cells of the feature map, for class 1.
func (f *readerFit) slope(said []float32) []float64 {
	c := &f.model.Config
	var seen *autograd.Var
	t := &autograd.Tape{Frozen: true, NoWeights: true, Probe: func(name string, v *autograd.Var) {
		if name == "map" {
			seen = v
		}
	}}
	t.Backward(explain.Contrast(t, f.logits(t, said), 1))
	out := make([]float64, c.Tokens())
	for i, g := range seen.Grad {
		out[i/c.Dim()] += float64(g) * float64(seen.Data[i])
	}
	return out
}
