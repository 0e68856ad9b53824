package study

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/nn"
	"heed/train"
)

// A tissueModel names the tissue of every token of a window: one layer of attention
// of one head or several, with the same number of parameters. Without positions, what
// a head attends to is texture.
type tissueModel struct {
	heads int // 0: every token attends to itself alone
	In    *nn.Linear
	Layer *nn.EncoderLayer
	Norm  *nn.LayerNorm
	Out   *nn.Linear
}

func newTissueModel(heads int, r *rand.Rand) *tissueModel {
	const dim, ffn = 32, 64
	a := nn.NewMultiHeadAttention(dim, max(1, heads), r)
	a.Name = "attention"
	return &tissueModel{heads, nn.NewLinear(len(textures), dim, r), nn.NewEncoderLayer(a, dim, ffn, r), nn.NewLayerNorm(dim), nn.NewLinear(dim, tissues, r)}
}

// Visit names in, layer, norm and out.
func (m *tissueModel) Visit(prefix string, f nn.Visitor) {
	m.In.Visit(nn.Join(prefix, "in"), f)
	m.Layer.Visit(nn.Join(prefix, "layer"), f)
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Out.Visit(nn.Join(prefix, "out"), f)
}

// logits maps the tokens of n windows to (n·144, 3).
func (m *tissueModel) logits(t *autograd.Tape, x []float32) *autograd.Var {
	rows := len(x) / len(textures)
	length := windowEdge * windowEdge
	if m.heads == 0 {
		length = 1
	}
	lengths := make([]int, rows/length)
	for i := range lengths {
		lengths[i] = length
	}
	h := m.In.Forward(t, autograd.Input(x, rows, len(textures)))
	return m.Out.Forward(t, m.Norm.Forward(t, m.Layer.Forward(t, h, autograd.Packed(lengths...))))
}

// fitTissue trains a model on windows of some volumes.
func (l *Lab) fitTissue(ctx context.Context, heads int, volumes []*tissueVolume, seed uint64) (*tissueModel, error) {
	m := newTissueModel(heads, rand.New(rand.NewPCG(seed, 41)))
	lengths := make([]int, l.pick(6400, 1600))
	for i := range lengths {
		lengths[i] = windowEdge * windowEdge
	}
	run, err := train.New(train.Config{Epochs: 1, Batch: 16, Leaves: 1, Rate: 3e-3, Warmup: 0.1, Decay: 0.05, Clip: 1, Seed: seed, Cores: l.Cores}, train.Problem{
		Model: m, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, _ float32) *autograd.Var {
			var x []float32
			var want []int32
			for range examples {
				w := volumes[t.Rand.IntN(len(volumes))].window(true, t.Rand)
				x, want = append(x, w.x...), append(want, w.label...)
			}
			kept := balance(want, t.Rand)
			return autograd.CrossEntropy(t, m.logits(t, x), want, max(1, float32(kept)))
		},
	})
	if err != nil {
		return nil, err
	}
	for _, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// balance takes tokens of the frequent tissues out until all count alike, and returns
// how many are left. There is one leaf, so that this is the whole batch.
func balance(label []int32, r *rand.Rand) int {
	var count [tissues]int
	for _, l := range label {
		if l >= 0 {
			count[l]++
		}
	}
	least := max(1, slices.Min(count[:]))
	kept := 0
	for _, i := range r.Perm(len(label)) {
		if l := label[i]; l >= 0 {
			if count[l] > least {
				count[l]--
				label[i] = -1
				continue
			}
			kept++
		}
	}
	return kept
}

// recalls returns the share of the tokens of each tissue that a model is right about.
// ablated is a head whose weights are all made equal, or -1.
func (m *tissueModel) recalls(windows []tissueWindow, ablated int) [tissues]float64 {
	var right, all [tissues]float64
	for _, w := range windows {
		t := &autograd.Tape{NoGrad: true}
		if ablated >= 0 {
			t.Probe = func(name string, v *autograd.Var) {
				if name == "attention.weights" {
					size := v.Dim(2) * v.Dim(3)
					explain.UniformHead(v.Data[ablated*size:(ablated+1)*size], v.Dim(3))
				}
			}
		}
		y := m.logits(t, w.x).Data
		for i, l := range w.label {
			if l >= 0 {
				all[l]++
				if row := y[i*tissues : (i+1)*tissues]; row[l] == slices.Max(row) {
					right[l]++
				}
			}
		}
	}
	for t := range right {
		right[t] /= max(1, all[t])
	}
	return right
}

func mean(x [tissues]float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v / tissues
	}
	return sum
}

