package bench

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/internal/par"
	"heed/model/alignment"
	"heed/model/esm"
	"heed/model/sequence"
	"heed/model/timeline"
	"heed/model/volume"
	"heed/nn"
	"heed/optim"
)

// A Model is the throughput of one architecture on all cores: of inference, and of
// whole training steps with the update of AdamW.
type Model struct {
	Name       string `json:"name"`
	Shape      string `json:"shape"`
	Unit       string `json:"unit"` // of what is counted: tokens, cells, voxels
	Parameters int    `json:"parameters"`
	Inference  *Rate  `json:"inference,omitempty"` // nil if there was no time for it
	Training   *Rate  `json:"training,omitempty"`  // nil too where Heed does not train
}

// A Rate is how fast a model runs.
type Rate struct {
	PerSecond float64 `json:"per_second"`
	GFLOPS    float64 `json:"gflops"` // of the matrix products alone, counted from the shapes
	Share     float64 `json:"share"`  // of the peak of as many cores
	Rounds    int     `json:"rounds"`
}

// A subject is a model and a batch of it that is cut into pieces.
type subject struct {
	name, shape, unit string
	module            nn.Module
	pack              func() // the module's weights, once they are counted; nil for none
	count             int    // units of the batch
	pieces            int
	cores             int   // of the tape of a piece; 0 means 1
	forward           flops // of the batch
	training          flops // of the forward pass that is trained
	infer             func(t *autograd.Tape, piece int)
	loss              func(t *autograd.Tape, piece int) *autograd.Var // nil for none
}

// flops counts 2 for each multiply-add of the matrix products.
type flops struct{ linear, attention float64 }

func (f flops) total() float64 { return f.linear + f.attention }

// trained is what a step takes: a linear layer has two products backward for one
// forward, and attention five for two, because it computes its scores again.
func (f flops) trained() float64 { return 3*f.linear + 3.5*f.attention }

// encoder counts the layers of a transformer over sequences of one length; if only
// the first row is read, the last layer computes keys and values and that row.
func encoder(layers, dim, ffn, sequences, length int, first bool) flops {
	d, f, s, l := float64(dim), float64(ffn), float64(sequences), float64(length)
	one := flops{2 * s * l * (4*d*d + 2*d*f), 4 * s * l * l * d}
	out := flops{float64(layers) * one.linear, float64(layers) * one.attention}
	if first {
		out.linear += 2*s*l*2*d*d + 2*s*(2*d*d+2*d*f) - one.linear
		out.attention += 4*s*l*d - one.attention
	}
	return out
}

// measure times inference and training on all cores, what there is time for.
func (m *subject) measure(b *budget, cores int, peak float64) Model {
	out := Model{Name: m.name, Shape: m.shape, Unit: m.unit, Parameters: nn.Count(m.module)}
	if m.pack != nil {
		m.pack()
	}
	rate := func(what string, work float64, f func()) *Rate {
		part, ok := b.begin(m.name+", "+what, work)
		if !ok {
			return nil
		}
		t := b.measure(part, cores, work, f)
		return &Rate{float64(m.count) / t.best(), work / t.best() / 1e9, work / t.best() / 1e9 / peak, len(t.seconds)}
	}
	tapes := make([]autograd.Tape, m.pieces)
	for i := range tapes {
		tapes[i].NoGrad, tapes[i].Cores = true, m.cores
	}
	out.Inference = rate("inference", m.forward.total(), func() {
		par.Do(m.pieces, cores, func(_, i int) {
			tapes[i].Reset()
			m.infer(&tapes[i], i)
		})
	})
	if m.loss == nil {
		b.left-- // one less than was thought
		return out
	}
	params := nn.Params(m.module)
	opt := optim.AdamW{Decay: 0.01}
	steps := make([]*autograd.Tape, m.pieces)
	for i := range steps {
		steps[i] = &autograd.Tape{Rand: rand.New(rand.NewPCG(5, uint64(i)))}
	}
	out.Training = rate("training", m.training.trained(), func() {
		par.Do(m.pieces, cores, func(_, i int) {
			steps[i].Reset()
			steps[i].Backward(m.loss(steps[i], i))
		})
		autograd.Gather(params, steps...)
		opt.Update(params, 1e-4, optim.ClipScale(optim.GlobalNorm(params), 1))
	})
	return out
}

