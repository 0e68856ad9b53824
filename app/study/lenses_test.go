package study

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"heed/nn"
)

// A mark alone says nothing: each kind is as frequent in both classes, and marks that
// belong together are mirror images on one row.
func TestPairTasks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	g := lensGrid{rows: 3, columns: 12}
	p := eyes(g, r)
	const edge = 4
	for range 50 {
		a, b := p.place(2, 11, r)
		if a/g.columns != b/g.columns {
			t.Fatalf("eyes at %d and %d lie on different rows", a, b)
		}
		x := make([]float32, p.grid.tokens()*p.grid.in)
		p.draw(x, a, b, true, r)
		for i := range edge * edge {
			u, v := x[a*p.grid.in+i], x[b*p.grid.in+i/edge*edge+edge-1-i%edge]
			if u*v < 0 && u*u > 0.04 && v*v > 0.04 {
				t.Fatalf("pixel %d is %v, its mirror image %v", i, u, v)
			}
		}
	}
	var seen [2][marks]int
	for range 60000 {
		together := r.IntN(2)
		_, b := pair(together == 1, r)
		seen[together][b]++
	}
	for k := range marks {
		if d := float64(seen[0][k]) / float64(seen[1][k]); d < 0.9 || d > 1.1 {
			t.Errorf("mark %d is %.2f times as frequent where marks differ", k, d)
		}
	}
}

// Both models have the same number of parameters, and no gradient comes to a token of
// Inception from more than four tokens away, with any weights.
func TestLenses(t *testing.T) {
	g := lensGrid{rows: 4, columns: 12, in: 3}
	r := rand.New(rand.NewPCG(1, 2))
	count := map[string]int{}
	x := make([]float32, g.tokens()*g.in)
	noise(x, r)
	for _, kind := range lensKinds {
		m, err := newLens(kind, g, 2, r)
		if err != nil {
			t.Fatal(err)
		}
		count[kind] = nn.Count(m)
		far := 0.0
		at := 13
		for j, v := range m.receptive(x, at, 2, r) {
			switch d := g.distance(at, j); {
			case d > lensReach:
				far += v
			case v == 0:
				t.Errorf("%s: nothing from a distance of %d", kind, d)
			}
		}
		if (far == 0) != (kind == "inception") {
			t.Errorf("%s: %v from out of the square", kind, far)
		}
	}
	if d := count["attention"] - count["inception"]; 50*max(d, -d) > count["attention"] {
		t.Errorf("parameters %v", count)
	}
}

func TestReadDigits(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(data)
		z.Close()
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	idx := func(values []byte, shape ...uint32) []byte {
		out := []byte{0, 0, 8, byte(len(shape))}
		for _, n := range shape {
			out = binary.BigEndian.AppendUint32(out, n)
		}
		return append(out, values...)
	}
	pixels := make([]byte, 2*28*28)
	pixels[28*28+29] = 255 // of the second digit: row 1, column 1
	images, labels := write("images.gz", idx(pixels, 2, 28, 28)), write("labels.gz", idx([]byte{7, 3}, 2))
	d, err := readDigits(images, labels)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 49*16)
	if class := d.picture(1, x); class != 3 || x[5] < 1 || x[4] > 0 {
		t.Errorf("class %d, pixels %v", class, x[:16])
	}
	if got := centroid(d, d); got != 1 {
		t.Errorf("nearest mean of two digits is right in %v", got)
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("no gzip"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ images, labels, want string }{
		{images, write("a.gz", idx([]byte{7}, 1)), "1 labels for 2 pictures"},
		{images, write("b.gz", idx([]byte{7, 10}, 2)), "label 2 is 10, not a digit"},
		{images, write("c.gz", idx([]byte{7}, 2)), "1 values, want 2"},
		{images, write("d.gz", idx(nil, 0)), "axis 1 of 0"},
		{images, images, "not an idx file of bytes with 1 axes"},
		{write("e.gz", idx(make([]byte, 27*28), 1, 27, 28)), labels, "pictures of 27 x 28 pixels, not 28 x 28"},
		{write("f.gz", idx(nil, 1<<20, 1<<20, 28)), labels, "axis 2 of 1048576"},
		{plain, labels, "not gzip"},
		{filepath.Join(dir, "none"), labels, "no such file"},
	} {
		if _, err := readDigits(tt.images, tt.labels); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
}
