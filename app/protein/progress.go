package protein

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"
)

// A meter shows how far a fit has come: a bar for each model on a terminal, one
// line for every fifth elsewhere.
type meter struct {
	w      io.Writer
	bars   *mpb.Progress // nil if w is no terminal
	bar    *mpb.Bar
	model  string
	start  time.Time
	fifths int
}

func newMeter(w io.Writer) *meter {
	m := &meter{w: w}
	if f, ok := w.(*os.File); ok && cwriter.IsTerminal(int(f.Fd())) {
		m.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(50))
	}
	return m
}

// see takes note of a step.
func (m *meter) see(model string, step, steps int) { m.count("fitting "+model, step, steps) }

// count is see for other work.
func (m *meter) count(model string, step, steps int) {
	if model != m.model {
		m.model, m.start, m.fifths = model, time.Now(), 0
		if m.bars != nil {
			m.bar = m.bars.AddBar(int64(steps),
				mpb.PrependDecorators(decor.Name(model+" "), decor.Percentage()),
				mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")))
		}
	}
	if m.bar != nil {
		m.bar.SetCurrent(int64(step))
		return
	}
	if fifth := step * 5 / steps; fifth > m.fifths {
		m.fifths = fifth
		left := time.Duration(float64(time.Since(m.start)) * float64(steps-step) / float64(step))
		fmt.Fprintf(m.w, "%s: %d %%, %v left\n", model, fifth*20, left.Round(time.Second))
	}
}

// stop removes the bar.
func (m *meter) stop() {
	if m.bars == nil {
		return
	}
	if m.bar != nil {
		m.bar.Abort(true)
	}
	m.bars.Wait()
}
