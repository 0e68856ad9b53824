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
	done   map[int]int // by fold
	tenths int
	last   string
}

func newMeter(w io.Writer) *meter {
	m := &meter{w: w, start: time.Now(), done: map[int]int{}}
	if f, ok := w.(*os.File); ok && cwriter.IsTerminal(int(f.Fd())) {
		m.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(50))
	}
	return m
}

// see takes note of progress.
func (m *meter) see(p Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[p.Fold] = p.Done
	sum, total := 0, p.Total*max(1, p.Fits)
	for _, n := range m.done {
		sum += n
	}
	if p.Stage == "valid" {
		m.last = fmt.Sprintf(", epoch %d: validation loss %.3f, metric %.3f", p.Epoch, p.Loss, p.Metric)
		if p.Fits > 1 {
			m.last = ""
		}
	}
	if m.bars != nil {
		if m.bar == nil {
			m.bar = m.bars.AddBar(int64(total),
				mpb.PrependDecorators(decor.Name("training "), decor.Percentage()),
				mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")))
		}
		m.bar.SetTotal(int64(total), false)
		m.bar.SetCurrent(int64(sum))
		return
	}
	if tenth := sum * 10 / max(1, total); tenth > m.tenths {
		m.tenths = tenth
		left := time.Duration(float64(time.Since(m.start)) * float64(total-sum) / float64(sum))
		fmt.Fprintf(m.w, "training: %d %%, %v left%s\n", tenth*10, left.Round(time.Second), m.last)
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
