package protein

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"heed/checkpoint"
	"heed/format"
	"heed/format/fasta"
	"heed/internal/par"
	"heed/model/esm"
)

// LoadEncoder reads a published encoder from the file that "heed model import"
// wrote.
func LoadEncoder(path string) (*esm.Model, error) {
	const text = "heed model import PUBLISHED -o FILE makes the file that this command reads"
	f, err := checkpoint.Load(path)
	if err != nil {
		return nil, hint(err, text)
	}
	info, err := f.Info(esm.Architecture)
	if err != nil {
		return nil, hint(err, text)
	}
	var config esm.Config
	if err := json.Unmarshal(info.Config, &config); err != nil {
		return nil, format.InvalidAt(path, 0, "config: %v", err)
	}
	arrays := map[string]esm.Array{}
	for i, e := range f.Entries {
		arrays[e.Name] = esm.Array{Shape: e.Shape, Values: func() ([]float32, error) {
			for k, x := range e.Float {
				if y := float64(x); math.IsNaN(y) || math.IsInf(y, 0) {
					return nil, format.InvalidAt(path, f.Arrays[i].Offset+4*int64(k), "tensor %q: value %d is %v", e.Name, k, x)
				}
			}
			return e.Float, nil
		}}
	}
	m, surplus, err := esm.Load(arrays)
	if placed := (*format.Error)(nil); err != nil && !errors.As(err, &placed) {
		return nil, format.InvalidAt(path, 0, "%w", err)
	} else if err != nil {
		return nil, err
	}
	if len(surplus) > 0 {
		return nil, format.InvalidAt(path, 0, "tensor %q has no place in the model", surplus[0])
	}
	m.Config.TokenDropout = config.TokenDropout
	if m.Config != config {
		return nil, format.InvalidAt(path, 0, "the config is %+v, the tensors are of %+v", config, m.Config)
	}
	return m, nil
}

// A Protein is a sequence as an encoder reads it.
type Protein struct {
	ID       string
	Residues string  // those of IDs without the two ends
	IDs      []int32 // as esm.Encode gives them
}

// trainedOn is the length of the longest proteins that ESM-2 saw in training.
const trainedOn = 1022

// readProteins reads a FASTA file, and tells what had to be changed. A sequence of
// more than most residues is an error.
func readProteins(path string, most int, tell io.Writer) ([]Protein, error) {
	r, err := format.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []Protein
	var sum esm.Changes
	line := map[string]int{}
	long := 0
	for rec, err := range fasta.Records(path, r) {
		if err != nil {
			return nil, err
		}
		if first, ok := line[rec.ID]; ok {
			return nil, format.Invalidf(path, rec.Line, "sequence %q is in line %d already: results are filed by name", rec.ID, first)
		}
		line[rec.ID] = rec.Line
		ids, n, err := esm.Encode(string(rec.Seq))
		if err != nil {
			return nil, format.Invalidf(path, rec.Line, "sequence %q: %w", rec.ID, err)
		}
		residues := len(ids) - 2
		if residues == 0 {
			return nil, format.Invalidf(path, rec.Line, "sequence %q has no residues", rec.ID)
		}
		if residues > most {
			return nil, hint(format.TooLargef(path, rec.Line, "sequence %q of %d residues, limit %d", rec.ID, residues, most),
				"--max-len raises the limit; time and the map of contacts grow with its square")
		}
		if residues > trainedOn {
			long++
		}
		sum.Lower, sum.J, sum.Stops, sum.Inner = sum.Lower+n.Lower, sum.J+n.J, sum.Stops+n.Stops, sum.Inner+n.Inner
		var text strings.Builder
		for _, id := range ids[1 : len(ids)-1] {
			text.WriteString(esm.Name(id))
		}
		out = append(out, Protein{rec.ID, text.String(), ids})
	}
	for _, c := range []struct {
		n    int
		text string
	}{
		{sum.Lower, "letters in lower case read as upper case"}, {sum.J, "J read as X"}, {sum.Inner, "'*' within a sequence read as X"},
		{sum.Stops, "'*' at the end of a sequence left out"}, {long, "sequences are longer than the 1022 residues of training: expect less of them"},
	} {
		if c.n > 0 {
			fmt.Fprintf(tell, "%s: %d %s\n", path, c.n, c.text)
		}
	}
	return out, nil
}

// cores returns the number of cores that a --threads flag asks for.
func cores(threads int) (int, error) {
	if threads < 0 {
		return 0, usagef("--threads %d: want 0 or more", threads)
	}
	if threads == 0 {
		return par.Cores(), nil
	}
	return threads, nil
}
