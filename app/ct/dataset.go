package ct

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"heed/data"
	"heed/format"
	"heed/format/npy"
	"heed/internal/cli"
)

// A Store reads volumes one by one; each read may take the time of a disk.
type Store interface {
	// Volume returns volume i as values of shape size (depth, height, width), x the
	// fastest, and the spacing in that order, NaN if the file has none.
	Volume(i int) (values []float32, size [3]int, spacing [3]float64, err error)
}

// A Case is one volume of a dataset and what is known of it.
type Case struct {
	Name    string // of the case in tables: its number in the manifest, from 1, or "train 12"; never a path, which often is that of a patient
	Label   int    // 0 or 1; -1 if unknown
	Patient string // cases of one patient are never divided; empty: a patient of its own
	Split   string // "train", "valid", "test", or empty
}

// A Scaling takes stored values to [0, 1]: Low becomes 0 and High 1, and what lies
// beyond is cut off. Nothing is scaled by what a volume itself holds, so volumes
// stay comparable.
type Scaling struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// A Dataset is labelled volumes of one size. Volumes are read when they are
// needed, and a bounded number of bytes is kept.
type Dataset struct {
	Name    string
	Cases   []Case
	Classes [2]string // names of class 0 and 1
	Size    [3]int    // depth, height, width
	Spacing [3]float64
	Scaling Scaling
	SHA256  string // of volumes, labels, patients and splits, as stored

	store Store
	cache cache
}

// DatasetConfig says how to read a dataset. Zero fields take what the files say.
type DatasetConfig struct {
	Size     [3]int     // cut or filled around the centre to this size
	Spacing  [3]float64 // mm, where files have none; default 1
	Scaling  Scaling    // default: 0 to 255 for npz of bytes, HU -1000 to 400 otherwise
	Positive string     // name of the class that is 1; default the second in order
	Classes  [2]string  // names of both, where they are known: no other label may be there
	CacheMiB int        // of volumes kept in memory; default 512
}

// OpenDataset reads a .npz archive after MedMNIST (arrays train_images,
// train_labels, and so on for val and test) or a manifest: a CSV or TSV with the
// columns path, label, patient (may be missing) and split (may be missing). Every
// volume is read once and checked.
func OpenDataset(path string, cfg DatasetConfig) (*Dataset, error) {
	d := &Dataset{Name: path, Size: cfg.Size, Spacing: cfg.Spacing, Scaling: cfg.Scaling}
	var err error
	if strings.HasSuffix(path, ".npz") {
		err = d.openArchive(path)
	} else {
		err = d.openManifest(path, cfg.Positive, cfg.Classes)
	}
	if err != nil {
		return nil, err
	}
	if d.Scaling == (Scaling{}) {
		d.Scaling = Scaling{-1000, 400}
	}
	mib := cfg.CacheMiB
	if mib == 0 {
		mib = 512
	}
	d.cache.limit = int64(mib) << 20
	return d, d.check()
}

