package bgzf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"heed/format"
)

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func compress(t *testing.T, data []byte, cut int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for len(data) > 0 {
		n := min(cut, len(data))
		if m, err := w.Write(data[:n]); m != n || err != nil {
			t.Fatal(m, err)
		}
		data = data[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What was written is read back by a reader of gzip, and the blocks say how
// long they are.
func TestRoundTrip(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "one": {7}, "text": bytes.Repeat([]byte("chr1\t10\t20\t0.5\n"), 30000), "noise": noise(200_000),
		"full": noise(blockSize), "full and one": noise(blockSize + 1),
	} {
		z := compress(t, data, 1<<20)
		if !bytes.Equal(z, compress(t, data, 1000)) {
			t.Errorf("%s: the cuts between writes matter", name)
		}
		r, err := format.NewReader(name, bytes.NewReader(z))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(data), err)
		}
		blocks := 0
		for rest := z; len(rest) > 0; blocks++ {
			if len(rest) < headerSize || !bytes.Equal(rest[:headerSize-2], header[:headerSize-2]) {
				t.Fatalf("%s: block %d has no header", name, blocks)
			}
			size := 1 + int(binary.LittleEndian.Uint16(rest[headerSize-2:]))
			if size == len(rest) && !bytes.Equal(rest, end) {
				t.Errorf("%s: ends with %x", name, rest)
			}
			rest = rest[size:]
		}
		if want := (len(data)+blockSize-1)/blockSize + 1; blocks != want {
			t.Errorf("%s: %d blocks, want %d", name, blocks, want)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestErrors(t *testing.T) {
	w := NewWriter(broken{})
	if _, err := w.Write(noise(3 * blockSize)); err == nil || err.Error() != "full" {
		t.Errorf("Write: %v", err)
	}
	if err := w.Close(); err == nil || err.Error() != "full" {
		t.Errorf("Close: %v", err)
	}
	w = NewWriter(io.Discard)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.Write(noise(2 * blockSize)); err == nil || err.Error() != "bgzf: write after close" {
		t.Errorf("after Close: %v", err)
	}
}

// A program of others agrees, if it is here.
func TestGzip(t *testing.T) {
	path, err := exec.LookPath("gzip")
	if err != nil {
		t.Skip("no gzip here")
	}
	file := filepath.Join(t.TempDir(), "x.gz")
	if err := os.WriteFile(file, compress(t, noise(100_000), 1<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "-t", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func ExampleWriter() {
	var out bytes.Buffer
	w := NewWriter(&out)
	fmt.Fprintln(w, "chr1\t0\t10\t0.5")
	fmt.Println(w.Close())
	r, err := format.NewReader("x.bedgraph.gz", &out)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(r)
	fmt.Printf("%q %v\n", text, err)
	// Output:
	// <nil>
	// "chr1\t0\t10\t0.5\n" <nil>
}
