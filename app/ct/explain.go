package ct

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/format"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/model/volume"
)

// A view is one scan as a model sees it: cut or filled around its centre to the
// size of the model, values scaled. Axes are (z, y, x) of the file.
type view struct {
	picture *Picture
	size    [3]int // of the model
	from    [3]int // voxel of the scan at voxel 0 of the model; negative where the model's box is larger
	x       []float32
	sha256  string // of the voxels of the scan
	outside int    // voxels of the scan that the model does not see
}

// viewOf cuts a scan for a model.
func viewOf(f *Fitted, p *Picture) (*view, error) {
	m := &f.Config.Model
	v := &view{picture: p, size: m.Size, x: make([]float32, m.Size[0]*m.Size[1]*m.Size[2])}
	shape := [3]int{p.Shape[2], p.Shape[1], p.Shape[0]}
	d := Dataset{Size: m.Size, Spacing: m.Spacing, Scaling: f.Config.Scaling, store: single{p}}
	for at, value := range p.Data {
		if value-value != 0 {
			return nil, fmt.Errorf("voxel %d is not finite", at)
		}
	}
	if err := d.Volume(v.x, 0); err != nil {
		return nil, err
	}
	seen := 1
	for a := range 3 {
		n := min(shape[a], m.Size[a])
		v.from[a] = (shape[a]-n)/2 - (m.Size[a]-n)/2
		seen *= n
	}
	v.outside = len(p.Data) - seen
	h := sha256.New()
	hashFloats(h, p.Data)
	v.sha256 = hex.EncodeToString(h.Sum(nil))
	return v, nil
}

// single is a store of one volume.
type single struct{ p *Picture }

func (s single) Volume(int) (values []float32, size [3]int, spacing [3]float64, err error) {
	nan := math.NaN()
	return s.p.Data, [3]int{s.p.Shape[2], s.p.Shape[1], s.p.Shape[0]}, [3]float64{nan, nan, nan}, nil
}

// A scanMethod scores the cells of the feature map for a class.
type scanMethod struct {
	explain.Method
	file    string // stem of its map
	meaning string
	blocks  bool // constant within a cell: the map is not interpolated
	score   func(ctx context.Context, x *explaining, class int) ([]float64, error)
}

// scanMethods lists the methods that a model allows, the measured one first.
func scanMethods(c *volume.Config) []scanMethod {
	ms := []scanMethod{
		{explain.Method{Name: "occlusion"}, "occlusion", "how far the log-odds fall when the block around the cell is blurred away", true, occlusionScores},
		{explain.Method{Name: "gradient x input"}, "gradient_input", "the slope of the log-odds along what the cell of the feature map holds, times that", false, gradientInputScores},
	}
	if c.Mixer == volume.Attention && c.Layers > 0 {
		ms = append(ms,
			scanMethod{explain.Method{Name: "gradient x attention", Unsigned: true}, "gradient_attention", "attention to the cell, as far as more of it would raise the log-odds (Chefer et al. 2021)", false, gradientAttentionScores},
			scanMethod{explain.Method{Name: "rollout of attention", Unsigned: true}, "rollout", "how much of the cell could have flowed to what is read, in all layers (Abnar & Zuidema 2020)", false, rolloutScores})
	}
	return ms
}

// An explaining is a model and a scan that is explained.
type explaining struct {
	model *Fitted
	view  *view
	cores int
}

func (x *explaining) config() *volume.Config { return &x.model.Config.Model }

// rows returns how many rows one copy of the input has in the layers of
// attention, and which of them is the first cell.
func (x *explaining) rows() (n, first int) {
	c := x.config()
	if c.Pooling == "cls" {
		return 1 + c.Tokens(), 1
	}
	return c.Tokens(), 0
}

// caseOf explains one member for a class.
func (x *explaining) caseOf(m *volume.Model, class int) *explain.Case {
	rows, first := x.rows()
	readout := explain.ReadMean(rows, 0)
	if first == 1 {
		readout = explain.ReadRow(rows, 0)
	}
	s := x.config().Size
	return &explain.Case{Rows: rows, Readout: readout, Run: func(t *autograd.Tape, n int) *autograd.Var {
		in := autograd.Input(slices.Repeat(x.view.x, n), n, s[0], s[1], s[2], 1)
		return explain.Contrast(t, m.Logits(t, in), class)
	}}
}

// eachMember adds up a score over the members and divides by their number.
func (x *explaining) eachMember(class int, score func(c *explain.Case) []float64) []float64 {
	_, first := x.rows()
	out := make([]float64, x.config().Tokens())
	for _, m := range x.model.Members {
		s := score(x.caseOf(m, class))
		if len(s) > len(out) {
			s = s[first:] // without [CLS]
		}
		for i := range out {
			out[i] += s[i] / float64(len(x.model.Members))
		}
	}
	return out
}

func gradientAttentionScores(_ context.Context, x *explaining, class int) ([]float64, error) {
	return x.eachMember(class, func(c *explain.Case) []float64 {
		return explain.GradientAttention(explain.AttentionGradient(c), c.Readout, explain.Positive)
	}), nil
}

