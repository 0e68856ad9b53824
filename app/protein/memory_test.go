package protein

import (
	"io"
	"strings"
	"testing"

	"heed/model/esm"
)

// A limit makes batches, then pieces, smaller, and at last refuses with the
// arithmetic.
func TestPlanMemory(t *testing.T) {
	f := &encoderFile{architecture: esm.Architecture, sequence: esm.Config{Layers: 1, Dim: 64, Heads: 4, FFN: 256}}
	plan := func(limit int64) (*memoryPlan, error) {
		p, done, err := planMemory(io.Discard, limit, "x.fasta", f, 1, 4096, func(w esm.Work, tokens int) []esm.Part {
			return f.sequence.Plan(max(tokens, 100), w)
		})
		if err == nil {
			done()
		}
		return p, err
	}
	free, err := plan(0)
	if err != nil || free.Tokens != 4096 || free.Work.Rows != esm.DefaultRows {
		t.Fatalf("%+v, %v", free, err)
	}
	some, err := plan(free.total() - 1)
	if err != nil || some.Tokens != 2048 || some.total() >= free.total() {
		t.Errorf("%+v, %v", some, err)
	}
	_, err = plan(1000)
	const want = "x.fasta: too large: 50.9 MB of memory are needed at least, the limit is 1.0 kB: program 50.3 MB (code, runtime and small things) + weights 226.2 kB (56553 values x 4 bytes) + states "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error\n%v, want\n%s", err, want)
	}
}
