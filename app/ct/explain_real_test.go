package ct

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"heed/format"
	"heed/format/nifti"
	"heed/model/volume"
	"heed/radiomics"
	"heed/train"
)

// planted are copies of one real CT, each with noise, and every second one with a lesion in a lobe.
type planted struct {
	volumes []*format.Volume
}

func (p *planted) Volume(i int) (values []float32, size [3]int, spacing [3]float64, err error) {
	v := p.volumes[i]
	mm := v.Affine.Spacing()
	return v.Data, [3]int{v.Shape[2], v.Shape[1], v.Shape[0]}, [3]float64{mm[2], mm[1], mm[0]}, nil
}

// A consolidation is planted into a lower lobe of a real CT, or none. What is explained must be where the lesion is, in the patient's space, and
// in the lobe of the lesion.
func TestPlantedInRealLungs(t *testing.T) {
	dir := "../../../shared/data/imaging/totalsegmentator"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no real volumes: shared/data/imaging/totalsegmentator is absent")
	}
	if testing.Short() {
		t.Skip("trains a network")
	}
	open := func(name string) *format.Volume {
		im, err := nifti.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return &im.Volume
	}
	ct := open("example_ct_sm.nii.gz")
	seg, err := radiomics.MaskOf(open("example_seg.nii.gz"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := radiomics.Isotropic(ct, 8)
	if err != nil {
		t.Fatal(err)
	}
	ct, seg = radiomics.Resample(ct, g, -1024), radiomics.ResampleMask(seg, g)
	var places [2][]int // voxels of the lower lobes: right, left
	for i, l := range seg.Data {
		if l < 10 || l > 14 { // air outside of the lungs, as heed ct prepare makes it
			ct.Data[i] = -1024
		}
		switch l {
		case 14:
			places[0] = append(places[0], i)
		case 11:
			places[1] = append(places[1], i)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	d := &Dataset{Name: "planted", Classes: [2]string{"healthy", "ill"}, Size: [3]int{ct.Shape[2], ct.Shape[1], ct.Shape[0]}, Spacing: [3]float64{8, 8, 8}, Scaling: Scaling{-1000, 400}}
	store := &planted{}
	var lesion [][3]float64 // in mm
	for i := range 96 {
		v := *ct
		v.Data = append([]float32(nil), ct.Data...)
		side := i / 2 % 2
		at := places[side][r.IntN(len(places[side]))]
		c := [3]int{at % v.Shape[0], at / v.Shape[0] % v.Shape[1], at / v.Shape[0] / v.Shape[1]}
		lesion = append(lesion, v.Affine.Apply([3]float64{float64(c[0]), float64(c[1]), float64(c[2])}))
		for k := range v.Data {
			p := [3]int{k % v.Shape[0], k / v.Shape[0] % v.Shape[1], k / v.Shape[0] / v.Shape[1]}
			dist := math.Sqrt(float64((p[0]-c[0])*(p[0]-c[0]) + (p[1]-c[1])*(p[1]-c[1]) + (p[2]-c[2])*(p[2]-c[2])))
			v.Data[k] += float32(30 * r.NormFloat64())
			if dist < 2.5 && i%2 == 1 {
				v.Data[k] = float32(40 + 30*r.NormFloat64())
			}
		}
		store.volumes = append(store.volumes, &v)
		d.Cases = append(d.Cases, Case{Label: i % 2, Split: [3]string{"train", "valid", "test"}[max(0, i-48)/16]})
	}
	d.store = store
	d.cache.limit = 1 << 28
	cfg := TrainConfig{
		Model: volume.Config{Size: d.Size, Spacing: d.Spacing, Channels: 1, Stem: []int{8, 16, 16}, Mixer: volume.Attention, Layers: 1, Heads: 4, FFN: 32, Position: "sinusoidal", Pooling: "mean", Classes: 2},
		Train: train.Config{Epochs: 6, Batch: 4, Rate: 3e-3, Warmup: 0.1, Decay: 0.01, Seed: 1}, Ensemble: 1, Scaling: d.Scaling, Classes: d.Classes,
	}
	f, err := Fit(context.Background(), cfg, d, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	test := d.Part("test")
	near := map[string]int{}
	faithful := map[string]int{}
	right, lobes := 0, 0
	const explained = 4
	for _, i := range test {
		class, side := d.Cases[i].Label, i/2%2
		if class == 0 || i >= test[0]+2*explained {
			continue
		}
		v, err := viewOf(f, &Picture{Volume: store.volumes[i], Format: "NIfTI-1"})
		if err != nil {
			t.Fatal(err)
		}
		e, err := explainScan(context.Background(), f, v, class, 0)
		if err != nil {
			t.Fatal(err)
		}
		if e.Probability > 0.5 {
			right++
		}
		labels, names, err := lobesOf("", seg, "totalsegmentator")
		if err != nil {
			t.Fatal(err)
		}
		l, err := e.x.explainLobes(context.Background(), seg, labels, names, class)
		if err != nil {
			t.Fatal(err)
		}
		top := 0
		for k, s := range l.Shapley {
			if s > l.Shapley[top] {
				top = k
			}
		}
		if l.Names[top] == [2]string{"right lower lobe", "left lower lobe"}[side] {
			lobes++
		}
		if e.Verdict, err = e.verify(context.Background(), class, 1); err != nil {
			t.Fatal(err)
		}
		for k, m := range e.Maps {
			mm := e.place(m.top())
			if math.Hypot(math.Hypot(mm[0]-lesion[i][0], mm[1]-lesion[i][1]), mm[2]-lesion[i][2]) < 60 {
				near[m.Method.Name]++
			}
			if e.Verdict.Replacements[0].Methods[k].Faithful() {
				faithful[m.Method.Name]++
			}
		}
	}
	t.Logf("validation AUROC %.3f; of %d: right %d; largest Shapley value in the lobe of the lesion %d; strongest cell within 60 mm of it %v; faithful %v",
		f.History[len(f.History)-1].AUROC, explained, right, lobes, near, faithful)
	if right < explained-1 || lobes < explained-1 || near["occlusion"] < explained-1 || faithful["occlusion"] < explained-1 {
		t.Errorf("of %d: right %d, lobes %d, near %v, faithful %v", explained, right, lobes, near, faithful)
	}
}
