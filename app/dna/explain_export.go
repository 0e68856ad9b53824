package dna

import (
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"heed/explain"
	"heed/format"
	"heed/format/bigwig"
	"heed/format/npy"
	"heed/internal/cli"
)

// writeBigWig writes the importance of every position as bigWig, with the names
// of the sequences as chromosomes.
func (x *Explained) writeBigWig(path string) error {
	var chroms []bigwig.Chrom
	for _, e := range x.Sequences {
		chroms = append(chroms, bigwig.Chrom{Name: e.Name, Size: len(e.Sequence)})
	}
	return format.WriteFileAt(path, func(f format.ReadWriterAt) error {
		w, err := bigwig.NewWriter(f, chroms)
		if err != nil {
			return err
		}
		for _, e := range x.Sequences {
			for i, v := range e.Importance {
				if err := w.Add(e.Name, i, i+1, float32(v)); err != nil {
					return err
				}
			}
		}
		return w.Close()
	})
}

// writeJSON writes the scores of every method for every letter as JSON.
func (x *Explained) writeJSON(path string) error {
	type sequence struct {
		Name     string               `json:"name"`
		Sequence string               `json:"sequence"`
		Class    string               `json:"class"`
		Prob     float64              `json:"probability"`
		LogOdds  float64              `json:"log_odds"`
		Scores   map[string][]float64 `json:"scores"`
		Delta    [][]float64          `json:"delta"`
		Integral *Integral            `json:"integral,omitempty"`
	}
	var out []sequence
	for _, e := range x.Sequences {
		s := sequence{Name: e.Name, Sequence: string(e.Sequence), Class: x.Model.Classes[e.Class], Prob: e.Prob, LogOdds: e.Effects.Score,
			Scores: map[string][]float64{}, Delta: e.Effects.Delta, Integral: e.Integral}
		for i, m := range x.How.Methods {
			s.Scores[m.key] = e.Scores[i]
		}
		out = append(out, s)
	}
	return writeJSON(path, out)
}

// writeNPZ writes scores for NumPy: the array of each method, (sequences, L), where
// all sequences have one length, and else one (L) for each method and sequence;
// and the attention of the first member for each sequence that a page shows,
// (layers, H, rows, rows).
func (x *Explained) writeNPZ(path string) error {
	return format.WriteFile(path, func(out io.Writer) error {
		w := npy.NewWriter(out)
		same := len(x.Tracks) > 0
		for i, m := range x.How.Methods {
			key := strings.ReplaceAll(m.key, "-", "_")
			var all []float32
			for _, e := range x.Sequences {
				row := make([]float32, len(e.Sequence))
				for j, v := range e.Scores[i] {
					row[j] = float32(v)
				}
				if !same {
					if err := w.Add(key+"."+fileName("scores", e.Name), row, len(row)); err != nil {
						return err
					}
				}
				all = append(all, row...)
			}
			if same {
				if err := w.Add(key, all, len(x.Sequences), len(x.Sequences[0].Sequence)); err != nil {
					return err
				}
			}
		}
		for _, e := range x.chosen() {
			if e.Tokens == nil {
				break
			}
			var weights []float32
			layers := x.Model.parts(e.Sequence, e.Class, x.How.Seed)[0].attention()
			for _, l := range layers {
				weights = append(weights, l.Weights...)
			}
			if err := w.Add(fileName("attention", e.Name), weights, len(layers), layers[0].Heads, len(e.Tokens), len(e.Tokens)); err != nil {
				return err
			}
		}
		return w.Close()
	})
}

// export writes the files of some formats into a folder.
func (x *Explained) export(dir string, formats []string) error {
	for _, f := range formats {
		var err error
		switch f {
		case "bedgraph":
			err = format.WriteFile(filepath.Join(dir, "importance.bedgraph"), func(w io.Writer) error { return WriteBedGraph(w, x.Sequences) })
		case "bigwig":
			err = x.writeBigWig(filepath.Join(dir, "importance.bw"))
		case "json":
			err = x.writeJSON(filepath.Join(dir, "explain.json"))
		case "npz":
			err = x.writeNPZ(filepath.Join(dir, "explain.npz"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// exportFormats are those of --export; figures are SVG in any case.
func exportFormats() []string { return []string{"bedgraph", "bigwig", "json", "npz", "png"} }

// checkExport checks the formats of --export against what can be written.
func checkExport(formats []string, es []*Explanation) error {
	for _, f := range formats {
		if !slices.Contains(exportFormats(), f) {
			return cli.Usagef("--export %q: want some of %s", f, strings.Join(exportFormats(), ","))
		}
	}
	if !slices.Contains(formats, "bigwig") {
		return nil
	}
	seen := map[string]bool{}
	for _, e := range es {
		if seen[e.Name] {
			return cli.Usagef("--export bigwig: two sequences are called %q, and names are its chromosomes", e.Name)
		}
		seen[e.Name] = true
	}
	return nil
}

// verdictFile is the name of the result of --verify in a folder.
const verdictFile = "verdict.json"

// writeJSON writes the verdict.
func (v *Verdict) writeJSON(dir string) error {
	return format.WriteFile(filepath.Join(dir, verdictFile), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v.summary())
	})
}

// A gain is one test of one method, in nats; NaN has no place in JSON.
type gain struct {
	AOPC   *float64 `json:"aopc"`
	Random *float64 `json:"random"`
	Gain   *float64 `json:"gain"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
	Beats  bool     `json:"beats_random"`
}

type methodVerdict struct {
	Method            string   `json:"method"`
	Replacement       string   `json:"replacement"`
	Comprehensiveness gain     `json:"comprehensiveness"`
	Sufficiency       gain     `json:"sufficiency"`
	WrongSign         *float64 `json:"wrong_sign"`
	RandomParameters  string   `json:"random_parameters"`
	OtherClass        *float64 `json:"other_class"`
	OtherSeeds        *float64 `json:"other_seeds"`
	Sentence          string   `json:"sentence"`
}

func (v *Verdict) summary() any {
	out := struct {
		Sequences int             `json:"sequences"`
		Orders    int             `json:"random_orders"`
		Models    int             `json:"models"`
		Methods   []methodVerdict `json:"methods"`
	}{Sequences: v.Sequences, Orders: v.Replacements[0].Orders, Models: v.Models}
	for _, r := range v.Replacements {
		for i := range r.Methods {
			f := &r.Methods[i]
			m := methodVerdict{Method: f.Name, Replacement: r.Replacement, Comprehensiveness: gainOf(&f.Comprehensiveness), Sufficiency: gainOf(&f.Sufficiency),
				RandomParameters: string(v.Randomised[i].Grade), Sentence: f.Sentence}
			if !f.Signs.Unsigned {
				m.WrongSign = number(f.Signs.Rate.Estimate)
			}
			if v.Logits != nil {
				m.OtherClass = number(v.Logits[i].Rho.Estimate)
			}
			if v.Seeds != nil {
				m.OtherSeeds = number(v.Seeds[i].Mean)
			}
			out.Methods = append(out.Methods, m)
		}
	}
	return out
}

func gainOf(g *explain.Gain) gain {
	return gain{AOPC: number(g.AOPC), Random: number(g.Random),
		Gain: number(g.Gain.Estimate), Low: number(g.Gain.Low), High: number(g.Gain.High), Beats: g.Beats}
}
