package dna

import (
	"fmt"
	"io"
	"math"
	"slices"

	"heed/format/bed"
)

// A region is calls on one strand whose windows overlap.
type region struct {
	from, to int
	position int // of the best window
	best     float32
	track    *track
	minus    bool // the strand of the best window
	windows  int
}

// regions calls f with the regions of a sequence on some tracks, in the order of
// their starts. It holds those that a region still open began before.
func (s *Scan) regions(sequence int, tracks []track, threshold float64, f func(region) error) error {
	open := make([]*region, len(tracks))
	var closed []region
	limit := float32(threshold) // as the scores are rounded
	flush := func() error {
		for len(closed) > 0 {
			r := closed[0]
			if slices.ContainsFunc(open, func(o *region) bool { return o != nil && before(o, &r) }) {
				return nil
			}
			closed = closed[1:]
			if err := f(r); err != nil {
				return err
			}
		}
		return nil
	}
	end := func(i int) error {
		r := *open[i]
		open[i] = nil
		at, _ := slices.BinarySearchFunc(closed, r, func(a, b region) int {
			if before(&a, &b) {
				return -1
			}
			return 1
		})
		closed = slices.Insert(closed, at, r)
		return flush()
	}
	err := s.each(sequence, func(start int, values []float32) error {
		for i := range tracks {
			t := &tracks[i]
			if o := open[i]; o != nil && start >= o.to {
				if err := end(i); err != nil {
					return err
				}
			}
			v := t.of(values)
			if !(v.value >= limit) { // NaN neither
				continue
			}
			if open[i] == nil {
				open[i] = &region{from: start, best: -1, track: t}
			}
			o := open[i]
			o.to = start + s.Config.Window
			o.windows++
			if v.value > o.best {
				o.best, o.minus, o.position = v.value, v.minus, s.position(start, v.minus)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range open {
		if open[i] != nil {
			if err := end(i); err != nil {
				return err
			}
		}
	}
	return flush()
}

// before is the order of regions: by start, then strand.
func before(a, b *region) bool {
	if a.from != b.from {
		return a.from < b.from
	}
	return !a.track.minus && b.track.minus
}

// writeCalls writes the regions of calls as BED.
func (s *Scan) writeCalls(w io.Writer) error {
	_, err := fmt.Fprintf(w, "# %s\n# regions of overlapping windows with %v or more; score: 1000 times the greatest; thick: the position of that window\n",
		s.about(nil), s.Config.Threshold)
	if err != nil {
		return err
	}
	tracks := s.tracks(false)
	n := 0
	for sequence, chrom := range s.tiles.names {
		err := s.regions(sequence, tracks, s.Config.Threshold, func(r region) error {
			n++
			return bed.Write(w, bed.Record{
				Chrom: chrom, Start: r.from, End: r.to, Fields: 8,
				Name: fmt.Sprintf("%s_%d", s.Config.Class, n), Score: math.Round(1000 * float64(r.best)),
				Strand:     r.track.strand(score{minus: r.minus}),
				ThickStart: r.position, ThickEnd: r.position + 1,
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A Density is how many regions of calls a threshold leaves.
type Density struct {
	Threshold       float64
	Calls, Shuffled int     // in the genome and in its control
	PerMb, Floor    float64 // for a million letters of scored windows; both strands count
}

// Densities counts regions at the threshold of the scan and at some others,
// ascending.
func (s *Scan) Densities() ([]Density, error) {
	thresholds := []float64{0.5, 0.9, 0.99, 0.999, s.Config.Threshold}
	slices.Sort(thresholds)
	thresholds = slices.Compact(thresholds)
	unknown, err := s.Unknown()
	if err != nil {
		return nil, err
	}
	letters := 0
	for _, n := range s.tiles.lengths {
		letters += n
	}
	mb := float64(min(letters, (s.Total()-unknown)*s.Config.Step)) / 1e6
	var out []Density
	for _, threshold := range thresholds {
		d := Density{Threshold: threshold}
		for i, count := range []*int{&d.Calls, &d.Shuffled} {
			if i == 1 && !s.Config.Control {
				break
			}
			tracks := s.tracks(i == 1)
			for sequence := range s.tiles.names {
				if err := s.regions(sequence, tracks, threshold, func(region) error { *count++; return nil }); err != nil {
					return nil, err
				}
			}
		}
		if mb > 0 {
			d.PerMb, d.Floor = float64(d.Calls)/mb, float64(d.Shuffled)/mb
		}
		out = append(out, d)
	}
	return out, nil
}

// WriteDensities writes a table of densities.
func WriteDensities(w io.Writer, ds []Density, control bool) error {
	header := "threshold\tcalls\tcalls_per_mb"
	if control {
		header += "\tshuffled\tshuffled_per_mb"
	}
	if _, err := fmt.Fprintln(w, header); err != nil {
		return err
	}
	for _, d := range ds {
		line := fmt.Sprintf("%.6g\t%d\t%.1f", d.Threshold, d.Calls, d.PerMb)
		if control {
			line += fmt.Sprintf("\t%d\t%.1f", d.Shuffled, d.Floor)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