// check reads every volume once: its size, its values and its hash.
func (d *Dataset) check() error {
	h := sha256.New()
	patients := map[string]string{}
	for i, c := range d.Cases {
		if c.Patient != "" && c.Split != "" {
			if s, ok := patients[c.Patient]; ok && s != c.Split {
				return format.Invalidf(d.Name, 0, "a patient has volumes in both %s and %s (case %d): a split must not divide patients", s, c.Split, i+1)
			}
			patients[c.Patient] = c.Split
		}
		values, size, spacing, err := d.store.Volume(i)
		if err != nil {
			return err
		}
		for a := range 3 {
			if math.IsNaN(spacing[a]) {
				spacing[a] = d.Spacing[a]
				if spacing[a] == 0 {
					spacing[a] = 1
				}
			}
		}
		if i == 0 {
			if d.Size == [3]int{} {
				d.Size = size
			}
			d.Spacing = spacing
		}
		for a := range 3 {
			if math.Abs(spacing[a]-d.Spacing[a]) > 0.01*d.Spacing[a] {
				return cli.Hint(format.Unsupportedf(d.Name, 0, "case %d has a spacing of %.4g mm, the first one %.4g", i+1, spacing, d.Spacing),
					"heed ct prepare resamples volumes to one spacing")
			}
		}
		for at, v := range values {
			if v-v != 0 {
				return format.Invalidf(d.Name, 0, "case %d: voxel %d is not finite", i+1, at)
			}
		}
		fmt.Fprintf(h, "%d %q %q %v %v\n", c.Label, c.Patient, c.Split, size, spacing)
		hashFloats(h, values)
	}
	d.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

func hashFloats(h hash.Hash, x []float32) {
	buf := make([]byte, 0, 1<<14)
	for len(x) > 0 {
		n := min(len(x), 1<<12)
		buf = buf[:0]
		for _, v := range x[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		h.Write(buf)
		x = x[n:]
	}
}

// Volume writes the scaled voxels of case i, cut or filled to the size of the
// dataset, to dst.
func (d *Dataset) Volume(dst []float32, i int) error {
	if v := d.cache.get(i); v != nil {
		copy(dst, v)
		return nil
	}
	values, size, _, err := d.store.Volume(i)
	if err != nil {
		return err
	}
	clear(dst)
	factor := float32(1 / (d.Scaling.High - d.Scaling.Low))
	var from, to, n [3]int // centre on centre
	for a := range 3 {
		n[a] = min(size[a], d.Size[a])
		from[a], to[a] = (size[a]-n[a])/2, (d.Size[a]-n[a])/2
	}
	for z := range n[0] {
		for y := range n[1] {
			src := values[((from[0]+z)*size[1]+from[1]+y)*size[2]+from[2]:][:n[2]]
			out := dst[((to[0]+z)*d.Size[1]+to[1]+y)*d.Size[2]+to[2]:]
			for x, v := range src {
				out[x] = min(max((v-float32(d.Scaling.Low))*factor, 0), 1)
			}
		}
	}
	d.cache.put(i, dst)
	return nil
}

// Voxels is the number of values of a volume.
func (d *Dataset) Voxels() int { return d.Size[0] * d.Size[1] * d.Size[2] }

// Part returns the cases of one part, in their order.
func (d *Dataset) Part(split string) []int {
	var idx []int
	for i, c := range d.Cases {
		if c.Split == split || split == "all" {
			idx = append(idx, i)
		}
	}
	return idx
}

// Divide gives cases without a split one, by patients: shares valid and test of
// each class, drawn from the seed. With any split in the file it does nothing.
func (d *Dataset) Divide(valid, test float64, seed uint64) error {
	labels, clusters := make([]int, len(d.Cases)), make([]int, len(d.Cases))
	ids := map[string]int{}
	for i, c := range d.Cases {
		if c.Split != "" {
			return nil
		}
		labels[i], clusters[i] = c.Label, -1-i
		if c.Patient != "" {
			if _, ok := ids[c.Patient]; !ok {
				ids[c.Patient] = i
			}
			clusters[i] = ids[c.Patient]
		}
	}
	parts, err := data.ClusteredHoldout(labels, clusters, valid, test, rand.New(rand.NewPCG(seed, 0x73706c6974)))
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	for name, idx := range map[string][]int{"train": parts.Train, "valid": parts.Valid, "test": parts.Test} {
		for _, i := range idx {
			d.Cases[i].Split = name
		}
	}
	return nil
}

// Labels returns the labels of some cases; it is an error if one has none.
func (d *Dataset) Labels(idx []int) ([]bool, error) {
	y := make([]bool, len(idx))
	for k, i := range idx {
		if d.Cases[i].Label < 0 {
			return nil, fmt.Errorf("%s: case %d has no label", d.Name, i+1)
		}
		y[k] = d.Cases[i].Label == 1
	}
	return y, nil
}

// A cache keeps volumes up to a limit of bytes; the oldest go first.
type cache struct {
	mu      sync.Mutex
	limit   int64
	bytes   int64
	volumes map[int][]float32
	order   []int
}

func (c *cache) get(i int) []float32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.volumes[i]
}

func (c *cache) put(i int, v []float32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := 4 * int64(len(v))
	if c.volumes[i] != nil || size > c.limit {
		return
	}
	for c.bytes+size > c.limit {
		c.bytes -= 4 * int64(len(c.volumes[c.order[0]]))
		delete(c.volumes, c.order[0])
		c.order = c.order[1:]
	}
	if c.volumes == nil {
		c.volumes = map[int][]float32{}
	}
	c.volumes[i] = slices.Clone(v)
	c.order = append(c.order, i)
	c.bytes += size
}

// archive is the arrays of a .npz file in the types that it has.
type archive struct {
	parts []npy.Array // (n, D, H, W)
	first []int       // of each part
}

func (d *Dataset) openArchive(path string) error {
	f, err := npy.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := &archive{}
	d.Classes = [2]string{"0", "1"}
	names := f.Names()
	for _, part := range [][2]string{{"train", "train"}, {"val", "valid"}, {"test", "test"}} {
		if !slices.Contains(names, part[0]+"_images") {
			continue
		}
		images, err := f.Read(part[0] + "_images")
		if err != nil {
			return err
		}
		where := fmt.Sprintf("%s(%s_images.npy)", path, part[0])
		if len(images.Shape) != 4 {
			return format.Unsupportedf(where, 0, "shape %v: want (cases, depth, height, width)", images.Shape)
		}
		if len(s.parts) > 0 && !slices.Equal(images.Shape[1:], s.parts[0].Shape[1:]) {
			return format.Invalidf(where, 0, "volumes of %v, those before have %v", images.Shape[1:], s.parts[0].Shape[1:])
		}
		labels := slices.Repeat([]int{-1}, images.Shape[0])
		if slices.Contains(names, part[0]+"_labels") {
			a, err := f.Read(part[0] + "_labels")
			if err != nil {
				return err
			}
			where := fmt.Sprintf("%s(%s_labels.npy)", path, part[0])
			if labels, err = a.Ints(); err != nil {
				return format.Invalidf(where, 0, "%v", err)
			}
			if len(labels) != images.Shape[0] {
				return format.Invalidf(where, 0, "%d labels of %d volumes", len(labels), images.Shape[0])
			}
			for i, l := range labels {
				if l != 0 && l != 1 {
					return format.Unsupportedf(where, 0, "label %d of case %d: want 0 or 1", l, i)
				}
			}
		}
		s.first = append(s.first, len(d.Cases))
		s.parts = append(s.parts, images)
		for i, l := range labels {
			d.Cases = append(d.Cases, Case{Name: fmt.Sprintf("%s %d", part[0], i), Label: l, Split: part[1]})
		}
		if _, bytes := images.Data.([]uint8); bytes && d.Scaling == (Scaling{}) {
			d.Scaling = Scaling{0, 255}
		}
	}
	if len(d.Cases) == 0 {
		return format.Invalidf(path, 0, "no volumes: want arrays train_images, val_images or test_images")
	}
	d.store = s
	return nil
}

func (s *archive) Volume(i int) (values []float32, size [3]int, spacing [3]float64, err error) {
	p := len(s.first) - 1
	for s.first[p] > i {
		p--
	}
	a := s.parts[p]
	size = [3]int(a.Shape[1:])
	n := size[0] * size[1] * size[2]
	lo := (i - s.first[p]) * n
	one := npy.Array{Shape: a.Shape[1:]}
	switch x := a.Data.(type) { // without a copy of the whole
	case []uint8:
		one.Data = x[lo : lo+n]
	case []float32:
		one.Data = x[lo : lo+n]
	case []int16:
		one.Data = x[lo : lo+n]
	default:
		one.Data = npy.Array{Shape: a.Shape, Data: a.Data}.Float32s()[lo : lo+n]
	}
	nan := math.NaN()
	return one.Float32s(), size, [3]float64{nan, nan, nan}, nil
}

// files are volumes of their own. Errors name the line of the manifest and no
// path, which is often that of a patient.
type files struct {
	manifest string
	paths    []string
	lines    []int // of the manifest
}

func (s *files) Volume(i int) (values []float32, size [3]int, spacing [3]float64, err error) {
	v, err := openSound(s.paths[i])
	if err != nil {
		return nil, size, spacing, s.place(i, err)
	}
	for a := range 3 {
		size[a] = v.Shape[2-a]
	}
	mm := v.Affine.Spacing()
	if v.Format == "NumPy" {
		mm = [3]float64{math.NaN(), math.NaN(), math.NaN()}
	}
	return v.Data, size, [3]float64{mm[2], mm[1], mm[0]}, nil
}

// place puts the line of the manifest where an error has the path of a file.
func (s *files) place(i int, err error) error {
	reason, hint := err, ""
	var h *cli.HintedError
	if errors.As(err, &h) {
		reason, hint = h.Err, h.Text
	}
	what := "the volume"
	var e *format.Error
	var p *fs.PathError
	if errors.As(reason, &e) {
		if which, ok := strings.CutPrefix(e.Name, s.paths[i]); ok { // " (file 3 of 20)" of a folder of DICOM
			what += which
		}
		reason = &format.Error{Name: what, Line: e.Line, Offset: e.Offset, Err: e.Err}
	} else if errors.As(reason, &p) {
		reason = fmt.Errorf("%s: %w", what, p.Err)
	}
	reason = &format.Error{Name: s.manifest, Line: s.lines[i], Err: reason}
	if hint != "" {
		return cli.Hint(reason, hint)
	}
	return reason
}

// openSound reads a volume of any format that heed ct info knows, a folder of
// DICOM among them. What keeps it from being measured is an error.
func openSound(path string) (*Picture, error) {
	p, err := Source{}.Open(path)
	if err != nil {
		return nil, err
	}
	for _, f := range p.Findings {
		if f.Bad {
			return nil, cli.Hint(format.InvalidAt(path, 0, "%s", f.Text), "heed ct info shows what is wrong")
		}
	}
	return p, nil
}
