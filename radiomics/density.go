package radiomics

import (
	"cmp"
	"math"
	"slices"

	"heed/format"
)

// A Density is what radiologists read from the HU of a region of the lungs.
type Density struct {
	Region string  `json:"region"`
	Volume float64 `json:"volume_ml"`
	Mean   float64 `json:"mean_hu"`
	LAA950 float64 `json:"laa950_percent"` // below -950 HU: emphysema
	HAA    float64 `json:"haa_percent"`    // -600 to -250 HU: ground glass, fibrosis
	Perc15 float64 `json:"perc15_hu"`      // 15 % of the voxels lie below
}

// DensityOf measures voxels of v; what has no voxels is NaN.
func DensityOf(region string, hu []float32, voxel float64) Density {
	d := Density{Region: region, Volume: float64(len(hu)) * voxel / 1000, Mean: math.NaN(), LAA950: math.NaN(), HAA: math.NaN(), Perc15: math.NaN()}
	n := float64(len(hu))
	if n == 0 {
		return d
	}
	low, high, sum := 0, 0, 0.
	for _, x := range hu {
		sum += float64(x)
		if x < -950 {
			low++
		}
		if x >= -600 && x <= -250 {
			high++
		}
	}
	sorted := slices.Clone(hu)
	slices.Sort(sorted)
	d.Mean, d.LAA950, d.HAA, d.Perc15 = sum/n, 100*float64(low)/n, 100*float64(high)/n, percentile(sorted, 15)
	return d
}

// percentile interpolates linearly between the sorted values, as NumPy does.
func percentile(sorted []float32, p float64) float64 {
	at := p / 100 * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return float64(sorted[len(sorted)-1])
	}
	a, b := float64(sorted[i]), float64(sorted[i+1])
	return a + (b-a)*(at-float64(i))
}

// Densities measures both lungs, each of them, and their thirds by height: upper,
// middle and lower third of the slices between the lowest and the highest voxel of
// both lungs, which are no lobes.
func Densities(v *format.Volume, lungs *Mask) []Density {
	voxel := math.Abs(v.Affine.Determinant())
	axis, positive := v.Affine.Axes()
	up := slices.Index(axis[:], 2)
	box, ok := lungs.Bounds(0)
	third := func(i int) int {
		if !ok {
			return 0
		}
		p := [3]int{i % v.Shape[0], i / v.Shape[0] % v.Shape[1], i / (v.Shape[0] * v.Shape[1])}[up] - box.Low[up]
		t := 3 * p / (box.High[up] - box.Low[up])
		if positive[up] {
			return 2 - t
		}
		return t
	}
	names := []string{"both", "right", "left", "upper third", "middle third", "lower third",
		"right upper third", "right middle third", "right lower third", "left upper third", "left middle third", "left lower third"}
	values := make([][]float32, len(names))
	for i, label := range lungs.Data {
		if label == 0 {
			continue
		}
		t, x := third(i), v.Data[i]
		side := 1
		if label == LeftLung {
			side = 2
		}
		for _, k := range []int{0, side, 3 + t, 3 + 3*side + t} {
			values[k] = append(values[k], x)
		}
	}
	out := make([]Density, len(names))
	each(len(names), func(i int) { out[i] = DensityOf(names[i], values[i], voxel) })
	return out
}

// An Organ is the volume and the mean of a label.
type Organ struct {
	Label  uint8   `json:"label"`
	Voxels int     `json:"voxels"`
	Volume float64 `json:"volume_mm3"`
	Mean   float64 `json:"mean"`
}

// Organs measures each label of a mask.
func Organs(v *format.Volume, m *Mask) []Organ {
	var sum [256]float64
	var n [256]int
	for i, label := range m.Data {
		n[label]++
		sum[label] += float64(v.Data[i])
	}
	voxel := math.Abs(v.Affine.Determinant())
	var out []Organ
	for label := 1; label < 256; label++ {
		if n[label] > 0 {
			out = append(out, Organ{uint8(label), n[label], float64(n[label]) * voxel, sum[label] / float64(n[label])})
		}
	}
	return out
}

// A Feature is a number with its name in pyradiomics.
type Feature struct {
	Name  string
	Value float64
}

// values returns the voxels of a label.
func values(v *format.Volume, m *Mask, label uint8) []float32 {
	var out []float32
	for i, l := range m.Data {
		if l == label {
			out = append(out, v.Data[i])
		}
	}
	return out
}

// FirstOrder returns the first-order features of a label, as pyradiomics defines
// them: energies after shift has been added to each value, entropy and uniformity
// over bins of binWidth whose edges are multiples of it.
func FirstOrder(v *format.Volume, m *Mask, label uint8, binWidth, shift float64) []Feature {
	x := values(v, m, label)
	if len(x) == 0 {
		return nil
	}
	slices.Sort(x)
	n := float64(len(x))
	mean, energy := 0., 0.
	for _, f := range x {
		mean += float64(f)
		energy += (float64(f) + shift) * (float64(f) + shift)
	}
	mean /= n
	var m2, m3, m4, mad float64
	bins := make(map[int]float64)
	for _, f := range x {
		d := float64(f) - mean
		m2, m3, m4, mad = m2+d*d, m3+d*d*d, m4+d*d*d*d, mad+math.Abs(d)
		bins[int(math.Floor(float64(f)/binWidth))]++
	}
	m2, m3, m4, mad = m2/n, m3/n, m4/n, mad/n
	entropy, uniformity := 0., 0.
	keys := make([]int, 0, len(bins))
	for k := range bins {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp.Compare[int]) // one order of summing
	for _, k := range keys {
		p := bins[k] / n
		entropy -= p * math.Log2(p)
		uniformity += p * p
	}
	p10, p90 := percentile(x, 10), percentile(x, 90)
	inner, robust, count := 0., 0., 0.
	for _, f := range x {
		if f := float64(f); f >= p10 && f <= p90 {
			inner += f
			count++
		}
	}
	inner /= count
	for _, f := range x {
		if f := float64(f); f >= p10 && f <= p90 {
			robust += math.Abs(f - inner)
		}
	}
	skewness, kurtosis := 0., 0.
	if m2 > 0 {
		skewness, kurtosis = m3/math.Pow(m2, 1.5), m4/(m2*m2)
	}
	low, high := float64(x[0]), float64(x[len(x)-1])
	return []Feature{
		{"10Percentile", p10},
		{"90Percentile", p90},
		{"Energy", energy},
		{"Entropy", entropy},
		{"InterquartileRange", percentile(x, 75) - percentile(x, 25)},
		{"Kurtosis", kurtosis},
		{"Maximum", high},
		{"Mean", mean},
		{"MeanAbsoluteDeviation", mad},
		{"Median", percentile(x, 50)},
		{"Minimum", low},
		{"Range", high - low},
		{"RobustMeanAbsoluteDeviation", robust / count},
		{"RootMeanSquared", math.Sqrt(energy / n)},
		{"Skewness", skewness},
		{"StandardDeviation", math.Sqrt(m2)},
		{"TotalEnergy", energy * math.Abs(v.Affine.Determinant())},
		{"Uniformity", uniformity},
		{"Variance", m2},
	}
}
