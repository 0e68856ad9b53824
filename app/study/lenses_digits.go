package study

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"

	"heed/autograd"
	"heed/format"
	"heed/internal/par"
	"heed/plot"
)

const digitEdge = 28 // pixels

// digitSet is a set of pictures of digits.
type digitSet struct {
	pixels []byte // (n, 28, 28)
	labels []byte // (n) 0 to 9
}

// readDigits reads the pictures and the labels of the MNIST format of LeCun (idx,
// big-endian), gzipped.
func readDigits(images, labels string) (*digitSet, error) {
	pixels, shape, err := readIDX(images, 3)
	if err != nil {
		return nil, err
	}
	if shape[1] != digitEdge || shape[2] != digitEdge {
		return nil, format.UnsupportedAt(images, 0, "pictures of %d x %d pixels, not %d x %d", shape[1], shape[2], digitEdge, digitEdge)
	}
	names, n, err := readIDX(labels, 1)
	if err != nil {
		return nil, err
	}
	if n[0] != shape[0] {
		return nil, format.InvalidAt(labels, 0, "%d labels for %d pictures", n[0], shape[0])
	}
	for i, c := range names {
		if c > 9 {
			return nil, format.InvalidAt(labels, 0, "label %d is %d, not a digit", i+1, c)
		}
	}
	return &digitSet{pixels, names}, nil
}

// readIDX reads an array of bytes with dims axes.
func readIDX(path string, dims int) ([]byte, []int, error) {
	const most = 1 << 28
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, format.PathError(path, err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, nil, format.InvalidAt(path, 0, "not gzip: %v", err)
	}
	data, err := io.ReadAll(io.LimitReader(z, most+1))
	switch {
	case err != nil:
		return nil, nil, format.InvalidAt(path, 0, "gzip: %v", err)
	case len(data) > most:
		return nil, nil, format.TooLargeAt(path, 0, "more than %d bytes", most)
	case len(data) < 4+4*dims || !bytes.Equal(data[:4], []byte{0, 0, 8, byte(dims)}):
		return nil, nil, format.InvalidAt(path, 0, "not an idx file of bytes with %d axes", dims)
	}
	size, shape := 1, make([]int, dims)
	for i := range shape {
		n := binary.BigEndian.Uint32(data[4+4*i:])
		if n < 1 || n > most/uint32(size) {
			return nil, nil, format.InvalidAt(path, 0, "axis %d of %d", i+1, n)
		}
		shape[i] = int(n)
		size *= shape[i]
	}
	if data = data[4+4*dims:]; len(data) != size {
		return nil, nil, format.InvalidAt(path, 0, "%d values, want %d", len(data), size)
	}
	return data, shape, nil
}

// picture writes a digit as 7 x 7 tokens of 4 x 4 pixels.
func (d *digitSet) picture(i int, x []float32) int {
	const edge, side = 4, digitEdge / 4
	for row := range digitEdge {
		for column := range digitEdge {
			token, at := row/edge*side+column/edge, row%edge*edge+column%edge
			x[token*edge*edge+at] = float32(d.pixels[(i*digitEdge+row)*digitEdge+column])/128 - 0.26
		}
	}
	return int(d.labels[i])
}

// centroid returns the share of the test digits whose nearest mean picture of a
// class is that of their own: the floor.
func centroid(training, test *digitSet) float64 {
	const size = digitEdge * digitEdge
	var mean [10][size]float64
	var n [10]float64
	for i, c := range training.labels {
		n[c]++
		for j, p := range training.pixels[i*size : (i+1)*size] {
			mean[c][j] += float64(p)
		}
	}
	hits := 0
	for i, c := range test.labels {
		best, least := 0, math.Inf(1)
		for k := range mean {
			if n[k] == 0 {
				continue
			}
			sum := 0.0
			for j, p := range test.pixels[i*size : (i+1)*size] {
				d := float64(p) - mean[k][j]/n[k]
				sum += d * d
			}
			if sum < least {
				best, least = k, sum
			}
		}
		if best == int(c) {
			hits++
		}
	}
	return float64(hits) / float64(len(test.labels))
}

