package bench

import (
	"fmt"
	"slices"
	"time"

	"heed/internal/clock"
)

// A watch tells the time in seconds, from any beginning.
type watch struct {
	wall    func() float64 // on the clock: what the user waits
	counted func() float64 // what measurements count: the same, or processor time
}

func newWatch(processor bool) watch {
	began := time.Now()
	w := watch{wall: func() float64 { return time.Since(began).Seconds() }}
	if w.counted = w.wall; processor {
		w.counted = func() float64 {
			t, _ := clock.Processor()
			return t
		}
	}
	return w
}

// A budget hands out the time that everything may take. What one measurement does not
// need goes to those that come after it; what would need more than its part and a quarter of
// all that is left, at the rate seen so far, is skipped. So all of it ends about in time however slow or
// busy the machine is: a measurement that has begun may take a round more than its part.
type budget struct {
	watch
	processor bool    // counted is processor time
	each      float64 // seconds of one measurement, on an idle machine
	total     float64 // seconds on the clock for all
	left      int     // measurements to come
	done      float64 // operations of one call of each measurement so far
	took      float64 // seconds on the clock of the fastest of these calls
	skipped   []Skip  // not nil: JSON has a list
}

// A Skip is what was not measured.
type Skip struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

// rounds is how often a measurement is repeated if its part of the time allows: the
// fastest counts. Fewer than enough is told.
const (
	rounds = 5
	enough = 3
)

// part is the seconds on the clock that the next measurement may take, if as many as are left
// share what there is.
func (b *budget) part() float64 { return max(0, b.total-b.wall()) / float64(max(1, b.left)) }

// begin reports whether the next measurement, a call of which takes so many
// operations, fits into the time, and how large its part is. One that does not fit is
// noted as skipped. A measurement calls at least twice: once to warm up. Of the first nothing is known.
func (b *budget) begin(what string, operations float64) (part float64, ok bool) {
	part = b.part()
	b.left--
	if part == 0 {
		b.skipped = append(b.skipped, Skip{what, "the time was up"})
		return 0, false
	}
	if left := b.total - b.wall(); b.done > 0 {
		if expected := 2 * operations / b.done * b.took; expected > max(part, left/4) {
			b.skipped = append(b.skipped, Skip{what, fmt.Sprintf("it would take some %.0f s of %.0f s that were left", expected, left)})
			return 0, false
		}
	}
	return part, true
}

// A timing is what came of a measurement.
type timing struct {
	seconds []float64 // counted, of one call, of each round
	calls   int       // of a round
}

// best is the fastest round: what the machine does when nothing else disturbs it.
func (t timing) best() float64 { return slices.Min(t.seconds) }

// measure times f, which keeps cores busy and takes so many operations, for about each seconds on
// an idle machine, and for no more than part seconds on the clock, but that a round which has begun is ended. Processor time is divided by the cores.
func (b *budget) measure(part float64, cores int, operations float64, f func()) timing {
	began := b.wall()
	f() // scratch space and caches
	first := b.wall() - began
	length := min(b.each, part) / rounds // of a round
	t := timing{calls: 1}
	for len(t.seconds) < rounds {
		start, clock := b.counted(), b.wall()
		for range t.calls {
			f()
		}
		took, waited := b.counted()-start, b.wall()-clock
		if len(t.seconds) == 0 && waited < length/2 && t.calls < 1<<24 { // a longer round, and again
			t.calls *= 2
			continue
		}
		if b.processor {
			took /= float64(cores)
		}
		t.seconds = append(t.seconds, max(took, 1e-9)/float64(t.calls))
		first = min(first, waited/float64(t.calls))
		if b.wall()-began+waited > part { // another would not fit
			break
		}
	}
	if operations > 0 {
		b.done, b.took = b.done+operations, b.took+first
	}
	return t
}
