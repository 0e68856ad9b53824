package baseline

import (
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/data"
	"heed/internal/par"
	"heed/nn"
	"heed/tensor"
)

// CNNArchitecture is the name that checkpoints of a CNN carry.
const CNNArchitecture = "cnn"

// A CNNConfig says how large a CNN is. It is stored in checkpoints.
type CNNConfig struct {
	// Length is the number of letters of every sequence. The places of what the
	// filters find are then known to the dense layer. 0 stands for any lengths:
	// only the best match of each filter counts, wherever it is.
	Length  int     `json:"length"`
	Filters int     `json:"filters"` // F
	Kernel  int     `json:"kernel"`  // K, letters that a filter sees
	Pool    int     `json:"pool"`    // P, places of which the best counts; not used if Length is 0
	Dense   int     `json:"dense"`   // D, width of the hidden layer
	Classes int     `json:"classes"` // C
	Dropout float32 `json:"dropout"` // of the hidden layer
}

// DefaultCNNConfig returns the size for sequences of a length: that of CNNProm
// for bacterial promoters up to 100 letters, more and longer filters above, as
// there for eukaryotes.
func DefaultCNNConfig(length, classes int) CNNConfig {
	c := CNNConfig{Length: length, Filters: 100, Kernel: 7, Pool: 2, Dense: 128, Classes: classes, Dropout: 0.5}
	if length == 0 || length > 100 {
		c.Filters, c.Kernel, c.Pool = 200, 21, 4
	}
	return c
}

// Validate reports the first field that makes no sense. Its limits lie far above
// what a CPU trains and keep a hostile checkpoint from filling the memory.
func (c *CNNConfig) Validate() error {
	switch {
	case c.Length < 0 || c.Length > 1<<20:
		return fmt.Errorf("length %d: want 0 to %d", c.Length, 1<<20)
	case c.Filters < 1 || c.Filters > 4096:
		return fmt.Errorf("filters %d: want 1 to 4096", c.Filters)
	case c.Kernel < 1 || c.Kernel > 1023:
		return fmt.Errorf("kernel %d: want 1 to 1023", c.Kernel)
	case c.Length > 0 && (c.Pool < 1 || c.Pool > c.Length):
		return fmt.Errorf("pool %d: want 1 to the length, %d", c.Pool, c.Length)
	case c.Dense < 1 || c.Dense > 1<<14:
		return fmt.Errorf("dense %d: want 1 to %d", c.Dense, 1<<14)
	case c.Classes < 2 || c.Classes > 1000:
		return fmt.Errorf("classes %d: want 2 to 1000", c.Classes)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout %v: want 0 or more, less than 1", c.Dropout)
	}
	if n := c.features() * c.Dense; n > 1<<27 {
		return fmt.Errorf("a hidden layer of %d weights: want %d or fewer; a larger pool makes fewer", n, 1<<27)
	}
	return nil
}

// features returns the number of inputs of the hidden layer.
func (c *CNNConfig) features() int {
	if c.Length == 0 {
		return c.Filters
	}
	return (c.Length + c.Pool - 1) / c.Pool * c.Filters
}

// A CNN is the convolutional network of CNNProm (Umarov & Solovyev 2017, PLOS
// ONE 12:e0171410): one layer of filters, which are motifs, and one hidden layer
// that weighs where they were found.
//
//	one-hot → convolution → ReLU → max-pool → dense → ReLU → dropout → logits
//
// It differs from the original in three points: the convolution keeps the
// length, every class has a logit, and there is dropout.
type CNN struct {
	Config CNNConfig
	Conv   *nn.Conv1D // (F, K, 4)
	Hidden *nn.Linear // (D, ceil(L/P)·F), or (D, F) for any lengths
	Out    *nn.Linear // (C, D)
}

// NewCNN returns a network with weights drawn from r, or with zeros if r is nil.
// The configuration must be valid.
func NewCNN(c CNNConfig, r *rand.Rand) *CNN {
	return &CNN{
		Config: c,
		Conv:   nn.NewConv1D(4, c.Filters, c.Kernel, r),
		Hidden: nn.NewLinear(c.features(), c.Dense, r),
		Out:    nn.NewLinear(c.Dense, c.Classes, r),
	}
}

// Visit names all parameters.
func (m *CNN) Visit(prefix string, f nn.Visitor) {
	m.Conv.Visit(nn.Join(prefix, "conv"), f)
	m.Hidden.Visit(nn.Join(prefix, "hidden"), f)
	m.Out.Visit(nn.Join(prefix, "out"), f)
}

// A Batch is some sequences packed end to end.
type Batch struct {
	OneHot   *autograd.Var // (T, 4) with columns A C G T; zeros for unknown letters
	Segments []autograd.Segment
}

// Pack makes a batch of S sequences. A sequence without letters becomes one
// unknown letter.
func Pack(seqs ...[]byte) *Batch {
	lengths := make([]int, len(seqs))
	total := 0
	for i, s := range seqs {
		lengths[i] = max(len(s), 1)
		total += lengths[i]
	}
	b := &Batch{autograd.Input(make([]float32, 4*total), total, 4), autograd.Packed(lengths...)}
	for i, s := range seqs {
		for p, letter := range s {
			if a := data.Nucleotide(letter); a >= 0 {
				b.OneHot.Data[4*(b.Segments[i].Start+p)+a] = 1
			}
		}
	}
	return b
}

// Logits returns class logits (S, C) of the sequences of a batch. If the
// configuration has a length, a sequence of another one is a panic with a
// *tensor.ShapeError.
func (m *CNN) Logits(t *autograd.Tape, b *Batch) *autograd.Var {
	x := autograd.ReLU(t, m.Conv.Forward(t, b.OneHot, b.Segments))
	pool := m.Config.Pool
	for _, s := range b.Segments {
		if m.Config.Length > 0 {
			tensor.Check("CNN", []int{s.Count, 4}, m.Config.Length, 4)
		} else {
			pool = max(pool, s.Count)
		}
	}
	x, _ = autograd.MaxPool1D(t, x, pool, b.Segments)
	x = autograd.Reshape(t, x, len(b.Segments), m.Config.features())
	x = autograd.ReLU(t, m.Hidden.Forward(t, x))
	return m.Out.Forward(t, autograd.Dropout(t, x, m.Config.Dropout))
}

// predictBatch is the number of sequences that Predict takes at once.
const predictBatch = 64

// Predict returns class probabilities (S, C). It uses all cores. Lengths are as
// for Logits.
func (m *CNN) Predict(seqs [][]byte) [][]float64 {
	out := matrix(len(seqs), m.Config.Classes)
	workers := par.Cores()
	tapes := make([]autograd.Tape, workers)
	par.Do((len(seqs)+predictBatch-1)/predictBatch, workers, func(worker, task int) {
		t := &tapes[worker]
		t.NoGrad = true
		first := task * predictBatch
		y := m.Logits(t, Pack(seqs[first:min(first+predictBatch, len(seqs))]...))
		for i := range y.Dim(0) {
			row := out[first+i]
			for c := range row {
				row[c] = float64(y.Data[i*len(row)+c])
			}
			softmax(row)
		}
		t.Reset()
	})
	return out
}
