// Command memory measures what heed protein contacts holds at its largest: it
// writes a model of the shape of ESM-2 with random weights and a random sequence,
// runs the command, and compares the peak of its resident memory with the size of
// the weights and with the plan that the command printed.
//
//	go build -o heed ./cmd/heed && go run ./bench/memory -heed ./heed
//
// The sizes default to those of ESM-2 650M and 1,000 residues. With -rows, the model
// is an MSA Transformer and the input an alignment:
//
//	go run ./bench/memory -heed ./heed -rows 256 -length 255 -layers 12 -dim 768 -heads 12 -ffn 3072
//
// Memory does not depend on the values of the weights.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format"
	"heed/model/esm"
	"heed/tensor"
)

func main() {
	log.SetFlags(0)
	c := esm.Config{TokenDropout: true, Contacts: true}
	flag.IntVar(&c.Layers, "layers", 33, "layers")
	flag.IntVar(&c.Dim, "dim", 1280, "width of the model")
	flag.IntVar(&c.Heads, "heads", 20, "heads of a layer")
	flag.IntVar(&c.FFN, "ffn", 5120, "width of the feed-forward layers")
	length := flag.Int("length", 1000, "residues")
	rows := flag.Int("rows", 0, "rows of an alignment; 0 for ESM-2")
	heed := flag.String("heed", "./heed", "the program to measure")
	threads := flag.String("threads", "2", "cores that it uses")
	limit := flag.String("mem-limit", "", "its --mem-limit")
	folder := flag.String("folder", os.TempDir(), "where the model is written, which is removed afterwards")
	flag.Parse()
	if err := run(c, *length, *rows, *heed, *threads, *limit, *folder); err != nil {
		log.Fatal(err)
	}
}

func run(c esm.Config, length, rows int, heed, threads, limit, folder string) error {
	if err := c.Validate(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(folder, "heed-memory-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	model, fasta := filepath.Join(dir, "random.safetensors"), filepath.Join(dir, "random.fasta")
	weights := 4 * c.Parameters()
	architecture, config := esm.Architecture, any(c)
	shapes := func(f func(name string, shape ...int)) { esm.Shapes(c, f) }
	if rows > 0 {
		m := esm.MSAConfig{Layers: c.Layers, Dim: c.Dim, Heads: c.Heads, FFN: c.FFN, MaxColumns: 1024, MaxRows: 1024, RowWidth: c.Dim, Contacts: true}
		weights, architecture, config = 4*m.Parameters(), esm.ArchitectureMSA, m
		shapes = func(f func(name string, shape ...int)) { esm.ShapesMSA(m, f) }
	}
	if err := format.WriteFile(model, func(w io.Writer) error { return write(w, architecture, config, shapes) }); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 2))
	var text []byte
	for k := range max(1, rows) {
		seq := make([]byte, length)
		for i := range seq {
			seq[i] = "ACDEFGHIKLMNPQRSTVWY"[r.IntN(20)]
		}
		text = fmt.Appendf(text, ">random%d\n%s\n", k, seq)
	}
	if err := os.WriteFile(fasta, text, 0o666); err != nil {
		return err
	}
	args := []string{"protein", "contacts", model, fasta, "--threads", threads, "--pairs", "0.1"}
	if rows > 0 {
		args = append(args, "--rows", fmt.Sprint(rows))
	}
	if limit != "" {
		args = append(args, "--mem-limit", limit)
	}
	cmd := exec.Command(heed, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, said.String())
	}
	took := time.Since(start)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return fmt.Errorf("this system does not say how much memory a process had")
	}
	peak := usage.Maxrss * 1024 // Linux counts kilobytes
	fmt.Print(strings.ReplaceAll(said.String(), dir+string(filepath.Separator), ""))
	fmt.Printf("layers %d, width %d, heads %d, %d rows, %d residues, %s threads\n", c.Layers, c.Dim, c.Heads, max(1, rows), length, threads)
	fmt.Printf("weights           %8.1f MB\n", float64(weights)/1e6)
	fmt.Printf("peak resident set %8.1f MB\n", float64(peak)/1e6)
	fmt.Printf("beyond weights    %8.1f MB\n", float64(peak-weights)/1e6)
	fmt.Printf("maps of all heads %8.1f MB, were they stacked\n", 4*float64(c.Layers*c.Heads)*float64(length)*float64(length)/1e6)
	fmt.Printf("took              %8.1f s, reading the weights included\n", took.Seconds())
	return nil
}

// write writes a model without holding it: the values of all arrays are those of
// one block.
func write(w io.Writer, architecture string, c any, shapes func(func(name string, shape ...int))) error {
	config, err := json.Marshal(c)
	if err != nil {
		return err
	}
	meta, err := (&checkpoint.Info{Version: checkpoint.Version, Architecture: architecture, Config: config}).Meta()
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(3, 4))
	block := make([]float32, 1<<20)
	for i := range block {
		block[i] = float32(r.NormFloat64()) * 0.05
	}
	header := map[string]any{"__metadata__": meta}
	type array struct {
		name string
		size int
	}
	var arrays []array
	at := 0
	shapes(func(name string, shape ...int) {
		n := tensor.Size(shape)
		header[name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int{4 * at, 4 * (at + n)}}
		arrays = append(arrays, array{name, n})
		at += n
	})
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	text = append(text, bytes.Repeat([]byte(" "), (8-len(text)%8)%8)...)
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)); err != nil {
		return err
	}
	raw := make([]byte, 0, 4*len(block))
	for _, a := range arrays {
		values := block
		if strings.HasSuffix(a.name, ".rotary") {
			values = autograd.RotaryFrequencies(2*a.size, 10000)
		}
		raw = raw[:0]
		for _, v := range values {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		for left := 4 * a.size; left > 0; {
			n := min(left, len(raw))
			if _, err := w.Write(raw[:n]); err != nil {
				return err
			}
			left -= n
		}
	}
	return nil
}
