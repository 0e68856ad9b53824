package ct

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"

	"heed/format"
	"heed/internal/par"
	"heed/model/baseline"
	"heed/model/volume"
)

// Floors are the simple models that a network has to beat. All are fitted to the
// training part alone; trees are counted on the validation part.
type Floors struct {
	Volume    *baseline.TableLogistic `json:"volume"`    // of the share of voxels above one half
	Histogram *baseline.TableLogistic `json:"histogram"` // of the histogram of intensities
	Trees     *baseline.Boost         `json:"trees"`     // boosted, of histogram and shape
}

// FloorNames are the names of the floors, from the least to the most that one
// knows.
func FloorNames() []string {
	return []string{"logistic regression of the volume", "logistic regression of the histogram", "boosted trees of histogram and shape"}
}

// features returns rows of all features of some cases: histogram, then shape.
func features(d *Dataset, idx []int) ([][]float32, error) {
	rows, errs := make([][]float32, len(idx)), make([]error, len(idx))
	par.Do(len(idx), par.Cores(), func(_, k int) {
		x := make([]float32, d.Voxels())
		if errs[k] = d.Volume(x, idx[k]); errs[k] == nil {
			rows[k] = append(volume.HistogramFeatures(x), volume.ShapeFeatures(x, d.Size, d.Spacing)...)
		}
	})
	return rows, errors.Join(errs...)
}

// columns returns columns lo to hi of rows.
func columns(rows [][]float32, lo, hi int) [][]float32 {
	out := make([][]float32, len(rows))
	for i, r := range rows {
		out[i] = r[lo:hi]
	}
	return out
}

const histogramWidth = volume.Bins + 3

// FitFloors fits the floors to a dataset.
func FitFloors(d *Dataset, seed uint64) (*Floors, error) {
	idx, valid := d.Part("train"), d.Part("valid")
	y, err := d.Labels(idx)
	if err != nil {
		return nil, err
	}
	validY, err := d.Labels(valid)
	if err != nil {
		return nil, err
	}
	x, err := features(d, idx)
	if err != nil {
		return nil, err
	}
	validX, err := features(d, valid)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 0x666c6f6f72))
	f := &Floors{}
	if f.Volume, err = baseline.FitTableLogistic(columns(x, histogramWidth-1, histogramWidth), y, r); err != nil {
		return nil, err
	}
	if f.Histogram, err = baseline.FitTableLogistic(columns(x, 0, histogramWidth), y, r); err != nil {
		return nil, err
	}
	f.Trees, err = baseline.FitBoost(x, y, baseline.BoostConfig{Rounds: 500, Depth: 3, Valid: validX, ValidY: validY}, r)
	return f, err
}

// Predict returns the probabilities of class 1 by each floor, (floors, cases).
func (f *Floors) Predict(d *Dataset, idx []int) ([][]float64, error) {
	x, err := features(d, idx)
	if err != nil {
		return nil, err
	}
	return [][]float64{
		f.Volume.Predict(columns(x, histogramWidth-1, histogramWidth)), f.Histogram.Predict(columns(x, 0, histogramWidth)), f.Trees.Predict(x),
	}, nil
}

// loadFloors reads and checks what was saved; no file is no error.
func loadFloors(path string) (*Floors, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f *Floors
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, format.Invalidf(path, 0, "%v", err)
	}
	width := histogramWidth + len(volume.ShapeFeatures([]float32{0}, [3]int{1, 1, 1}, [3]float64{1, 1, 1}))
	fits := func(l *baseline.TableLogistic, n int) bool {
		return l != nil && len(l.Mean) == n && len(l.Scale) == n && len(l.Weight) == n
	}
	if f == nil || !fits(f.Volume, 1) || !fits(f.Histogram, histogramWidth) || f.Trees == nil || f.Trees.Check(width) != nil {
		return nil, format.Invalidf(path, 0, "not the floors of this program")
	}
	return f, nil
}
