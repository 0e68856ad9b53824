package autograd

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/internal/golden"
	"heed/internal/kernel"
)

// goldenOps maps the first part of a golden's name to our operation.
var goldenOps = map[string]func(t *Tape, c *golden.Case, v map[string]*Var) *Var{
	"linear": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return Linear(t, v["input"], v["weight"], v["bias"])
	},
	"matmul": func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return MatMul(t, v["a"], v["b"]) },
	"layernorm": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return LayerNorm(t, v["x"], v["gamma"], v["beta"], 1e-5)
	},
	"addrow": func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return AddRow(t, v["x"], v["row"]) },
	"mul":    func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return Mul(t, v["a"], v["b"]) },
	"sum":    func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return Sum(t, v["x"]) },
	"gelu":   func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return GELU(t, v["input"]) },
	"relu":   func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return ReLU(t, v["input"]) },
	"tanh":   func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return Tanh(t, v["input"]) },
	"geglu":  func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return GEGLU(t, v["input"]) },
	"concat": func(t *Tape, c *golden.Case, v map[string]*Var) *Var { return Concat(t, v["a"], v["b"], v["c"]) },
	"embedding": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return Embedding(t, v["table"], int32s(c.Ints("ids")))
	},
	"meanpool": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return MeanPool(t, v["x"], Packed(c.Ints("lengths")...))
	},
	"rotary": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return Rotary(t, v["x"], c.Int("heads"), int32s(c.Ints("positions")), c.Input("frequencies").Data)
	},
	"maxpool": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		y, _ := MaxPool1D(t, v["x"], c.Int("size"), Packed(c.Ints("lengths")...))
		return y
	},
	"conv": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return Conv1D(t, v["x"], v["w"], v["b"], Packed(c.Ints("lengths")...))
	},
	"crossentropy": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		targets, counted := int32s(c.Ints("targets")), 0
		for _, x := range targets {
			if x >= 0 {
				counted++
			}
		}
		return CrossEntropy(t, v["x"], targets, float32(counted))
	},
	"bce": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return BinaryCrossEntropy(t, v["x"], c.Input("targets").Data, 4)
	},
	"attention": goldenAttention,
	"conv3d": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return Conv3D(t, v["x"], v["w"], v["b"], goldenWindow(c))
	},
	"groupnorm": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return GroupNorm(t, v["x"], c.Int("groups"), v["gamma"], v["beta"], 1e-5)
	},
	"avgpool3d": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return AvgPool3D(t, v["x"], [3]int(c.Ints("window")), goldenWindow(c))
	},
	"maxpool3d": func(t *Tape, c *golden.Case, v map[string]*Var) *Var {
		return MaxPool3D(t, v["x"], [3]int(c.Ints("window")), goldenWindow(c))
	},
}

func goldenWindow(c *golden.Case) Window3D {
	return Window3D{Stride: [3]int(c.Ints("stride")), Pad: [3]int(c.Ints("pad"))}
}

func goldenAttention(t *Tape, c *golden.Case, v map[string]*Var) *Var {
	s := AttentionSpec{
		Name: "a", Heads: c.Int("heads"), Query: Packed(c.Ints("queries")...), Key: Packed(c.Ints("keys")...),
		Tied: c.Int("tied"), Causal: c.Int("causal") == 1, Bias: v["bias"], Relative: v["relative"],
	}
	if mask := c.Input("mask").Data; slices.Contains(mask, 0) {
		for _, x := range mask {
			s.KeyMask = append(s.KeyMask, x > 0)
		}
	}
	return Attention(t, v["q"], v["k"], v["v"], s)
}

func int32s(x []int) []int32 {
	y := make([]int32, len(x))
	for i, v := range x {
		y[i] = int32(v)
	}
	return y
}

// longSums are cases of sums over 64 and more terms. Plain Go adds them up in
// one chain and rounds every product, PyTorch and the assembly add in lanes and
// round once, so plain Go cannot keep the bound; TestAttentionOverManyBlocks
// compares it with the definition.
var longSums = map[string]bool{"attention/long": true, "attention/long masked": true, "attention/wide": true}

// Values and all gradients agree with PyTorch as package golden demands: at
// most twice the error that PyTorch itself makes in float32.
func TestGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d golden files, error %v", len(files), err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		cases, err := golden.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			name, _, _ := strings.Cut(c.Name, "/")
			op := goldenOps[name]
			if op == nil {
				t.Errorf("%s: no operation for %s", file, c.Name)
				continue
			}
			seen[name] = true
			for _, impl := range kernel.Available() {
				for _, probe := range []func(string, *Var){nil, func(string, *Var) {}} {
					if probe != nil && name != "attention" || impl == kernel.Generic && longSums[c.Name] {
						continue
					}
					t.Run(c.Name+" "+impl.String()+map[bool]string{true: " probed"}[probe != nil], func(t *testing.T) {
						defer kernel.Force(impl)()
						v := map[string]*Var{}
						for _, in := range c.Inputs() {
							v[in] = &Var{Tensor: *c.Input(in), Trainable: true}
						}
						tape := &Tape{Probe: probe}
						y := op(tape, &c, v)
						c.Check(t, "out", y.Data)
						tape.BackwardFrom(y, c.Cotangent("out").Data)
						for in := range v {
							c.Check(t, "grad."+in, tape.Grad(v[in]))
						}
					})
				}
			}
		}
	}
	for name := range goldenOps {
		if !seen[name] {
			t.Errorf("no golden of %s", name)
		}
	}
}
