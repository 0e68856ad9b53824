package ct

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/explain"
	"heed/format"
	"heed/radiomics"
)

// A replacement is what stands in place of what is taken away from a scan.
type replacement struct {
	name string
	make func(x *explaining) []float32
}

// blurredAway keeps coarse anatomy and takes detail away; filled takes both. A
// model may have met neither, so verdicts are given under each.
var (
	blurredAway = replacement{"a blurred copy", func(x *explaining) []float32 {
		c := x.config()
		return blur(x.view.x, c.Size, float64(int(1)<<len(c.Stem)))
	}}
	filled = replacement{"the mean of the scan", func(x *explaining) []float32 {
		sum := 0.0
		for _, v := range x.view.x {
			sum += float64(v)
		}
		return slices.Repeat([]float32{float32(sum / float64(len(x.view.x)))}, len(x.view.x))
	}}
)

// blur smooths a volume by a Gaussian of sigma voxels along each axis; what lies
// beyond the border is the border.
func blur(x []float32, size [3]int, sigma float64) []float32 {
	radius := int(math.Ceil(3 * sigma))
	kernel := make([]float32, 2*radius+1)
	sum := float32(0)
	for i := range kernel {
		d := float64(i-radius) / sigma
		kernel[i] = float32(math.Exp(-d * d / 2))
		sum += kernel[i]
	}
	stride := [3]int{size[1] * size[2], size[2], 1}
	out := slices.Clone(x)
	line := make([]float32, max(size[0], size[1], size[2]))
	for axis := range 3 {
		n, s := size[axis], stride[axis]
		for start := range x {
			if start/s%n != 0 {
				continue
			}
			for i := range n {
				line[i] = out[start+i*s]
			}
			for i := range n {
				v := float32(0)
				for k, w := range kernel {
					v += w * line[min(max(i+k-radius, 0), n-1)]
				}
				out[start+i*s] = v / sum
			}
		}
	}
	return out
}

// cellOf returns the cell of the feature map whose centre is nearest to a voxel
// (z, y, x): stage after stage takes every second voxel, so cell i is centred on
// voxel i·2ⁿ after n stages.
func cellOf(grid [3]int, stages int, p [3]int) int {
	edge := 1 << stages
	at := 0
	for a := range 3 {
		at = at*grid[a] + min((p[a]+edge/2)/edge, grid[a]-1)
	}
	return at
}

// regionGame is the game over labels 0 to n-1 of the model's voxels: a region
// that is not kept is replaced. Voxels of label -1 always stay.
func (x *explaining) regionGame(labels []int32, n int, r replacement, class int) *explain.Game {
	other := r.make(x)
	return &explain.Game{Features: n, Value: func(keep [][]bool) []float64 {
		inputs := make([][]float32, len(keep))
		for s, k := range keep {
			inputs[s] = slices.Clone(x.view.x)
			for i, l := range labels {
				if l >= 0 && !k[l] {
					inputs[s][i] = other[i]
				}
			}
		}
		return x.scores(inputs, class)
	}}
}

// blockGame is the game over the blocks of voxels around the cells of the
// feature map.
func (x *explaining) blockGame(r replacement, class int) *explain.Game {
	c := x.config()
	grid := c.Grid()
	labels := make([]int32, len(x.view.x))
	for i := range labels {
		p := [3]int{i / (c.Size[1] * c.Size[2]), i / c.Size[2] % c.Size[1], i % c.Size[2]}
		labels[i] = int32(cellOf(grid, len(c.Stem), p))
	}
	return x.regionGame(labels, c.Tokens(), r, class)
}

// Lobes says what each region of a mask does for a prediction.
type Lobes struct {
	Names       []string
	Unseen      []string // lobes without a voxel in what the model sees; nothing else speaks of them
	Voxels      []int    // of the model's view
	Replacement string
	// All is the log-odds with every lobe, None that without any.
	All, None   float64
	Occlusion   []float64 // fall of the log-odds without the lobe
	FirstIn     []float64 // rise if it is the only one
	Shapley     []float64 // exact; they sum to All - None
	Interaction [][]float64
	labels      []int32 // of the scan's voxels; -1 for none
}

