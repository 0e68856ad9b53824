package dicom

import (
	"fmt"
	"math"

	"heed/format"
)

// A slice is what is known of one frame before its pixels are read.
type slice struct {
	file, frame int // of the folder, of the file
	layout      layout
	// In mm, LPS: centre of the first pixel; directions of a row and of a column;
	// distances between rows and between columns.
	position    [3]float64
	orientation [6]float64
	spacing     [2]float64
	missing     []string // attributes without which there is no geometry

	study, series, frameOfReference, sop string
	acquisition, instance                int
	modality, class, burnedIn            string
	rescaleType                          string
	localizer, inverted                  bool
	along                                float64 // position along the normal
}

func (s *slice) normal() [3]float64 {
	o := s.orientation
	return [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
}

// slices returns the frames of a file. One without pixels has none.
func (f *File) slices(file int) ([]slice, error) {
	if f.Find(tagPixels) == nil && f.Find(tagFloatPixels) == nil && f.Find(tagDoublePixels) == nil {
		return nil, nil
	}
	l, err := f.layout()
	if err != nil {
		return nil, err
	}
	common := slice{file: file, layout: l, study: f.Text(tagStudy), series: f.Text(tagSeries), frameOfReference: f.Text(tagFrameOfReference),
		sop: f.Text(tagSOPInstance), modality: f.Text(tagModality), class: f.Text(tagSOPClass), burnedIn: f.Text(tagBurnedIn),
		rescaleType: f.Text(tagRescaleType), inverted: f.Text(tagPhotometric) == "MONOCHROME1"}
	for _, t := range splitValues(f.Text(tagImageType)) {
		common.localizer = common.localizer || t == "LOCALIZER"
	}
	// Numbers without which a slice can be placed: a bad one is as one absent.
	common.acquisition, _ = f.integer(tagAcquisition, 0)
	common.instance, _ = f.integer(tagInstance, 0)
	padding, err := f.Numbers(tagPadding)
	if err == nil && len(padding) == 1 {
		common.layout.padding, common.layout.hasPadding = padding[0], true
	}
	var perFrame []*Dataset
	if e := f.Find(tagPerFrame); e != nil {
		perFrame = e.Items
	}
	out := make([]slice, l.frames)
	for i := range out {
		s := common
		s.frame = i
		var own *Dataset
		if i < len(perFrame) {
			own = perFrame[i]
		}
		if err := s.place(f, own); err != nil {
			return nil, format.InvalidAt(f.Name, 0, "%w", err)
		}
		out[i] = s
	}
	return out, nil
}

// place reads geometry and rescaling from the data set itself or, in enhanced
// multi-frame objects, from the groups of the frame or those that all share.
func (s *slice) place(f *File, own *Dataset) error {
	shared := f.item(tagShared)
	find := func(group, tag Tag, n int) ([]float64, error) {
		for _, d := range []*Dataset{own.item(group), shared.item(group), &f.Dataset} {
			if d == nil {
				continue
			}
			if v, err := d.vector(tag, n); v != nil || err != nil {
				return v, err
			}
		}
		return nil, nil
	}
	for _, x := range []struct {
		group, tag Tag
		to         []float64
	}{
		{tagPositionSequence, tagPosition, s.position[:]},
		{tagOrientSequence, tagOrientation, s.orientation[:]},
		{tagMeasuresSequence, tagPixelSpacing, s.spacing[:]},
	} {
		v, err := find(x.group, x.tag, len(x.to))
		if err != nil {
			return err
		}
		if v == nil {
			s.missing = append(s.missing, describe(x.tag))
		}
		copy(x.to, v)
	}
	for i, x := range s.spacing {
		if !(x > 0) && len(s.missing) == 0 {
			return fmt.Errorf("%s: value %d is %v, want a positive number of mm", describe(tagPixelSpacing), i+1, x)
		}
	}
	s.layout.slope, s.layout.intercept = 1, 0
	for _, x := range []struct {
		tag Tag
		to  *float64
	}{{tagSlope, &s.layout.slope}, {tagIntercept, &s.layout.intercept}} {
		v, err := find(tagTransformSequence, x.tag, 1)
		if err != nil {
			return err
		}
		if v != nil {
			*x.to = v[0]
		}
	}
	if s.layout.slope == 0 {
		return fmt.Errorf("%s is 0", describe(tagSlope))
	}
	if len(s.missing) > 0 {
		return nil
	}
	o := s.orientation
	r, c := math.Hypot(math.Hypot(o[0], o[1]), o[2]), math.Hypot(math.Hypot(o[3], o[4]), o[5])
	if dot := o[0]*o[3] + o[1]*o[4] + o[2]*o[5]; math.Abs(r-1) > 1e-2 || math.Abs(c-1) > 1e-2 || math.Abs(dot) > 1e-2 {
		return fmt.Errorf("%s: no two directions at a right angle", describe(tagOrientation))
	}
	n := s.normal()
	s.along = s.position[0]*n[0] + s.position[1]*n[1] + s.position[2]*n[2]
	return nil
}

func splitValues(s string) []string {
	var out []string
	start := 0
	for i := range s {
		if s[i] == '\\' {
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}