// pieces is how a batch is cut, as in training: enough for many cores.
const pieces = 8

// models makes one subject of every architecture, at the size at which Heed trains
// it by default or at which it was published.
func models() []func(cores int) *subject {
	return []func(int) *subject{dna, msa, ct, patients, protein}
}

func dna(int) *subject {
	const each, letters, layers, dim, ffn = 8, 251, 2, 128, 512
	r := rand.New(rand.NewPCG(1, 1))
	m := sequence.New(sequence.Config{Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: letters, Layers: layers, Dim: dim, Heads: 4, FFN: ffn,
		Position: "learned", Pooling: "cls", Classes: 2, Dropout: 0.1}, r)
	batches, truth := make([]*sequence.Batch, pieces), make([]int32, each)
	for i := range batches {
		seqs := make([][]int32, each)
		for k := range seqs {
			text := make([]byte, letters)
			for j := range text {
				text[j] = "ACGT"[r.IntN(4)]
			}
			seqs[k] = m.Config.Tokenizer.Encode(text)
		}
		batches[i] = m.Pack(seqs...)
	}
	return &subject{
		name: "sequence", shape: fmt.Sprintf("%d sequences of %d tokens, %d layers of width %d", pieces*each, 1+letters, layers, dim), unit: "tokens",
		module: m, count: pieces * each * (1 + letters), pieces: pieces,
		forward: encoder(layers, dim, ffn, pieces*each, 1+letters, true), training: encoder(layers, dim, ffn, pieces*each, 1+letters, false),
		infer: func(t *autograd.Tape, i int) { m.Logits(t, batches[i]) },
		loss: func(t *autograd.Tape, i int) *autograd.Var {
			return autograd.CrossEntropy(t, m.Logits(t, batches[i]), truth, pieces*each)
		},
	}
}

func msa(int) *subject {
	const rows, columns, layers, width, heads, ffn = 16, 128, 2, 128, 8, 256
	r := rand.New(rand.NewPCG(1, 2))
	m := alignment.NewAxial(columns, alignment.AxialConfig{Layers: layers, Width: width, Heads: heads, FFN: ffn}, r)
	states, truth := make([]uint8, rows*columns), make([]int32, rows*columns)
	for i := range states {
		states[i], truth[i] = uint8(r.IntN(alignment.Residues)), int32(r.IntN(alignment.Residues))
	}
	var work flops
	for _, l := range m.Layers {
		attention, linear := l.MultiplyAdds(nn.Grid{Rows: rows, Columns: columns})
		work.attention += 2 * pieces * float64(attention)
		work.linear += 2 * pieces * float64(linear)
	}
	work.linear += 2 * pieces * rows * columns * width * alignment.Residues
	return &subject{
		name: "alignment, axial", shape: fmt.Sprintf("%d alignments of %d x %d cells, %d layers of width %d, tied rows", pieces, rows, columns, layers, width), unit: "cells",
		module: m, count: pieces * rows * columns, pieces: pieces, forward: work, training: work,
		infer: func(t *autograd.Tape, _ int) { m.Logits(t, states, nil) },
		loss: func(t *autograd.Tape, _ int) *autograd.Var {
			return autograd.CrossEntropy(t, m.Logits(t, states, nil), truth, pieces*rows*columns)
		},
	}
}

func ct(int) *subject {
	const each, edge, ffn, layers = 2, 28, 96, 2
	stem := []int{16, 48}
	r := rand.New(rand.NewPCG(1, 3))
	m := volume.New(volume.Config{Size: [3]int{edge, edge, edge}, Spacing: [3]float64{1, 1, 1}, Channels: 1, Stem: stem, Blocks: 1, Mixer: volume.Attention,
		Layers: layers, Heads: 4, FFN: ffn, Position: "sinusoidal", Pooling: "cls", Classes: 2, Dropout: 0.1}, r)
	x := autograd.Input(numbers(each*edge*edge*edge, r), each, edge, edge, edge, 1)
	truth := make([]int32, each)
	convolutions, at := 0.0, float64(edge*edge*edge)
	m.Visit("", func(name string, p *autograd.Var) {
		if len(p.Shape) != 5 {
			return
		}
		if p.Dim(3) != p.Dim(4) { // the first of a stage, which halves the volume
			at /= 8
		}
		convolutions += 2 * pieces * each * at * float64(len(p.Data))
	})
	tokens := 1 + edge*edge*edge/64
	work := func(first bool) flops {
		f := encoder(layers, stem[1], ffn, pieces*each, tokens, first)
		f.linear += convolutions
		return f
	}
	return &subject{
		name: "volume", shape: fmt.Sprintf("%d volumes of %d³ voxels, stem of %d and %d channels, %d layers of attention over %d tokens", pieces*each, edge, stem[0], stem[1], layers, tokens), unit: "voxels",
		module: m, count: pieces * each * edge * edge * edge, pieces: pieces, forward: work(true), training: work(false),
		infer: func(t *autograd.Tape, _ int) { m.Logits(t, x) },
		loss: func(t *autograd.Tape, _ int) *autograd.Var {
			return autograd.CrossEntropy(t, m.Logits(t, x), truth, pieces*each)
		},
	}
}

