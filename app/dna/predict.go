package dna

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"heed/format"
	"heed/format/fasta"
	"heed/internal/cli"
)

// A PredictConfig says how sequences of other lengths than those of training
// are met.
type PredictConfig struct {
	// Window and Step turn on scanning: every window of Window letters, Step
	// apart, is scored by itself. With Step 0 a sequence is scored as a whole,
	// and one that is shorter or longer than all of the training is an error.
	Window int
	Step   int
	Cores  int  // 0 means all
	JSON   bool // one JSON object to a line in place of a table
}

// Predicted is what PredictStream did.
type Predicted struct {
	Sequences int
	Rows      int
	TooShort  int // sequences shorter than the window, which have no row
}

// A row is one sequence, or one window of it.
type row struct {
	name   string
	start  int // 0-based
	length int
	seq    []byte
}

// chunkTokens is how many letters are held before they are scored: enough for
// all cores to have work.
const chunkTokens = 1 << 17

// PredictStream scores the sequences of a FASTA and writes a table with a line
// for each, in their order: name, start and end (1-based) when scanning,
// length, the probability of every class, and the call. Memory does not grow
// with the number of sequences.
func (f *Fitted) PredictStream(ctx context.Context, name string, in io.Reader, out io.Writer, c PredictConfig) (Predicted, error) {
	var done Predicted
	window := c.Window
	if window == 0 {
		window = f.Config.Model.MaxLen
	}
	switch {
	case c.Step < 0:
		return done, cli.Usagef("--step %d: want 0 or more", c.Step)
	case c.Window < 0 || c.Window > f.Config.Model.MaxLen:
		return done, cli.Usagef("--window %d: the model reads up to %d letters", c.Window, f.Config.Model.MaxLen)
	case c.Window > 0 && c.Step == 0:
		return done, cli.Usagef("--window needs --step")
	case c.Step > 0 && window < f.MinLen:
		return done, cli.Usagef("--window %d: the model was trained with %d letters or more", window, f.MinLen)
	}
	w := bufio.NewWriter(out)
	if !c.JSON {
		f.writeHeader(w, c)
	}
	limit := 0
	if c.Step == 0 {
		limit = f.Config.Model.MaxLen
	}
	var chunk []row
	tokens := 0
	flush := func() error {
		f.writeRows(w, chunk, c)
		done.Rows += len(chunk)
		chunk, tokens = chunk[:0], 0
		if err := w.Flush(); err != nil {
			return err
		}
		return ctx.Err()
	}
	for rec, err := range (fasta.Reader{Alphabet: fasta.DNA, MaxLetters: limit}).Records(name, in) {
		if err != nil {
			if e := flush(); e != nil {
				return done, e
			}
			return done, scanHint(err)
		}
		done.Sequences++
		fasta.Upper(rec.Seq)
		if c.Step == 0 {
			if len(rec.Seq) < f.MinLen {
				return done, cli.Hint(format.Invalidf(name, rec.Line, "sequence %q has %d letters, the model was trained with %d or more", rec.ID, len(rec.Seq), f.MinLen),
					"leave shorter sequences out, or train with some of their length")
			}
			chunk = append(chunk, row{rec.ID, 0, len(rec.Seq), rec.Seq})
			if tokens += len(rec.Seq); tokens >= chunkTokens {
				if err := flush(); err != nil {
					return done, err
				}
			}
			continue
		}
		if len(rec.Seq) < window {
			done.TooShort++
			continue
		}
		for at := 0; at+window <= len(rec.Seq); at += c.Step {
			chunk = append(chunk, row{rec.ID, at, window, rec.Seq[at : at+window]})
			if tokens += window; tokens >= chunkTokens {
				if err := flush(); err != nil {
					return done, err
				}
			}
		}
	}
	return done, flush()
}

// scanHint adds a hint to the error of a sequence longer than the model reads.
func scanHint(err error) error {
	if strings.Contains(err.Error(), "has more than") && strings.Contains(err.Error(), "sequence") {
		return cli.Hint(err, "--step N scans longer sequences in windows")
	}
	return err
}

func (f *Fitted) writeHeader(w io.Writer, c PredictConfig) {
	columns := []string{"name"}
	if c.Step > 0 {
		columns = append(columns, "start", "end")
	} else {
		columns = append(columns, "length")
	}
	columns = append(append(columns, prefixed("p_", f.Classes)...), "call")
	fmt.Fprintln(w, strings.Join(columns, "\t"))
}

func (f *Fitted) writeRows(w io.Writer, rows []row, c PredictConfig) {
	seqs := make([][]byte, len(rows))
	for i, r := range rows {
		seqs[i] = r.seq
	}
	for i, probs := range f.Probabilities(seqs, c.Cores) {
		r := rows[i]
		call := f.Classes[f.Call(probs)]
		if c.JSON {
			line := prediction{Name: r.name, Length: r.length, Probs: map[string]float64{}, Call: call}
			if c.Step > 0 {
				line.Start, line.End = r.start+1, r.start+r.length
			}
			for k, p := range probs {
				line.Probs[f.Classes[k]] = p
			}
			text, _ := json.Marshal(line) // strings and finite numbers
			w.Write(append(text, '\n'))
			continue
		}
		fmt.Fprint(w, r.name)
		if c.Step > 0 {
			fmt.Fprintf(w, "\t%d\t%d", r.start+1, r.start+r.length)
		} else {
			fmt.Fprintf(w, "\t%d", r.length)
		}
		for _, p := range probs {
			fmt.Fprint(w, "\t", strconv.FormatFloat(p, 'f', 6, 64))
		}
		fmt.Fprintln(w, "\t"+call)
	}
}

// A prediction is one line of JSON.
type prediction struct {
	Name   string             `json:"name"`
	Start  int                `json:"start,omitempty"` // 1-based
	End    int                `json:"end,omitempty"`   // of the window, included
	Length int                `json:"length"`
	Probs  map[string]float64 `json:"probabilities"`
	Call   string             `json:"call"`
}

// Test scores a labelled dataset with a model that was not trained on it. The
// dataset's labels must be classes of the model.
func (f *Fitted) Test(d *Dataset, cores int) (*Predictions, error) {
	shortest, longest := d.Lengths()
	if longest > f.Config.Model.MaxLen {
		return nil, fmt.Errorf("the longest sequence has %d letters, the model reads up to %d", longest, f.Config.Model.MaxLen)
	}
	if shortest < f.MinLen {
		return nil, fmt.Errorf("the shortest sequence has %d letters, the model was trained with %d or more", shortest, f.MinLen)
	}
	p := &Predictions{Model: architecture(&f.Config.Model), Classes: f.Classes, Positive: f.Positive, Names: d.Names, Folds: make([]int, len(d.Seqs))}
	p.Probs = f.Probabilities(d.Seqs, cores)
	for i, l := range d.Labels {
		k := -1
		for j, c := range f.Classes {
			if c == d.Classes[l] {
				k = j
			}
		}
		if k < 0 {
			return nil, fmt.Errorf("label %q is no class of the model; its classes are %s", d.Classes[l], strings.Join(f.Classes, ", "))
		}
		p.Labels = append(p.Labels, k)
		p.Calls = append(p.Calls, f.Call(p.Probs[i]))
	}
	return p, nil
}
