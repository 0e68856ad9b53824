package dicom

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"heed/format"
)

// A Series is a set of slices that make one volume, or were meant to.
type Series struct {
	Number        int // from 1
	Modality      string
	Syntax        string // name of the transfer syntax
	Slices        int    // after duplicates have been left out
	Rows, Columns int
	// Spacing is the distance in mm between neighbours in a row, in a column and
	// from slice to slice, the median of the last.
	Spacing [3]float64
	// Findings are what a user should know, worst first.
	Findings []Finding

	folder *Folder
	list   []slice // along the normal
}

// A Finding is something unusual about a series. One that is Bad keeps it from
// being stacked.
type Finding struct {
	Kind string // "missing tags", "gap", "duplicate", "tilt", ...
	Bad  bool
	Text string
}

func (s *Series) find(kind string, bad bool, text string, args ...any) {
	s.Findings = append(s.Findings, Finding{kind, bad, fmt.Sprintf(text, args...)})
}

// newSeries orders the slices and looks at them.
func newSeries(f *Folder, number int, list []slice) *Series {
	s := &Series{Number: number, folder: f, list: list}
	first := &list[0]
	s.Modality, s.Syntax = first.modality, first.layout.syntax.name
	s.Rows, s.Columns = first.layout.rows, first.layout.columns
	s.tags()
	if len(first.missing) == 0 {
		s.list = sorted(list)
		s.duplicates()
		s.geometry()
		if s.orderOfNumbers() {
			s.find("order", false, "numbers of the slices (InstanceNumber) do not follow their positions; positions count")
		}
	} else {
		s.Spacing = [3]float64{first.spacing[1], first.spacing[0], 0}
	}
	s.Slices = len(s.list)
	slices.SortStableFunc(s.Findings, func(a, b Finding) int {
		if a.Bad == b.Bad {
			return 0
		}
		if a.Bad {
			return -1
		}
		return 1
	})
	return s
}

// tags looks at what is missing or odd in the headers.
func (s *Series) tags() {
	first := &s.list[0]
	for _, name := range first.missing {
		s.find("missing tags", true, "no %s: place and order of the slices are unknown", name)
	}
	if first.layout.syntax.pixels == "" {
		s.find("syntax", true, "pixels compressed by %s are not decoded", first.layout.syntax.name)
	}
	if first.series == "" {
		s.find("missing tags", false, "no %s", describe(tagSeries))
	}
	switch {
	case s.Modality == "":
		s.find("missing tags", false, "no %s", describe(tagModality))
	case s.Modality != "CT":
		s.find("modality", false, "not a CT: values are not HU")
	}
	counts := make(map[string]int)
	for i := range s.list {
		x := &s.list[i]
		for name, is := range map[string]bool{
			"localizer": x.localizer, "burned": x.burnedIn == "YES", "inverted": x.inverted, "padding": x.layout.hasPadding,
			"rescale": x.rescaleType != "" && x.rescaleType != "HU" && x.modality == "CT",
			"spacing": x.spacing != first.spacing, "slope": x.layout.slope != first.layout.slope || x.layout.intercept != first.layout.intercept,
		} {
			if is {
				counts[name]++
			}
		}
	}
	n := len(s.list)
	for _, x := range []struct {
		name, kind string
		bad        bool
		text       string
	}{
		{"spacing", "spacing", true, "%d of %d slices have another pixel spacing than the first"},
		{"localizer", "localizer", false, "%d of %d images are localizers (scouts)"},
		{"burned", "burned-in", false, "%d of %d images have text burned into their pixels, which may name the patient"},
		{"slope", "rescale", false, "%d of %d slices are rescaled otherwise than the first; each by its own slope and intercept"},
		{"rescale", "rescale", false, "%d of %d slices are CT, but their values are not HU"},
		{"inverted", "inverted", false, "%d of %d images are MONOCHROME1, shown inverted; values are as stored"},
		{"padding", "padding", false, "%d of %d images name a value for pixels outside of the scan; it is kept as it is"},
	} {
		if counts[x.name] > 0 {
			s.find(x.kind, x.bad, x.text, counts[x.name], n)
		}
	}
}

