package ct

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/checkpoint"
	"heed/format/dicom"
)

// What is planted into the files of a patient, and must be in no output.
const (
	plantedName = "Quimbly^Zephyra"
	plantedID   = "QZ-8675309"
)

var plantedWords = []string{"quimbly", "zephyra", "8675309"}

// A tilt is the orientation of a series, oblique in all three axes: the directions
// along a row and down a column, and the normal, in LPS.
var tilt = [3][3]float64{{0.8, 0.6, 0}, {-0.48, 0.64, 0.6}, {0.36, -0.48, 0.8}}

// makeSeries writes 8 slices of 20 x 24 voxels of 1.5 x 1.5 x 2 mm, the name and the
// number of the patient in them and in the names of the files, and returns where
// voxel (i, j, k) lies, in RAS. A series that is ill has a bright ball.
func makeSeries(t testing.TB, phantom, folder string, seed uint64, ill bool) func(i, j, k int) [3]float64 {
	t.Helper()
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 4))
	first := [3]float64{-12 + float64(seed), 7, -30}
	at := func(column, row, slice int) [3]float64 { // LPS
		var p [3]float64
		for a := range 3 {
			p[a] = first[a] + 1.5*float64(column)*tilt[0][a] + 1.5*float64(row)*tilt[1][a] + 2*float64(slice)*tilt[2][a]
		}
		return p
	}
	for k := range 8 {
		f, err := dicom.Open(phantom)
		if err != nil {
			t.Fatal(err)
		}
		put := func(tag dicom.Tag, v string) {
			e := f.Find(tag)
			if e == nil {
				t.Fatalf("the phantom has no %s", tag)
			}
			if len(v)%2 == 1 {
				v += " "
			}
			e.Value = []byte(v)
		}
		p := at(0, 0, k)
		put(0x00100010, plantedName)
		put(0x00100020, plantedID)
		put(0x00200032, fmt.Sprintf(`%.6f\%.6f\%.6f`, p[0], p[1], p[2]))
		put(0x00200037, fmt.Sprintf(`%v\%v\%v\%v\%v\%v`, tilt[0][0], tilt[0][1], tilt[0][2], tilt[1][0], tilt[1][1], tilt[1][2]))
		put(0x00280030, `1.5\1.5`)
		put(0x00080018, fmt.Sprintf("2.25.7%d%d", seed, k))
		pixels := f.Find(0x7fe00010).Value
		for y := range 24 {
			for x := range 20 {
				v := 50 + r.IntN(100)
				if d := (x-6)*(x-6) + (y-9)*(y-9) + 2*(k-4)*(k-4); ill && d < 20 {
					v += 900
				}
				binary.LittleEndian.PutUint16(pixels[2*(20*y+x):], uint16(v))
			}
		}
		var b bytes.Buffer
		if err := dicom.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		// The order of the names is not that of the slices.
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("Quimbly_Zephyra_%s_%d.dcm", plantedID, k*5%8)), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return func(i, j, k int) [3]float64 {
		p := at(i, 23-j, k) // y grows from the last row to the first
		return [3]float64{-p[0], -p[1], p[2]}
	}
}

// run is a command line of "heed ct"; it returns what the terminal would show.
func run(ctx context.Context, args ...string) (stdout, all string, err error) {
	c := Command("test")
	var out, both bytes.Buffer
	c.SetArgs(args)
	c.SetOut(io.MultiWriter(&out, &both))
	c.SetErr(&both)
	c.SilenceErrors, c.SilenceUsage = true, true
	if err = c.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(&both, "heed: %v\n", err)
		var h interface{ Hint() string }
		if errors.As(err, &h) {
			fmt.Fprintf(&both, "hint: %s\n", h.Hint())
		}
	}
	return out.String(), both.String(), err
}

// leaks lists which planted words a text holds.
func leaks(text []byte) []string {
	var out []string
	lower := bytes.ToLower(text)
	for _, word := range plantedWords {
		if bytes.Contains(lower, []byte(word)) {
			out = append(out, word)
		}
	}
	return out
}