func rolloutScores(_ context.Context, x *explaining, class int) ([]float64, error) {
	return x.eachMember(class, func(c *explain.Case) []float64 {
		return explain.RolloutFrom(explain.Attention(c), c.Readout, explain.Mean)
	}), nil
}

// gradientInputScores takes the feature map for the input: a gradient at voxels
// would mostly show the noise of the convolutions.
func gradientInputScores(_ context.Context, x *explaining, class int) ([]float64, error) {
	return x.eachMember(class, func(c *explain.Case) []float64 {
		var seen *autograd.Var
		t := &autograd.Tape{Frozen: true, NoWeights: true, Probe: func(name string, v *autograd.Var) {
			if name == "map" {
				seen = v
			}
		}}
		t.Backward(c.Run(t, 1))
		out := make([]float64, x.config().Tokens())
		width := len(seen.Data) / len(out)
		for i, g := range seen.Grad {
			out[i/width] += float64(g) * float64(seen.Data[i])
		}
		return out
	}), nil
}

func occlusionScores(ctx context.Context, x *explaining, class int) ([]float64, error) {
	o, err := x.blockGame(blurredAway, class).Occlusion(ctx)
	if err != nil {
		return nil, err
	}
	return o.Effect, nil
}

// scores returns the mean log-odds of the members for a class, of inputs.
func (x *explaining) scores(inputs [][]float32, class int) []float64 {
	s := x.config().Size
	cores := x.cores
	if cores < 1 {
		cores = par.Cores()
	}
	out := make([]float64, len(inputs))
	tapes := make([]*autograd.Tape, cores)
	par.Do(len(inputs), cores, func(worker, i int) {
		if tapes[worker] == nil {
			tapes[worker] = &autograd.Tape{NoGrad: true}
		}
		t := tapes[worker]
		for _, m := range x.model.Members {
			t.Reset()
			y := explain.Contrast(t, m.Logits(t, autograd.Input(inputs[i], 1, s[0], s[1], s[2], 1)), class)
			out[i] += float64(y.Data[0]) / float64(len(x.model.Members))
		}
	})
	return out
}

// A ScanMap is the result of one method.
type ScanMap struct {
	Method     explain.Method
	File       string
	Meaning    string
	Scores     []float64 // (cells)
	Blocks     bool
	Uniformity float64 // of unsigned maps; NaN otherwise
	Unfaithful string  // what to say where no test has accepted it
}

// A ScanExplanation says what a model looked at in a scan.
type ScanExplanation struct {
	Class       string
	Probability float64 // as heed ct predict gives it
	LogOdds     float64 // mean of the members, of the scan as it lies: what is explained
	Grid        [3]int  // cells along z, y, x
	Maps        []*ScanMap
	Lobes       *Lobes       // nil without a mask
	Verdict     *ScanVerdict // nil if nothing was put to the test
	Attention   []explain.Layer
	x           *explaining
}

// explainScan runs all methods.
func explainScan(ctx context.Context, f *Fitted, v *view, class, cores int) (*ScanExplanation, error) {
	x := &explaining{f, v, cores}
	c := x.config()
	out := &ScanExplanation{Class: f.Config.Classes[class], Grid: c.Grid(), x: x}
	d := Dataset{Size: c.Size, Spacing: c.Spacing, Scaling: f.Config.Scaling, store: single{v.picture}}
	p, err := f.Predict(&d, []int{0}, cores)
	if err != nil {
		return nil, err
	}
	if out.Probability = p[0]; class == 0 {
		out.Probability = 1 - p[0]
	}
	out.LogOdds = x.scores([][]float32{v.x}, class)[0]
	if !(math.Abs(out.LogOdds) < math.Inf(1)) {
		return nil, errors.New("the score is not finite")
	}
	for _, m := range scanMethods(c) {
		s, err := m.score(ctx, x, class)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		sm := &ScanMap{Method: m.Method, File: m.file, Meaning: m.meaning, Scores: s, Blocks: m.blocks, Uniformity: math.NaN()}
		if m.Unsigned {
			sm.Uniformity = explain.Uniformity(s)
		}
		out.Maps = append(out.Maps, sm)
	}
	if c.Mixer == volume.Attention {
		out.Attention = explain.Attention(x.caseOf(f.Members[0], class))
	}
	return out, nil
}

// checkSpacing refuses a scan of other voxels than the model was trained on. An
// array has no place; it is taken for what the model knows.
func checkSpacing(f *Fitted, path string, p *Picture) error {
	if p.Format == "NumPy" {
		return nil
	}
	mm, want := p.Affine.Spacing(), f.Config.Model.Spacing
	for a := range 3 {
		if math.Abs(mm[2-a]-want[a]) > 0.01*want[a] {
			return cli.Hint(format.UnsupportedAt(path, 0, "voxels of %.4g x %.4g x %.4g mm (x, y, z): the model was trained on %.4g x %.4g x %.4g mm", mm[0], mm[1], mm[2], want[2], want[1], want[0]),
				"heed ct prepare resamples volumes")
		}
	}
	return nil
}
