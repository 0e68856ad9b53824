package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/autograd"
	"heed/nn"
)

// Everything is measured, and every number is one.
func TestRun(t *testing.T) {
	r, err := Run(context.Background(), "test", Setting{Cores: 2, Each: time.Microsecond, Within: time.Hour, Tokens: 2048})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Peak) != 2 || len(r.Kernels) != 2*len(kernels(1)) || len(r.Models) != 5 || len(r.Memory) != 3 || len(r.Skipped) > 0 {
		t.Fatalf("%d peaks, %d kernels, %d models, %d lengths", len(r.Peak), len(r.Kernels), len(r.Models), len(r.Memory))
	}
	var all []float64
	for _, p := range r.Peak {
		all = append(all, p.GFLOPS, p.Steady)
	}
	for _, k := range r.Kernels {
		all = append(all, k.GFLOPS, k.Share)
	}
	for _, m := range r.Models {
		if m.Inference == nil || m.Name != "esm, shape of ESM-2 8M" && m.Training == nil {
			t.Fatalf("%s was not measured", m.Name)
		}
		if m.Training == nil && m.Parameters < 7e6 {
			t.Errorf("%s of %d parameters", m.Name, m.Parameters)
		}
		all = append(all, m.Inference.PerSecond, m.Inference.GFLOPS, m.Inference.Share, float64(m.Parameters))
		if m.Training != nil {
			all = append(all, m.Training.PerSecond, m.Training.GFLOPS, m.Training.Share)
		}
	}
	for i, x := range all {
		if !(x > 0) || math.IsInf(x, 0) {
			t.Errorf("number %d is %v", i, x)
		}
	}
	// Memory grows with the length and not with its square, which is what
	// the weights of the attention would do.
	short, long := r.Memory[0], r.Memory[2]
	times := float64(long.Tokens) / float64(short.Tokens)
	if g := float64(long.Training) / float64(short.Training); g > 1.3*times || g < 0.5*times {
		t.Errorf("%v times the tokens take %.1f times the memory", times, g)
	}
	if long.Training > long.Matrices/4 || long.Inference > long.Training {
		t.Errorf("%d bytes in training, %d in inference, where the weights would take %d", long.Training, long.Inference, long.Matrices)
	}
	var text strings.Builder
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nproduct of 256 x 256 matrices ", "\ntimeline ", "\n2048 tokens ", "\nesm, shape of ESM-2 8M: 1 protein of 512 tokens"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	// With no time at all only the peaks are measured, and the rest is said.
	r, err = Run(context.Background(), "test", Setting{Cores: 2, Each: time.Microsecond, Within: 1, Tokens: 512})
	if err != nil {
		t.Fatal(err)
	}
	text.Reset()
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	if len(r.Peak) != 2 || len(r.Kernels)+len(r.Models)+len(r.Memory) > 0 || !strings.Contains(text.String(), "skipped: timeline, training: the time was up (--within allows more)\n") || !strings.Contains(text.String(), "* fewer than 3 rounds") {
		t.Errorf("without time: %s", text.String())
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(cancelled, "test", Setting{Each: time.Microsecond}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a cancelled run", err)
	}
}

// The count of the products agrees with plain loops over the shapes of the layers.
func TestEncoderFlops(t *testing.T) {
	const layers, dim, ffn, sequences, length = 2, 8, 16, 3, 5
	want := flops{}
	for l := range layers {
		rows := sequences * length
		if l == layers-1 {
			rows = sequences // the first row of each is all that is read
		}
		for _, w := range [][2]int{{dim, dim}, {dim, dim}, {dim, ffn}, {ffn, dim}} { // query, out, up, down
			want.linear += 2 * float64(rows*w[0]*w[1])
		}
		want.linear += 2 * 2 * float64(sequences*length*dim*dim) // key and value
		want.attention += 2 * 2 * float64(rows*length*dim)       // scores and values
	}
	if got := encoder(layers, dim, ffn, sequences, length, true); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Every model runs one piece of its batch, and its loss moves its parameters.
func TestSubjects(t *testing.T) {
	for _, build := range models() {
		m := build(1)
		if m.loss == nil {
			continue
		}
		tape := &autograd.Tape{}
		tape.Backward(m.loss(tape, m.pieces-1))
		moved := slices.ContainsFunc(nn.Params(m.module), func(p *autograd.Var) bool {
			return slices.ContainsFunc(tape.Grad(p), func(g float32) bool { return g != 0 })
		})
		if !moved {
			t.Errorf("%s: no gradient", m.name)
		}
	}
}