// explainLobes evaluates all sets of lobes: 32 for five.
func (x *explaining) explainLobes(ctx context.Context, m *radiomics.Mask, labels []uint8, names []string, class int) (*Lobes, error) {
	c, v := x.config(), x.view
	out := &Lobes{Replacement: blurredAway.name, labels: make([]int32, len(m.Data))}
	count := map[uint8]int{}
	for i := range v.x {
		if at := v.scanIndex(i, c.Size); at >= 0 {
			count[m.Data[at]]++
		}
	}
	index := map[uint8]int32{}
	for i, l := range labels {
		if count[l] == 0 {
			out.Unseen = append(out.Unseen, names[i])
			continue
		}
		index[l] = int32(len(out.Names))
		out.Names, out.Voxels = append(out.Names, names[i]), append(out.Voxels, count[l])
	}
	if len(out.Names) == 0 {
		return nil, fmt.Errorf("the model sees no voxel of the mask")
	}
	for i, l := range m.Data {
		out.labels[i] = -1
		if k, ok := index[l]; ok {
			out.labels[i] = k
		}
	}
	inside := make([]int32, len(v.x))
	for i := range inside {
		inside[i] = -1
		if at := v.scanIndex(i, c.Size); at >= 0 {
			inside[i] = out.labels[at]
		}
	}
	n := len(out.Names)
	g := x.regionGame(inside, n, blurredAway, class)
	t, err := g.Table(ctx)
	if err != nil {
		return nil, err
	}
	full := len(t.Values) - 1
	out.All, out.None = t.Values[full], t.Values[0]
	out.Shapley, out.Interaction = t.Shapley(), t.Interaction()
	for i := range n {
		out.Occlusion = append(out.Occlusion, t.Values[full]-t.Values[full&^(1<<i)])
		out.FirstIn = append(out.FirstIn, t.Values[1<<i]-t.Values[0])
	}
	return out, nil
}

// scanIndex returns the voxel of the scan under voxel i of the model, -1 where
// the model's box is beyond the scan.
func (v *view) scanIndex(i int, size [3]int) int {
	p := [3]int{i / (size[1] * size[2]), i / size[2] % size[1], i % size[2]}
	shape := v.picture.Shape
	for a := range 3 {
		p[a] += v.from[a]
		if p[a] < 0 || p[a] >= shape[2-a] {
			return -1
		}
	}
	return (p[0]*shape[1]+p[1])*shape[0] + p[2]
}

// lobeNames are the labels that masks of common programs give the lobes.
var lobeNames = map[string]struct {
	labels []uint8
	names  []string
}{
	"lungmask":         {[]uint8{1, 2, 3, 4, 5}, []string{"left upper lobe", "left lower lobe", "right upper lobe", "right middle lobe", "right lower lobe"}},
	"totalsegmentator": {[]uint8{10, 11, 12, 13, 14}, []string{"left upper lobe", "left lower lobe", "right upper lobe", "right middle lobe", "right lower lobe"}},
	"heed":             {[]uint8{1, 2}, []string{"right lung", "left lung"}},
}

// lobesOf returns the labels to explain with their names: those of a program, as
// far as the mask has them, or all of the mask.
func lobesOf(name string, m *radiomics.Mask, program string) ([]uint8, []string, error) {
	present := m.Labels()
	var labels []uint8
	var names []string
	if program == "" {
		for _, l := range present {
			labels, names = append(labels, l), append(names, fmt.Sprintf("label %d", l))
		}
	} else {
		known := lobeNames[program]
		for i, l := range known.labels {
			if slices.Contains(present, l) {
				labels, names = append(labels, l), append(names, known.names[i])
			}
		}
	}
	switch {
	case len(labels) == 0:
		return nil, nil, format.InvalidAt(name, 0, "the mask has none of the labels")
	case len(labels) > explain.MaxExact:
		return nil, nil, format.TooLargeAt(name, 0, "%d labels, and exact Shapley values need 2^%d evaluations; the limit is %d labels", len(labels), len(labels), explain.MaxExact)
	}
	return labels, names, nil
}
