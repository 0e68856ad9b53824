package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/format"
	"heed/format/nifti"
	"heed/radiomics"
)

// realChest returns the lungs of a CT as an anatomy, with air outside of them, in
// voxels of a thirtieth of its width. A site is the centre of a cell that lies in a
// lung as its mirror image does in the other; the crop is placed where most sites
// are.
func realChest(path string) (*anatomy, error) {
	im, err := nifti.Open(path)
	if err != nil {
		return nil, err
	}
	a, err := chestIn(&im.Volume)
	if err != nil {
		return nil, format.InvalidAt(path, 0, "%w", err)
	}
	return a, nil
}

func chestIn(v *format.Volume) (*anatomy, error) {
	v, _, _, err := radiomics.Reorient(v, "RAS")
	if err != nil {
		return nil, err
	}
	mask := cropLungs(v)
	if found, err := radiomics.FindLungs(v); err == nil {
		mask = found.Mask
	}
	g, err := radiomics.Isotropic(v, v.Affine.Spacing()[0]*float64(v.Shape[0])/30)
	if err != nil {
		return nil, err
	}
	return chestOf(radiomics.Resample(v, g, -1024), radiomics.ResampleMask(mask, g))
}

// cropLungs is the mask of a crop from the inside of a chest, where lungs touch all
// borders and cannot be found: what lies below -400 HU, left and right of the
// middle. x grows to the patient's right.
func cropLungs(v *format.Volume) *radiomics.Mask {
	m := radiomics.NewMask(v)
	for i, hu := range v.Data {
		if hu < -400 {
			m.Data[i] = radiomics.LeftLung
			if i%v.Shape[0] >= v.Shape[0]/2 {
				m.Data[i] = radiomics.RightLung
			}
		}
	}
	return m
}

// chestOf cuts the crop of most sites out of a CT, RAS, with a mask of its lungs.
func chestOf(ct *format.Volume, lungs *radiomics.Mask) (*anatomy, error) {
	const c = phantomCell
	a := &anatomy{size: [3]int{5 * c, 4 * c, 7 * c}, cell: c}
	mm := ct.Affine.Spacing()[0]
	a.spacing = [3]float64{mm, mm, mm}
	lung := func(z, y, x int, side uint8) bool {
		return z >= 0 && y >= 0 && x >= 0 && x < ct.Shape[0] && y < ct.Shape[1] && z < ct.Shape[2] && lungs.Data[x+ct.Shape[0]*(y+ct.Shape[1]*z)] == side
	}
	var origin [3]int
	for z := -c; z < ct.Shape[2]; z++ {
		for y := -c; y < ct.Shape[1]; y++ {
			for x := -c; x < ct.Shape[0]; x++ {
				var left, right [][3]int
				for i := range 4 * 3 * 2 {
					l := [3]int{c * (1 + i/6), c * (1 + i/2%3), c * (1 + i%2)}
					r := [3]int{l[0], l[1], a.size[2] - l[2]}
					// x grows to the patient's right, so the left lung comes first.
					if lung(z+l[0], y+l[1], x+l[2], radiomics.LeftLung) && lung(z+r[0], y+r[1], x+r[2], radiomics.RightLung) {
						left, right = append(left, l), append(right, r)
					}
				}
				if len(left) > len(a.left) {
					a.left, a.right, origin = left, right, [3]int{z, y, x}
				}
			}
		}
	}
	if a.twins = twins(a.left, lesions); len(a.twins) < 10 {
		return nil, fmt.Errorf("%d sites in both lungs, which have %d pairs of sets to compare: want 10 pairs", len(a.left), len(a.twins))
	}
	crop := make([]float32, a.voxels())
	inside := make([]bool, a.voxels())
	for i := range crop {
		p := [3]int{origin[0] + i/(a.size[1]*a.size[2]), origin[1] + i/a.size[2]%a.size[1], origin[2] + i%a.size[2]}
		crop[i] = -1024
		if p[0] >= 0 && p[1] >= 0 && p[2] >= 0 && p[0] < ct.Shape[2] && p[1] < ct.Shape[1] && p[2] < ct.Shape[0] {
			at := p[2] + ct.Shape[0]*(p[1]+ct.Shape[1]*p[0])
			if inside[i] = lungs.Data[at] != 0; inside[i] {
				crop[i] = ct.Data[at]
			}
		}
	}
	a.background = func(dst []float32, r *rand.Rand) (moved [3]float64) {
		for i := range moved {
			moved[i] = 1.4*r.Float64() - 0.7
		}
		shift := 40 * (2*r.Float64() - 1) // breath: the density of all lung
		for i, hu := range crop {
			if inside[i] {
				hu += float32(shift)
			}
			dst[i] = float32(math.Max(-1024, float64(hu)+30*r.NormFloat64()))
		}
		return moved
	}
	return a, nil
}
