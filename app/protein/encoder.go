package protein

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"heed/checkpoint"
	"heed/format"
	"heed/format/fasta"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/model/esm"
)

// LoadEncoder reads ESM-2 from the file that "heed model import" wrote.
func LoadEncoder(path string) (*esm.Model, error) {
	var config esm.Config
	arrays, err := encoderArrays(path, esm.Architecture, &config)
	if err != nil {
		return nil, err
	}
	m, surplus, err := esm.Load(arrays)
	if err != nil {
		return nil, inEncoder(path, err)
	}
	m.Config.TokenDropout = config.TokenDropout
	if m.Config != config || len(surplus) > 0 {
		return nil, mismatch(path, config, m.Config, surplus)
	}
	return m, nil
}

// LoadMSAEncoder reads ESM-MSA-1b likewise.
func LoadMSAEncoder(path string) (*esm.MSA, error) {
	var config esm.MSAConfig
	arrays, err := encoderArrays(path, esm.ArchitectureMSA, &config)
	if err != nil {
		return nil, err
	}
	m, surplus, err := esm.LoadMSA(arrays, config.Heads)
	if err != nil {
		return nil, inEncoder(path, err)
	}
	if m.Config != config || len(surplus) > 0 {
		return nil, mismatch(path, config, m.Config, surplus)
	}
	return m, nil
}

const importHint = "heed model import PUBLISHED -o FILE makes the file that this command reads"

// encoderArrays reads the arrays of a file, and its configuration.
func encoderArrays(path, architecture string, config any) (map[string]esm.Array, error) {
	f, err := checkpoint.Load(path)
	if err != nil {
		return nil, cli.Hint(err, importHint)
	}
	info, err := f.Info(architecture)
	if err != nil {
		return nil, cli.Hint(err, importHint)
	}
	if err := json.Unmarshal(info.Config, config); err != nil {
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
	return arrays, nil
}

// inEncoder adds the file to an error that does not say it.
func inEncoder(path string, err error) error {
	if placed := (*format.Error)(nil); errors.As(err, &placed) {
		return err
	}
	return format.InvalidAt(path, 0, "%w", err)
}

func mismatch(path string, says, has any, surplus []string) error {
	if len(surplus) > 0 {
		return format.InvalidAt(path, 0, "tensor %q has no place in the model", surplus[0])
	}
	return format.InvalidAt(path, 0, "the config is %+v, the tensors are of %+v", says, has)
}

// A Protein is a sequence as an encoder reads it.
type Protein struct {
	ID  string
	IDs []int32 // as esm.Encode gives them
	// Rows are those of an alignment, as esm.EncodeRow gives them, this protein
	// first; nil for a single sequence.
	Rows [][]int32
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
			return nil, cli.Hint(format.TooLargef(path, rec.Line, "sequence %q of %d residues, limit %d", rec.ID, residues, most),
				"--max-len raises the limit; time and the map of contacts grow with its square")
		}
		if residues > trainedOn {
			long++
		}
		sum.Lower, sum.J, sum.Stops, sum.Inner = sum.Lower+n.Lower, sum.J+n.J, sum.Stops+n.Stops, sum.Inner+n.Inner
		out = append(out, Protein{ID: rec.ID, IDs: ids})
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
		return 0, cli.Usagef("--threads %d: want 0 or more", threads)
	}
	if threads == 0 {
		return par.Cores(), nil
	}
	return threads, nil
}