// headTissues is what the heads of a model do by tissue.
type headTissues struct {
	mass    [][tissues]float64 // (heads) attention of tokens of a tissue to that tissue, by its share of the tokens that have one
	perplex [][tissues]float64 // (heads) how many tokens one of a tissue attends to: e to the entropy
	index   float64            // mean Kullback-Leibler divergence, nats, of attention by tissue from the tissues' shares
	shuffle []float64          // the same with the tissues of the tokens shuffled within each window
}

// heads measures the attention of a model over some windows.
func (m *tissueModel) attends(windows []tissueWindow, shuffles int, r *rand.Rand) headTissues {
	out := headTissues{mass: make([][tissues]float64, m.heads), perplex: make([][tissues]float64, m.heads), shuffle: make([]float64, shuffles)}
	var weights [][]float32 // of each window (H, 144, 144)
	for _, w := range windows {
		t := &autograd.Tape{NoGrad: true}
		t.Probe = func(name string, v *autograd.Var) {
			if name == "attention.weights" {
				weights = append(weights, slices.Clone(v.Data))
			}
		}
		m.logits(t, w.x)
	}
	const n = windowEdge * windowEdge
	measure := func(label func(k int) []int32, each func(head, tissue int, to, share [tissues]float64, entropy float64)) {
		for k := range windows {
			l := label(k)
			var share [tissues]float64
			total := 0.0
			for _, t := range l {
				if t >= 0 {
					share[t]++
					total++
				}
			}
			if share[tissueCore] == 0 || share[tissueRim] == 0 || share[tissueHealthy] == 0 {
				continue
			}
			for t := range share {
				share[t] /= total
			}
			for h := range m.heads {
				for i, own := range l {
					if own < 0 {
						continue
					}
					var to [tissues]float64
					sum, entropy := 0.0, 0.0
					for j, a := range weights[k][(h*n+i)*n : (h*n+i+1)*n] {
						if a > 0 {
							entropy -= float64(a) * math.Log(float64(a))
						}
						if l[j] >= 0 {
							to[l[j]] += float64(a)
							sum += float64(a)
						}
					}
					for t := range to {
						to[t] /= max(sum, 1e-12)
					}
					each(h, int(own), to, share, entropy)
				}
			}
		}
	}
	index := func(label func(k int) []int32) float64 {
		sum, count := 0.0, 0.0
		measure(label, func(_, _ int, to, share [tissues]float64, _ float64) {
			for t := range to {
				if to[t] > 0 {
					sum += to[t] * math.Log(to[t]/share[t])
				}
			}
			count++
		})
		return sum / max(1, count)
	}
	labels := func(k int) []int32 { return windows[k].label }
	out.index = index(labels)
	counts := make([][tissues]float64, m.heads)
	measure(labels, func(h, own int, to, share [tissues]float64, entropy float64) {
		out.mass[h][own] += to[own] / share[own]
		out.perplex[h][own] += math.Exp(entropy)
		counts[h][own]++
	})
	for h := range counts {
		for t := range counts[h] {
			out.mass[h][t] /= max(1, counts[h][t])
			out.perplex[h][t] /= max(1, counts[h][t])
		}
	}
	for s := range out.shuffle {
		mixed := make([][]int32, len(windows))
		for k, w := range windows {
			mixed[k] = slices.Clone(w.label)
			var at []int
			for i, t := range w.label {
				if t >= 0 {
					at = append(at, i)
				}
			}
			r.Shuffle(len(at), func(i, j int) { mixed[k][at[i]], mixed[k][at[j]] = mixed[k][at[j]], mixed[k][at[i]] })
		}
		out.shuffle[s] = index(func(k int) []int32 { return mixed[k] })
	}
	return out
}

// nearestTexture is the floor: the tissue whose mean value of one feature, on the
// training volumes, is nearest.
func nearestTexture(training []*tissueVolume, windows []tissueWindow, feature int) [tissues]float64 {
	var sum, n, right, all [tissues]float64
	for _, v := range training {
		for i, l := range v.label {
			if l >= 0 {
				sum[l] += float64(v.x[i*len(textures)+feature])
				n[l]++
			}
		}
	}
	for _, w := range windows {
		for i, l := range w.label {
			if l < 0 {
				continue
			}
			best, least := 0, math.Inf(1)
			for t := range tissues {
				if d := math.Abs(float64(w.x[i*len(textures)+feature]) - sum[t]/n[t]); d < least {
					best, least = t, d
				}
			}
			if all[l]++; best == int(l) {
				right[l]++
			}
		}
	}
	for t := range right {
		right[t] /= max(1, all[t])
	}
	return right
}
