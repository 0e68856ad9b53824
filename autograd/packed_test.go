package autograd

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func randomVar(r *rand.Rand, shape ...int) *Var {
	v := Param(shape...)
	for i := range v.Data {
		v.Data[i] = float32(r.NormFloat64())
	}
	return v
}

// Packed weights give the bits of plain ones, on any number of cores.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	x := randomVar(r, 2, 130, 96)
	x.Trainable = false
	var w, b [3]*Var
	for i, n := range []int{96, 64, 50} {
		w[i], b[i] = randomVar(r, n, 96), randomVar(r, n)
	}
	b[1] = nil
	var want [3][]float32
	for i := range want {
		want[i] = slices.Clone(Linear(&Tape{NoGrad: true}, x, w[i], b[i]).Data)
	}
	for i, v := range w {
		if got := Linears(&Tape{NoGrad: true}, x, w, b)[i].Data; !slices.Equal(got, want[i]) {
			t.Errorf("layer %d of three, not all packed: another result", i)
		}
		Pack(v)
	}
	for _, cores := range []int{1, 2, 3} {
		tape := &Tape{NoGrad: true, Cores: cores}
		all := Linears(tape, x, w, b)
		for i := range w {
			one := Linear(tape, x, w[i], b[i])
			if !slices.Equal(one.Shape, []int{2, 130, w[i].Dim(0)}) || !slices.Equal(all[i].Shape, one.Shape) {
				t.Errorf("layer %d: shapes %v and %v", i, one.Shape, all[i].Shape)
			}
			if !slices.Equal(one.Data, want[i]) || !slices.Equal(all[i].Data, want[i]) {
				t.Errorf("layer %d on %d cores: another result", i, cores)
			}
		}
	}
}

func TestPackPanics(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	packed := randomVar(r, 4, 3)
	Pack(packed)
	x := randomVar(r, 5, 3)
	for name, f := range map[string]func(){
		"gradient of the input": func() { Linear(&Tape{}, x, packed, nil) },
		"gradient of the bias":  func() { Linear(&Tape{}, Input(x.Data, 5, 3), packed, randomVar(r, 4)) },
		"packed twice":          func() { Pack(packed) },
		"no matrix":             func() { Pack(randomVar(r, 4)) },
		"wrong width":           func() { Linear(&Tape{NoGrad: true}, randomVar(r, 5, 4), packed, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// A tape keeps the angles of the last positions and frequencies, and no others.
func TestRotaryKeepsItsAngles(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	x := randomVar(r, 3, 8)
	f, g := RotaryFrequencies(4, 100), RotaryFrequencies(4, 10)
	tape := &Tape{NoGrad: true}
	for range 2 {
		for _, c := range []struct {
			positions   []int32
			frequencies []float32
		}{{[]int32{0, 1, 2}, f}, {[]int32{0, 1, 2}, slices.Clone(f)}, {[]int32{0, 1, 2}, g}, {[]int32{5, 1, 2}, g}, {[]int32{5, 1, 2}, f}} {
			want := Rotary(&Tape{NoGrad: true}, x, 2, c.positions, c.frequencies).Data
			if got := Rotary(tape, x, 2, c.positions, c.frequencies).Data; !slices.Equal(got, want) {
				t.Errorf("positions %v, frequencies %v: another result", c.positions, c.frequencies)
			}
		}
		tape.Reset()
	}
	// Within Recompute the table goes with the other buffers.
	y := Recompute(tape, func(t *Tape, x *Var) *Var { return Rotary(t, x, 2, []int32{0, 1, 2}, f) }, x)
	for range 4 {
		clear(Scale(tape, y, 2).Data) // takes the buffers again
	}
	want := Rotary(&Tape{NoGrad: true}, x, 2, []int32{0, 1, 2}, f).Data
	if got := Rotary(tape, x, 2, []int32{0, 1, 2}, f).Data; !slices.Equal(got, want) {
		t.Error("angles of a forgotten part of the tape")
	}
}