// duplicates leaves out copies of one object, and reports others at one position.
func (s *Series) duplicates() {
	var list []slice
	copies, collisions := 0, 0
	for _, x := range s.list {
		double := false
		for j := len(list) - 1; j >= 0 && x.along-list[j].along < same; j-- {
			double = double || x.sop == list[j].sop && x.sop != "" && x.frame == list[j].frame
		}
		switch {
		case double:
			copies++
			continue
		case len(list) > 0 && x.along-list[len(list)-1].along < same:
			collisions++
		}
		list = append(list, x)
	}
	s.list = list
	if copies > 0 {
		s.find("duplicate", false, "%d files are copies of others; they are left out", copies)
	}
	if collisions > 0 {
		s.find("duplicate", true, "%d slices lie where another one does", collisions)
	}
}

// gapTolerance is the share by which distances between slices may differ.
const gapTolerance = .01

// geometry measures distances and the tilt.
func (s *Series) geometry() {
	first, last := &s.list[0], &s.list[len(s.list)-1]
	s.Spacing = [3]float64{first.spacing[1], first.spacing[0], 0}
	n := len(s.list)
	if n < 2 {
		s.find("single", false, "one slice: its thickness is unknown and taken as 1 mm")
		s.Spacing[2] = 1
		return
	}
	step := s.steps()
	sortedSteps := slices.Clone(step)
	slices.Sort(sortedSteps)
	median := sortedSteps[len(step)/2]
	s.Spacing[2] = median
	gaps, missing, at := 0, 0, 0
	for i, d := range step {
		if math.Abs(d-median) > gapTolerance*median && d >= same {
			if gaps == 0 {
				at = i
			}
			gaps++
			missing += max(int(math.Round(d/median))-1, 0)
		}
	}
	if gaps > 0 {
		s.find("gap", true, "slices are missing or unequal: %d of %d distances differ from %.4g mm, the first after slice %d (%.4g mm); about %d slices are missing",
			gaps, len(step), median, at+1, step[at], missing)
	}
	v := sub(last.position, first.position)
	length := math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2])
	if length > 0 {
		cos := math.Min(1, (last.along-first.along)/length)
		if angle := math.Acos(cos) * 180 / math.Pi; angle > .5 {
			s.find("tilt", false, "slices are sheared by %.2f degrees, as by a tilted gantry; the affine says so, a qform cannot", angle)
		}
	}
}

// steps returns the distances between neighbours along the normal.
func (s *Series) steps() []float64 {
	out := make([]float64, len(s.list)-1)
	for i := range out {
		out[i] = s.list[i+1].along - s.list[i].along
	}
	return out
}