func patients(int) *subject {
	const each, events = 8, 255
	c := timeline.DefaultConfig()
	r := rand.New(rand.NewPCG(1, 4))
	v := &timeline.Vocabulary{Channels: 1}
	for i := range 400 {
		v.Codes = append(v.Codes, fmt.Sprint(i))
		v.Knots, v.Mean, v.SD = append(v.Knots, []float32{-2, -1, 0, 1, 2}), append(v.Mean, 0), append(v.SD, 1)
	}
	if err := v.Prepare(); err != nil {
		panic(err) // of constants
	}
	m := timeline.New(c, v, r)
	batches := make([]*timeline.Batch, pieces)
	for i := range batches {
		seqs := make([]*timeline.Sequence, each)
		for k := range seqs {
			var list []timeline.Event
			for e := range events {
				list = append(list, timeline.Event{Code: fmt.Sprint(r.IntN(400)), Values: []float32{float32(r.NormFloat64())}, Time: float64(events - e), Visit: int32(1 + e/8)})
			}
			s := v.Encode(list, 60, false)
			seqs[k] = &s
		}
		batches[i] = m.Pack(nil, seqs...)
	}
	work := encoder(c.Layers, c.Dim, c.FFN, pieces*each, 1+events, true)
	return &subject{
		name: "timeline", shape: fmt.Sprintf("%d patients of %d events, %d layers of width %d", pieces*each, events, c.Layers, c.Dim), unit: "tokens",
		module: m, count: pieces * each * (1 + events), pieces: pieces, forward: work, training: work,
		infer: func(t *autograd.Tape, i int) { m.Logits(t, batches[i]) },
		loss: func(t *autograd.Tape, i int) *autograd.Var {
			return autograd.BinaryCrossEntropy(t, m.Logits(t, batches[i]), make([]float32, each), pieces*each)
		},
	}
}

// protein has the shape of ESM-2 8M, which Heed runs and does not train: one protein
// at a time, on all cores.
func protein(cores int) *subject {
	const tokens = 512
	c := esm.Config{Layers: 6, Dim: 320, Heads: 20, FFN: 1280, TokenDropout: true}
	r := rand.New(rand.NewPCG(1, 5))
	arrays := map[string]esm.Array{}
	esm.Shapes(c, func(name string, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := numbers(n, r)
		for i := range values {
			values[i] *= float32(1 / math.Sqrt(float64(shape[len(shape)-1])))
		}
		arrays[name] = esm.Array{Shape: shape, Values: func() ([]float32, error) { return values, nil }}
	})
	m, _, err := esm.Load(arrays)
	if err != nil {
		panic(err) // of shapes that are its own
	}
	ids := make([]int32, tokens)
	for i := range ids {
		ids[i] = int32(4 + r.IntN(20)) // amino acids
	}
	work := encoder(c.Layers, c.Dim, c.FFN, 1, tokens, false)
	work.linear += 2 * tokens * float64(c.Dim) * float64(c.Dim+esm.Tokens)
	return &subject{
		name: "esm, shape of ESM-2 8M", shape: fmt.Sprintf("1 protein of %d tokens, %d layers of width %d", tokens, c.Layers, c.Dim), unit: "tokens",
		module: m, pack: m.Pack, count: tokens, pieces: 1, cores: cores, forward: work,
		infer: func(t *autograd.Tape, _ int) { m.Logits(t, m.Encode(t, esm.Pack(ids))) },
	}
}
