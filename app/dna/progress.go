package dna

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"
)

// A meter shows how far training has come: a bar with the time left on a
// terminal, one line for every tenth elsewhere.
type meter struct {
	w     io.Writer
	start time.Time
	bars  *mpb.Progress // nil if w is no terminal
	bar   *mpb.Bar

	mu     sync.Mutex
	done   map[int]float64 // share of each fold
	tenths int
	last   string
}

func newMeter(w io.Writer) *meter {
	m := &meter{w: w, start: time.Now(), done: map[int]float64{}}
	if f, ok := w.(*os.File); ok && cwriter.IsTerminal(int(f.Fd())) {
		m.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(50))
	}
	return m
}

// see takes note of progress.
func (m *meter) see(p Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[p.Fold] = float64(p.Done) / float64(max(1, p.Total))
	share := 0.0
	for _, d := range m.done {
		share += d / float64(max(1, p.Fits))
	}
	if p.Stage == "valid" {
		m.last = fmt.Sprintf(", epoch %d: validation loss %.3f, metric %.3f", p.Epoch, p.Loss, p.Metric)
		if p.Fits > 1 {
			m.last = ""
		}
	}
	doing := "training"
	switch p.Stage {
	case "explain":
		doing = "explaining"
	case "scan":
		doing = "scanning"
	case "variants":
		doing = "scoring"
	}
	if m.bars != nil {
		if m.bar == nil {
			m.bar = m.bars.AddBar(barWidth,
				mpb.PrependDecorators(decor.Name(doing+" "), decor.Percentage()),
				mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")))
		}
		m.bar.SetCurrent(int64(share * barWidth))
		return
	}
	if tenth := int(share*10 + 1e-9); tenth > m.tenths {
		m.tenths = tenth
		left := time.Duration(float64(time.Since(m.start)) * (1 - share) / share)
		fmt.Fprintf(m.w, "%s: %d %%, %v left%s\n", doing, tenth*10, left.Round(time.Second), m.last)
	}
}

// barWidth is the whole of a bar: fine enough for the time left.
const barWidth = 10000

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
