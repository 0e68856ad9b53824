package protein

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"heed/checkpoint"
	"heed/format"
	"heed/internal/cli"
	"heed/model/esm"
)

// An encoderFile is what the header of a model's file says: enough to plan.
type encoderFile struct {
	path         string
	architecture string
	sequence     esm.Config    // of ESM-2
	alignment    esm.MSAConfig // of ESM-MSA-1b
}

// readEncoderFile reads the header of a file and none of its values.
func readEncoderFile(path string) (*encoderFile, error) {
	h, err := checkpoint.LoadHeader(path)
	if err != nil {
		return nil, cli.Hint(err, importHint)
	}
	info, err := h.Info("")
	if err != nil {
		return nil, cli.Hint(err, importHint)
	}
	f := &encoderFile{path: path, architecture: info.Architecture}
	switch info.Architecture {
	case esm.Architecture:
		if err = json.Unmarshal(info.Config, &f.sequence); err == nil {
			err = f.sequence.Validate()
		}
	case esm.ArchitectureMSA:
		if err = json.Unmarshal(info.Config, &f.alignment); err == nil {
			err = f.alignment.Validate()
		}
	default:
		return nil, cli.Hint(format.InvalidAt(path, 0, "architecture %q, want %q or %q", info.Architecture, esm.Architecture, esm.ArchitectureMSA), importHint)
	}
	if err != nil {
		return nil, format.InvalidAt(path, 0, "config: %w", err)
	}
	return f, nil
}

func (f *encoderFile) hasHead() bool {
	if f.architecture == esm.ArchitectureMSA {
		return f.alignment.Contacts
	}
	return f.sequence.Contacts
}

// weights is the part of a plan that every command with an encoder has.
func (f *encoderFile) weights() esm.Part {
	n := f.sequence.Parameters
	if f.architecture == esm.ArchitectureMSA {
		n = f.alignment.Parameters
	}
	return esm.Part{Name: "weights", Bytes: 4 * n(), How: fmt.Sprintf("%d values x 4 bytes", n())}
}

// program is what the code, the runtime and the panels of matrix products take.
var program = esm.Part{Name: "program", Bytes: 48 << 20, How: "code, runtime and small things"}

// A memoryPlan is what a command will hold at its largest.
type memoryPlan struct {
	Parts []esm.Part
	Work  esm.Work
	// Tokens is how many tokens of several inputs share a pass.
	Tokens int
}

func (p *memoryPlan) total() int64 {
	var n int64
	for _, x := range p.Parts {
		n += x.Bytes
	}
	return n
}

// tell prints the plan.
func (p *memoryPlan) tell(w io.Writer) {
	for _, x := range p.Parts {
		fmt.Fprintf(w, "memory: %s %s = %s\n", x.Name, x.How, bytesText(x.Bytes))
	}
	fmt.Fprintf(w, "memory: at most %s\n", bytesText(p.total()))
}

// planMemory chooses the largest pieces, and the largest batches, with which a
// command stays within a limit, 0 for none, prints the plan, and makes it the
// soft limit of the garbage collector: without, as much garbage as there are
// weights would be held. parts gives what there is besides weights and program. It
// is an error if the smallest pieces are too large; file names the input.
// The second result lifts the limit.
func planMemory(w io.Writer, limit int64, file string, model *encoderFile, cores, tokens int, parts func(esm.Work, int) []esm.Part) (*memoryPlan, func(), error) {
	const least = 16
	p := &memoryPlan{Work: esm.Work{Cores: cores, Rows: esm.DefaultRows}, Tokens: tokens}
	for {
		p.Parts = append([]esm.Part{program, model.weights()}, parts(p.Work, p.Tokens)...)
		if limit == 0 || p.total() <= limit {
			break
		}
		switch {
		case p.Tokens > least:
			p.Tokens /= 2
		case p.Work.Rows > least:
			p.Work.Rows /= 2
		default:
			var sum []string
			for _, x := range p.Parts {
				sum = append(sum, fmt.Sprintf("%s %s (%s)", x.Name, bytesText(x.Bytes), x.How))
			}
			return nil, nil, cli.Hint(format.TooLargef(file, 0, "%s of memory are needed at least, the limit is %s: %s",
				bytesText(p.total()), bytesText(limit), strings.Join(sum, " + ")), "--mem-limit raises the limit; shorter inputs, fewer rows of an alignment and smaller models need less")
		}
	}
	p.tell(w)
	before := debug.SetMemoryLimit(p.total())
	return p, func() { debug.SetMemoryLimit(before) }, nil
}

// bytesText writes a size in decimal units.
func bytesText(n int64) string {
	b := cli.Bytes(n)
	return b.String()
}

const memoryHelp = "memory to stay within, such as 2GB; smaller pieces and batches are taken, with the same results, or the work is refused"