// Series of DICOM go through every command: maps lie where the series lies, and
// neither the name nor the number of the patient, which stand in the files, in their
// names, in the names of their folders and in the manifest, are in any output.
func TestSeriesEndToEnd(t *testing.T) {
	phantom, err := filepath.Abs("../../format/dicom/testdata/phantom.dcm")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	manifest := "path,label,patient,split\n"
	for i := range 12 {
		folder := fmt.Sprintf("scans/Quimbly_Zephyra_%s_%d", plantedID, i)
		makeSeries(t, phantom, folder, uint64(i), i%2 == 1)
		split := [...]string{"train", "train", "train", "train", "valid", "valid", "train", "train", "valid", "valid", "test", "test"}[i]
		manifest += fmt.Sprintf("%s,%s,%s-%d,%s\n", folder, [2]string{"healthy", "ill"}[i%2], plantedID, i, split)
	}
	write(t, "manifest.csv", manifest)
	place := makeSeries(t, phantom, "study", 3, true)
	if n := len(leaks([]byte(manifest))); n != len(plantedWords) {
		t.Fatal("nothing is planted")
	}

	if err := os.Mkdir("out", 0o777); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	out := func(args ...string) string {
		t.Helper()
		stdout, all, err := run(t.Context(), args...)
		if err != nil {
			t.Fatalf("heed ct %s: %v\n%s", strings.Join(args, " "), err, all)
		}
		said[strings.Join(args, " ")] = all
		return stdout
	}
	out("info", "study")
	out("info", "study", "--json")
	out("convert", "study", "-o", "out/ct.nii")
	out("convert", "study", "-o", "out/ct.nrrd")
	out("prepare", "study", "--spacing", "2", "-o", "out/prepared.nii.gz")
	mask, err := Source{}.Open("study")
	if err != nil {
		t.Fatal(err)
	}
	for i := range mask.Data {
		mask.Data[i] = float32(1 + i%5)
	}
	if err := writeVolume("mask.nrrd", mask.Volume); err != nil {
		t.Fatal(err)
	}
	out("stats", "study", "--mask", "mask.nrrd", "--label", "1", "--features")
	out("stats", "study", "--mask", "mask.nrrd", "--json")
	out("deidentify", "study", "-o", "out/clean", "--json")
	out("train", "manifest.csv", "-o", "out/run", "--stem", "4,8", "--blocks", "0", "--layers", "1", "--heads", "2", "--ffn", "8",
		"--epochs", "10", "--batch", "6", "--rate", "1e-2", "--dropout", "0", "--window", "0,1200")
	scores := out("evaluate", "out/run", "manifest.csv", "--split", "valid")
	out("evaluate", "out/run", "manifest.csv", "--json")
	table := out("predict", "out/run", "manifest.csv")
	out("predict", "out/run", "manifest.csv", "--split", "test", "-o", "out/predictions.tsv")
	out("explain", "out/run", "study", "--mask", "mask.nrrd", "--mask-labels", "lungmask", "-o", "out/why")

	if !strings.Contains(scores, "| attention, ") || !strings.Contains(table, "\n12\t") || !strings.Contains(table, "\till\n") {
		t.Errorf("evaluate: %s\npredict: %s", scores, table)
	}
	// The maps lie on the voxels of the series.
	for _, name := range []string{"occlusion", "gradient_input", "gradient_attention", "rollout", "lobes_occlusion", "lobes_shapley"} {
		m, err := Source{}.Open("out/why/" + name + ".nii.gz")
		if err != nil {
			t.Fatal(err)
		}
		if m.Shape != [3]int{20, 24, 8} {
			t.Fatalf("%s: %v voxels", name, m.Shape)
		}
		for _, p := range [][3]int{{0, 0, 0}, {19, 0, 0}, {0, 23, 0}, {0, 0, 7}, {7, 11, 5}} {
			got, want := m.Affine.Apply([3]float64{float64(p[0]), float64(p[1]), float64(p[2])}), place(p[0], p[1], p[2])
			for a := range 3 {
				if math.Abs(got[a]-want[a]) > 1e-3 {
					t.Fatalf("%s: voxel %v lies at %v, want %v", name, p, got, want)
				}
			}
		}
	}

	// Errors.
	fail := func(want string, args ...string) {
		t.Helper()
		_, all, err := run(t.Context(), args...)
		if err == nil || !strings.Contains(all, want) {
			t.Errorf("heed ct %s: %v, want %q", strings.Join(args, " "), err, want)
		}
		said[strings.Join(args, " ")] = all
	}
	broken := filepath.Join("broken", "Quimbly_Zephyra")
	makeSeries(t, phantom, broken, 1, false)
	names, err := os.ReadDir(broken)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(broken, names[2].Name())
	if err := os.Truncate(damaged, 1500); err != nil {
		t.Fatal(err)
	}
	rows := "path,label\nbroken/Quimbly_Zephyra,healthy\n"
	write(t, "damaged.csv", rows)
	write(t, "missing.csv", strings.ReplaceAll(rows, "broken/", "nowhere/"))
	write(t, "shifted.csv", "label,path,split\nstudy,scans,Quimbly\n")
	write(t, "labels.csv", "path,label\nstudy,Quimbly\nstudy,Zephyra\nstudy,a\n")
	write(t, "divided.csv", "path,label,patient,split\nstudy,a,"+plantedID+",train\nstudy,b,"+plantedID+",test\n")
	write(t, "two.csv", "path,label\nscans,a\n")
	fail("damaged.csv:2: the volume (file 3 of 8): offset", "predict", "out/run", "damaged.csv")
	fail("broken (file 3 of 8)", "info", "broken")
	fail("broken (file 3 of 8)", "convert", "broken", "-o", "out/broken.nii")
	fail("broken (file 3 of 8)", "prepare", "broken", "-o", "out/broken.nii")
	fail("broken (file 3 of 8)", "explain", "out/run", "broken", "-o", "out/broken")
	fail("broken", "deidentify", "broken", "-o", "out/broken")
	fail(`labels.csv:2: not supported: the label is neither "healthy" nor "ill"`, "evaluate", "out/run", "labels.csv")
	fail("missing.csv:2: the volume: no such file", "train", "missing.csv", "-o", "out/other")
	fail("shifted.csv:2: invalid: split: want train, valid or test", "train", "shifted.csv", "-o", "out/other")
	fail("labels.csv: not supported: 3 different labels", "train", "labels.csv", "-o", "out/other")
	fail("divided.csv: invalid: a patient has volumes in both", "train", "divided.csv", "-o", "out/other")
	fail("two.csv:2: the volume", "train", "two.csv", "-o", "out/other")

	for command, text := range said {
		if found := leaks([]byte(text)); found != nil {
			t.Errorf("heed ct %s shows %q:\n%s", command, found, text)
		}
	}
	files := 0
	if err := filepath.WalkDir("out", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".nrrd") {
			if at := bytes.Index(b, []byte{0x1f, 0x8b}); at >= 0 {
				z, err := gzip.NewReader(bytes.NewReader(b[at:]))
				if err != nil {
					return err
				}
				plain, err := io.ReadAll(z)
				if err != nil {
					return err
				}
				b = append(b, plain...)
			}
		}
		if found := append(leaks(b), leaks([]byte(path))...); found != nil {
			t.Errorf("%s holds %q", path, found)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if files < 25 {
		t.Errorf("%d files were searched", files)
	}
}

// A watched store calls a function before each volume is read.
type watched struct {
	Store
	before func()
}

func (w *watched) Volume(i int) ([]float32, [3]int, [3]float64, error) {
	w.before()
	return w.Store.Volume(i)
}

// made is a dataset in memory of noise with a bright corner where the label is 1.
func made(n int) *Dataset {
	d := &Dataset{Name: "made", Classes: [2]string{"0", "1"}, Size: [3]int{4, 4, 4}, Spacing: [3]float64{1, 1, 1}, Scaling: Scaling{0, 1}, SHA256: "made"}
	r := rand.New(rand.NewPCG(1, 2))
	var m inMemory
	for i := range n {
		x := make([]float32, 64)
		for k := range x {
			x[k] = r.Float32()
		}
		if i%2 == 1 {
			x[0], x[1], x[4] = 1, 1, 1
		}
		m = append(m, x)
		d.Cases = append(d.Cases, Case{Label: i % 2, Split: [...]string{"train", "train", "train", "valid", "valid", "train"}[i%6]})
	}
	d.store = m
	return d
}

type inMemory [][]float32

func (m inMemory) Volume(i int) ([]float32, [3]int, [3]float64, error) {
	return m[i], [3]int{4, 4, 4}, [3]float64{1, 1, 1}, nil
}

// A run that is cut, between two epochs or within one, of either member of an
// ensemble, and resumed gives the bits of a run that is not.
func TestResumeGivesTheSameBits(t *testing.T) {
	cfg := drawn([3]int{4, 4, 4}, []int{4}, "attention", 2).Config
	cfg.Model.Dropout = 0.2
	cfg.Augment.Flip, cfg.Augment.Shift = [3]bool{true, true, true}, 1
	cfg.Train.Epochs, cfg.Train.Batch, cfg.Train.Leaves, cfg.Train.Rate, cfg.Train.Seed, cfg.Train.Cores = 3, 4, 2, 1e-2, 5, 1
	bits := func(f *Fitted) string {
		var es []checkpoint.Entry
		for m, model := range f.Members {
			es = append(es, memberWeights(m, model)...)
		}
		hash, err := checkpoint.Hash(es)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		fmt.Fprintln(&b, hash)
		for _, e := range f.History {
			fmt.Fprintln(&b, e.Member, e.Epoch, e.Loss, e.AUROC, e.Best)
		}
		return b.String()
	}
	whole, err := Fit(t.Context(), cfg, made(36), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := bits(whole)
	// An epoch reads 24 volumes to train on, in 6 steps, and 12 to validate.
	for _, c := range []struct {
		name  string
		reads []int // after which the run is cut, and cut again
		saved int   // epochs of the state at the last cut
	}{
		{"in the first epoch, of which nothing is saved", []int{10}, 0},
		{"in the second epoch", []int{36 + 13}, 1},
		{"between the second epoch and the third", []int{2 * 36}, 2},
		{"in the third epoch, then the first of the second member", []int{2*36 + 9, 36 + 5}, 3},
		{"in the second member", []int{4*36 + 17}, 4},
		{"after the last epoch", []int{6 * 36}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), stateFile)
			for _, n := range c.reads {
				ctx, cancel := context.WithCancel(t.Context())
				d := made(36)
				d.store = &watched{d.store, func() {
					if n--; n == 0 {
						cancel()
					}
				}}
				_, err := Fit(ctx, cfg, d, state, nil)
				cancel()
				if n > 0 {
					t.Fatalf("%d volumes were never read", n)
				}
				if err != nil && !errors.Is(err, context.Canceled) || err == nil && c.saved < 6 {
					t.Fatalf("the run was not cut: %v", err)
				}
			}
			file, saved, err := loadState(state, &cfg, made(36))
			if err != nil || (file == nil) != (c.saved == 0) || file != nil && len(saved.History) != c.saved {
				t.Fatalf("state %+v, %v, want %d epochs", saved, err, c.saved)
			}
			again, err := Fit(t.Context(), cfg, made(36), state, nil)
			if err != nil {
				t.Fatal(err)
			}
			if bits(again) != want {
				t.Errorf("other bits: history\n%+v, want\n%+v", again.History, whole.History)
			}
		})
	}
}

// Of epochs that tell the classes apart equally well, the one with the better
// probabilities is kept.
func TestTiesGoToBetterProbabilities(t *testing.T) {
	cfg := drawn([3]int{4, 4, 4}, []int{4}, "conv", 1).Config
	cfg.Train.Epochs, cfg.Train.Batch, cfg.Train.Leaves, cfg.Train.Rate, cfg.Train.Seed, cfg.Train.Cores = 12, 4, 2, 1e-2, 5, 1
	f, err := Fit(t.Context(), cfg, made(36), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	most, tied, kept := 0.0, 0, 0
	for _, e := range f.History {
		if e.AUROC == most {
			tied++
			if e.Best {
				kept++
			}
		}
		most = max(most, e.AUROC)
	}
	if tied == 0 || kept == 0 {
		t.Errorf("%d epochs with the best AUROC so far, %d of them kept\n%+v", tied, kept, f.History)
	}
}
