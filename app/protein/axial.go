package protein

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"runtime"

	"heed/checkpoint"
	"heed/format"
	"heed/internal/kernel"
	"heed/model/alignment"
	"heed/train"
)

// describeAxialHeads is DescribeHeads for the row attention of an axial transformer.
func describeAxialHeads(f *Family, m *alignment.Axial, x *alignment.AxialReading, t *Truth, seed uint64) ([]Head, Sample) {
	heads, pooled := describeHeads(f, len(m.Layers)*m.Config.Heads, func(h int) []float32 { return x.Map(m.Columns, h) }, nil, t, seed)
	for h := range heads {
		heads[h].Name = m.HeadName(h)
	}
	return heads, pooled
}

// An axialFile is the configuration that a checkpoint stores.
type axialFile struct {
	alignment.AxialConfig
	Columns int `json:"columns"`
}

// axialAlphabet is its alphabet: the letters of states 0, 1, ...; the last is what
// masked cells have.
type axialAlphabet struct {
	Letters string `json:"letters"`
}

const axialLetters = alignment.AminoAcids + "-#"

// saveAxial writes the axial transformer.
func (o *Outcome) saveAxial(path string) error {
	config, err := json.Marshal(axialFile{o.Fit.Axial.Config, o.Fit.Axial.Columns})
	if err != nil {
		return err
	}
	letters, err := json.Marshal(axialAlphabet{axialLetters})
	if err != nil {
		return err
	}
	info := checkpoint.Info{Version: checkpoint.Version, Architecture: alignment.ArchitectureAxial, Config: config, Tokenizer: letters, Seed: o.Job.Seed,
		Heed: o.Job.Version, Go: runtime.Version(), Kernel: kernel.Active().String(), DataSHA256: familyHash(o.Family), Command: o.Job.Command, Metrics: map[string]float64{}}
	if o.Comparison != nil {
		if p := o.Comparison.Row("axial", "long").At[0].Estimate; !math.IsNaN(p) {
			info.Metrics["long_range_p_at_l"] = p
		}
	}
	meta, err := info.Meta()
	if err != nil {
		return err
	}
	return checkpoint.Save(path, meta, train.Weights(o.Fit.Axial))
}

// familyHash is the SHA-256 of the states of a family, row by row.
func familyHash(f *Family) string {
	sum := sha256.Sum256(f.States)
	return hex.EncodeToString(sum[:])
}

// LoadAxial reads the axial transformer that "heed protein fit" wrote.
func LoadAxial(path string) (*alignment.Axial, error) {
	f, err := checkpoint.Load(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Info(alignment.ArchitectureAxial)
	if err != nil {
		return nil, err
	}
	var c axialFile
	if err := json.Unmarshal(info.Config, &c); err != nil {
		return nil, format.InvalidAt(path, 0, "config: %v", err)
	}
	const most = 1 << 16
	if c.Columns < 2 || c.Columns > most {
		return nil, format.InvalidAt(path, 0, "config: columns %d: want 2 to %d", c.Columns, most)
	}
	if err := c.AxialConfig.Validate(); err != nil {
		return nil, format.InvalidAt(path, 0, "config: %v", err)
	}
	want := 0
	for _, a := range f.Entries {
		want += len(a.Float)
	}
	if n := c.Parameters(c.Columns); n != want {
		return nil, format.InvalidAt(path, 0, "the config is of %d values, the file has %d", n, want)
	}
	m := alignment.NewAxial(c.Columns, c.AxialConfig, nil)
	return m, f.Restore(train.Weights(m))
}

// axialExample returns the alignment that the report shows the attention over: rows
// of the family and their numbers in it.
func (o *Outcome) axialExample() (states []uint8, names []string, err error) {
	rows, states, err := o.Fit.Axial.Example(o.Family.Family, o.Job.Seed, shownRows)
	for _, n := range rows {
		names = append(names, fmt.Sprint(n+1))
	}
	return states, names, err
}
