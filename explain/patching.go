package explain

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"heed/autograd"
	"heed/tensor"
)

// A Patching says where a model holds what tells a clean input from a corrupt
// one: it runs the corrupt input, puts in one place what the clean input had
// there, and sees how much of the clean score comes back,
//
//	effect = (f_patched - f_corrupt) / (f_clean - f_corrupt)
//
// 0: nothing; 1: all of it. Effects above 1 and below 0 occur, and they need
// not sum to 1: one place after the other may hold the same thing (Vig et al.
// 2020, Meng et al. 2022). It is evidence of cause for this pair of inputs and
// tells nothing of others. The class does not matter: of two classes, the
// effects are the same.
type Patching struct {
	Clean, Corrupt float64     // f of the inputs
	Layers         []string    // n
	Effect         [][]float64 // (n, L) positions or (n, H) heads
	// Reason says why all effects are NaN; empty if they are not.
	Reason string
}

// A Residual names a place of a layer of an encoder, where the hidden states of
// all positions are whole.
type Residual string

const (
	LayerInput  Residual = ".input"
	LayerMiddle Residual = ".middle" // between attention and feed-forward
	LayerOutput Residual = ".output"
)

const headsSuffix = ".heads"

// A patch is a rectangle of an intermediate value (L, D).
type patch struct {
	place          int
	rows, cols     [2]int // from, to
	layer, element int    // where its effect goes
}

// PatchPositions patches the hidden state of one position after one layer: the
// layer × position map of Meng et al. 2022. The inputs have the same number of
// rows, and row i of one stands for row i of the other. One forward pass for
// each layer and position, up to batch of them as copies in one pass with a pass
// on every core, and two.
func PatchPositions(ctx context.Context, clean, corrupt *Case, at Residual, batch int) (*Patching, error) {
	return patching(ctx, clean, corrupt, string(at), batch)
}

// PatchHeads patches the output of one head at all positions. One forward pass
// for each head and three.
func PatchHeads(ctx context.Context, clean, corrupt *Case, batch int) (*Patching, error) {
	return patching(ctx, clean, corrupt, headsSuffix, batch)
}

// AttributePositions estimates what [PatchPositions] measures to first order
// (attribution patching, Nanda 2023): the gradient of the corrupt score times the
// difference of the values,
//
//	effect ≈ ∂f_corrupt/∂a · (a_clean - a_corrupt) / (f_clean - f_corrupt)
//
// for all places at once with two forward passes and one backward. It is exact
// where the model is linear between the two inputs; where it is not (a softmax
// that saturates, above all in early layers) it may even have the wrong sign.
// Use it to find the places to patch.
func AttributePositions(clean, corrupt *Case, at Residual) (*Patching, error) {
	return attributing(clean, corrupt, string(at))
}

// AttributeHeads estimates what [PatchHeads] measures: see [AttributePositions].
func AttributeHeads(clean, corrupt *Case) (*Patching, error) {
	return attributing(clean, corrupt, headsSuffix)
}

// patching patches all patches of the places with a suffix.
func patching(ctx context.Context, clean, corrupt *Case, suffix string, batch int) (*Patching, error) {
	a, b, out, patches, err := patchPlaces(clean, corrupt, &autograd.Tape{NoGrad: true}, suffix)
	if err != nil || out.Reason != "" {
		return out, err
	}
	where := map[string]int{}
	for i, p := range b {
		where[p.name] = i
	}
	scores, err := corrupt.variants(ctx, len(patches), batch, func(name string, v *autograd.Var, copies, copy, variant int) {
		p := patches[variant]
		if i, ok := where[name]; ok && i == p.place {
			tensor.Check("explain: "+name, v.Shape, copies*corrupt.Rows, b[i].shape[1])
			p.write(v.Data[copy*len(a[i].data):], a[i].data, a[i].shape[1])
		}
	})
	if err != nil {
		return nil, err
	}
	for i, p := range patches {
		out.Effect[p.layer][p.element] = (scores[i] - out.Corrupt) / (out.Clean - out.Corrupt)
	}
	return out, nil
}