func sub(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

// orderOfNumbers says whether the numbers of the slices neither rise nor fall.
func (s *Series) orderOfNumbers() bool {
	up, down := true, true
	for i := 1; i < len(s.list); i++ {
		a, b := s.list[i-1].instance, s.list[i].instance
		up, down = up && cmp.Compare(a, b) <= 0, down && cmp.Compare(a, b) >= 0
	}
	return !up && !down
}

// Bad returns the first finding that keeps the series from being stacked, nil if
// there is none.
func (s *Series) Bad() *Finding {
	for i := range s.Findings {
		if s.Findings[i].Bad {
			return &s.Findings[i]
		}
	}
	return nil
}

// Load reads the pixels and stacks the slices in the order of their positions:
// stored values times slope plus intercept, HU for a CT. As in the volumes of
// dcm2niix, x grows along a row and y from the last row to the first.
//
// A series with a bad finding is an error of the kind format.ErrInvalid (or
// ErrUnsupported, for a transfer syntax).
func (s *Series) Load() (*format.Volume, error) { return s.load(false) }

// LoadUneven is Load for a series whose slices are missing or unequal: between them,
// values are interpolated linearly at the median distance. What it makes up is no
// measurement.
func (s *Series) LoadUneven() (*format.Volume, error) { return s.load(true) }

func (s *Series) load(uneven bool) (*format.Volume, error) {
	for _, f := range s.Findings {
		switch {
		case !f.Bad || uneven && f.Kind == "gap":
		case f.Kind == "syntax":
			return nil, format.UnsupportedAt(s.folder.Root, 0, "%s", f.Text)
		default:
			return nil, format.InvalidAt(s.folder.Root, 0, "%s", f.Text)
		}
	}
	v := &format.Volume{Shape: [3]int{s.Columns, s.Rows, len(s.list)}, Stored: format.Int16}
	n, err := format.CountVoxels(v.Shape, format.MaxVoxels)
	if err != nil {
		return nil, format.TooLargeAt(s.folder.Root, 0, "%w", err)
	}
	v.Affine = s.affine()
	if err := v.Affine.Check(); err != nil {
		return nil, format.InvalidAt(s.folder.Root, 0, "%w", err)
	}
	v.Data = make([]float32, 0, min(n, 1<<24))
	var file *File
	for i, x := range s.list {
		if file == nil || i > 0 && s.list[i-1].file != x.file {
			if file, err = s.folder.open(x.file); err != nil {
				return nil, err
			}
			if file == nil {
				return nil, format.InvalidAt(s.folder.name(x.file), 0, "file has changed")
			}
		}
		p, err := file.Pixels(x.frame)
		if err != nil {
			return nil, err
		}
		if len(p) != s.Rows*s.Columns {
			return nil, format.InvalidAt(s.folder.name(x.file), 0, "file has changed")
		}
		for y := s.Rows - 1; y >= 0; y-- {
			for _, stored := range p[y*s.Columns : (y+1)*s.Columns] {
				v.Data = append(v.Data, float32(float64(stored)*x.layout.slope+x.layout.intercept))
			}
		}
	}
	if uneven && len(s.list) > 1 {
		return s.even(v)
	}
	return v, nil
}

// affine returns the place of the volume, from the first and the last slice.
func (s *Series) affine() format.Affine {
	first, last := &s.list[0], &s.list[len(s.list)-1]
	o := first.orientation
	row, column := [3]float64{o[0], o[1], o[2]}, [3]float64{o[3], o[4], o[5]}
	step := first.normal()
	if n := len(s.list); n > 1 {
		step = sub(last.position, first.position)
		for i := range step {
			step[i] /= float64(n - 1)
		}
	}
	var a format.Affine // LPS
	origin := first.position
	for i := range 3 {
		row[i] *= first.spacing[1]
		// The last row comes first.
		origin[i] += column[i] * first.spacing[0] * float64(s.Rows-1)
		column[i] *= -first.spacing[0]
	}
	a.SetColumn(0, row)
	a.SetColumn(1, column)
	a.SetColumn(2, step)
	a.SetColumn(3, origin)
	a = a.FlipXY()
	for r := range a {
		for c := range a[r] {
			a[r][c] += 0 // no negative zeros
		}
	}
	return a
}

// even interpolates slices at equal distances.
func (s *Series) even(v *format.Volume) (*format.Volume, error) {
	first, last := s.list[0].along, s.list[len(s.list)-1].along
	step := s.Spacing[2]
	n := int(math.Round((last-first)/step)) + 1
	out := &format.Volume{Shape: [3]int{v.Shape[0], v.Shape[1], n}, Affine: v.Affine, Stored: v.Stored}
	if _, err := format.CountVoxels(out.Shape, format.MaxVoxels); err != nil {
		return nil, format.TooLargeAt(s.folder.Root, 0, "%w", err)
	}
	step = (last - first) / float64(n-1)
	for r := range out.Affine {
		out.Affine[r][2] *= float64(len(s.list)-1) / float64(n-1)
	}
	area := v.Shape[0] * v.Shape[1]
	out.Data = make([]float32, area*n)
	below := 0
	for z := range n {
		at := first + float64(z)*step
		for below+2 < len(s.list) && s.list[below+1].along <= at {
			below++
		}
		a, b := s.list[below].along, s.list[below+1].along
		w := float32(math.Max(0, math.Min(1, (at-a)/(b-a))))
		if w < 1e-6 { // no rounding where a slice is
			w = 0
		} else if w > 1-1e-6 {
			w = 1
		}
		lower, upper := v.Data[below*area:(below+1)*area], v.Data[(below+1)*area:(below+2)*area]
		to := out.Data[z*area : (z+1)*area]
		for i := range to {
			to[i] = lower[i]*(1-w) + upper[i]*w
		}
	}
	return out, nil
}