// digits adds to a finding what both lenses make of real digits, where what is near
// suffices.
func (l *Lab) digits(ctx context.Context, f *Finding) error {
	in := func(name string) string { return filepath.Join(l.Digits, name) }
	training, err := readDigits(in("train10k-images-idx3-ubyte.gz"), in("train10k-labels-idx1-ubyte.gz"))
	if err != nil {
		return err
	}
	test, err := readDigits(in("t10k-images-idx3-ubyte.gz"), in("t10k-labels-idx1-ubyte.gz"))
	if err != nil {
		return err
	}
	g := lensGrid{7, 7, 16}
	scores := make([]float64, len(lensKinds)*l.Seeds)
	errs, each := make([]error, len(scores)), l.apart()
	par.Do(len(scores), cmp.Or(l.Cores, par.Cores()), func(_, n int) {
		scores[n], errs[n] = each.digitTrial(ctx, lensKinds[n%len(lensKinds)], g, training, test, l.Seed+uint64(n/len(lensKinds)))
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	right := map[string][]float64{}
	var difference []float64
	for n, v := range scores {
		right[lensKinds[n%len(lensKinds)]] = append(right[lensKinds[n%len(lensKinds)]], v)
	}
	for k := range l.Seeds {
		difference = append(difference, math.Abs(right["attention"][k]-right["inception"][k]))
	}
	floor := centroid(training, test)
	t := Table{Title: fmt.Sprintf("Real digits (MNIST, %d for training), share of %d others told rightly", len(training.labels), len(test.labels)), Columns: []string{"model", "right"},
		Rows: [][]string{{"nearest mean picture (floor)", fmt.Sprintf("%.3f", floor)}}}
	bars := plot.Bars{Title: "Real digits, where what is near suffices", XLabel: "share told rightly", XMax: 1, Rows: []plot.Bar{{Name: "nearest mean picture", Value: floor, Origin: plot.Floor}}}
	for _, kind := range lensKinds {
		v := overSeeds(right[kind])
		t.Rows = append(t.Rows, []string{kind, interval(v)})
		bars.Rows = append(bars.Rows, plot.Bar{Name: kind, Value: v.Estimate, Low: v.Low, High: v.High, Origin: plot.Ours})
	}
	fig, err := bars.Figure()
	if err != nil {
		return err
	}
	f.Tables = append(f.Tables, t)
	f.Figures = append(f.Figures, Figure{Name: "digits", Alt: "Bars of the share of digits told rightly", Caption: "Mean and range of the seeds.", SVG: fig.SVG()})
	f.Checks = append(f.Checks, Check{Name: "digits: attention from Inception, at most", Value: overSeeds(difference), Bound: l.bound(0.03, 1), Upper: true})
	f.Words += fmt.Sprintf(" Real digits: attention %.3f, Inception %.3f, nearest mean picture %.3f.", overSeeds(right["attention"]).Estimate, overSeeds(right["inception"]).Estimate, floor)
	if c := f.Checks[len(f.Checks)-1]; !c.Met() {
		f.Words += " They are not alike there: that part of the claim is refuted at this amount of training."
	}
	return nil
}

// digitTrial trains a model on digits and returns the share of others that it is right
// about.
func (l *Lab) digitTrial(ctx context.Context, kind string, g lensGrid, training, test *digitSet, seed uint64) (float64, error) {
	m, err := newLens(kind, g, 10, rand.New(rand.NewPCG(seed, 23)))
	if err != nil {
		return 0, err
	}
	err = l.fitLens(ctx, m, min(len(training.labels), l.pick(10000, 640)), l.pick(3, 1), seed, func(_ *autograd.Tape, examples []int) ([]float32, []int32) {
		size := g.tokens() * g.in
		x, want := make([]float32, len(examples)*size), make([]int32, len(examples))
		for i, e := range examples {
			want[i] = int32(training.picture(e, x[i*size:(i+1)*size]))
		}
		return x, want
	}, kind+", digits")
	if err != nil {
		return 0, err
	}
	return m.right(min(len(test.labels), l.pick(10000, 500)), test.picture), nil
}