// write copies the rectangle from src to dst, both of the given width.
func (p *patch) write(dst, src []float32, width int) {
	for i := p.rows[0]; i < p.rows[1]; i++ {
		copy(dst[i*width+p.cols[0]:i*width+p.cols[1]], src[i*width+p.cols[0]:])
	}
}

func attributing(clean, corrupt *Case, suffix string) (*Patching, error) {
	a, b, out, patches, err := patchPlaces(clean, corrupt, &autograd.Tape{Frozen: true}, suffix)
	if err != nil || out.Reason != "" {
		return out, err
	}
	for _, p := range patches {
		sum, clean, corrupt, width := 0.0, a[p.place].data, b[p.place], b[p.place].shape[1]
		if corrupt.grad != nil {
			for i := p.rows[0] * width; i < p.rows[1]*width; i += width {
				for j := i + p.cols[0]; j < i+p.cols[1]; j++ {
					sum += float64(corrupt.grad[j]) * (float64(clean[j]) - float64(corrupt.data[j]))
				}
			}
		}
		out.Effect[p.layer][p.element] = sum / (out.Clean - out.Corrupt)
	}
	return out, nil
}

// patchPlaces runs both cases and returns what they show under names with the
// suffix, the result that is to be filled in, and the patches.
func patchPlaces(clean, corrupt *Case, t *autograd.Tape, suffix string) (a, b []place, out *Patching, patches []patch, err error) {
	if clean.Rows != corrupt.Rows {
		return nil, nil, nil, nil, fmt.Errorf("the clean input has %d rows, the corrupt one %d: patching needs pairs of one length", clean.Rows, corrupt.Rows)
	}
	out = &Patching{}
	a, out.Clean = clean.places(&autograd.Tape{NoGrad: true}, suffix)
	b, out.Corrupt = corrupt.places(t, suffix)
	var heads []place // how many there are
	if suffix == headsSuffix {
		heads, _ = corrupt.places(&autograd.Tape{NoGrad: true}, weightsSuffix)
	}
	if len(b) == 0 {
		return nil, nil, nil, nil, fmt.Errorf("the case shows nothing whose name ends in %q", suffix)
	}
	for i, p := range b {
		if i >= len(a) || len(a) != len(b) || a[i].name != p.name || !slices.Equal(a[i].shape, p.shape) {
			return nil, nil, nil, nil, fmt.Errorf("the inputs are not of one model: the corrupt one shows %s %v", p.name, p.shape)
		}
		tensor.Check("explain: "+p.name, p.shape, corrupt.Rows, -1)
		rows, width := p.shape[0], p.shape[1]
		layer := strings.TrimSuffix(p.name, suffix)
		n := rows
		if suffix == headsSuffix {
			k := slices.IndexFunc(heads, func(h place) bool { return h.name == layer+weightsSuffix })
			if k < 0 {
				return nil, nil, nil, nil, fmt.Errorf("the case shows %s and no %s", p.name, layer+weightsSuffix)
			}
			n = heads[k].shape[1]
		}
		out.Layers = append(out.Layers, layer)
		out.Effect = append(out.Effect, make([]float64, n))
		for e := range n {
			q := patch{place: i, rows: [2]int{e, e + 1}, cols: [2]int{0, width}, layer: i, element: e}
			if suffix == headsSuffix {
				q.rows, q.cols = [2]int{0, rows}, [2]int{e * width / n, (e + 1) * width / n}
			}
			patches = append(patches, q)
		}
	}
	// What rounding to float32 may leave of no difference at all.
	if d := math.Abs(out.Clean - out.Corrupt); !(d > 1e-5*max(1, math.Abs(out.Clean), math.Abs(out.Corrupt))) {
		out.Reason = fmt.Sprintf("the clean input scores %.4g, the corrupt one %.4g: there is no difference to restore", out.Clean, out.Corrupt)
		for _, row := range out.Effect {
			for i := range row {
				row[i] = math.NaN()
			}
		}
	}
	return a, b, out, patches, nil
}
