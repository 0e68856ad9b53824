package protein

import (
	"context"
	"fmt"
	"time"

	"heed/format"
	"heed/model/alignment"
)

// A FitConfig says which models are fitted, and how.
type FitConfig struct {
	Model     string // potts, factored or both; "" means both
	Potts     alignment.PottsConfig
	Factored  alignment.FactoredConfig
	MaxMemory int64 // in bytes, of a fit; 0 means no limit
}

// Validate fills in the defaults and refuses what makes no sense.
func (c *FitConfig) Validate() error {
	if c.Model == "" {
		c.Model = "both"
	}
	if c.Model != "potts" && c.Model != "factored" && c.Model != "both" {
		return usagef("--model %q: want potts, factored or both", c.Model)
	}
	if c.Potts.Lambda < 0 {
		return usagef("--potts-lambda %v: want a positive number", c.Potts.Lambda)
	}
	if c.Potts.Steps < 0 {
		return usagef("--potts-steps %d: want 1 or more", c.Potts.Steps)
	}
	if err := c.Factored.Validate(); err != nil {
		return usagef("--%v", err)
	}
	if c.Potts.Cores == 0 {
		c.Potts.Cores = c.Factored.Cores
	}
	return nil
}

// A Plan is what a fit will need, in bytes; 0 for models that are not fitted.
type Plan struct {
	Potts, Factored int64
}

// Plan computes the memory, and refuses more than the limit.
func (c *FitConfig) Plan(f *Family, file string) (Plan, error) {
	var p Plan
	n, l := f.Sequences, f.Family.Columns
	if c.Model != "factored" {
		p.Potts = alignment.PottsMemory(n, l, c.Potts.Cores)
	}
	if c.Model != "potts" {
		p.Factored = alignment.FactoredMemory(l, c.Factored)
	}
	for _, x := range []struct {
		name  string
		bytes int64
	}{{"potts", p.Potts}, {"factored", p.Factored}} {
		if c.MaxMemory > 0 && x.bytes > c.MaxMemory {
			return p, hint(format.TooLargef(file, 0, "%s of %d columns needs %s, the limit is %s", x.name, l, gibibytes(x.bytes), gibibytes(c.MaxMemory)),
				"--max-memory raises the limit; --model factored needs less than potts")
		}
	}
	return p, nil
}

func gibibytes(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// Scores are what one method says of the pairs of columns (L, L). APC is what
// pairs are ranked by, and Raw the scores before the correction; a method without
// one has the same in both.
type Scores struct {
	Method   string
	Floor    bool // a simple method to compare with, not a model
	Raw, APC []float64
	Loss     float64 // of the last step, nats for each effective sequence or, factored, each sequence
	Took     time.Duration
}

// A Fit is all scores of a family, models first.
type Fit struct {
	Scores   []*Scores
	Potts    *alignment.Potts    // nil if not fitted
	Factored *alignment.Factored // likewise
}

// Fit fits the models one after the other, and computes the floors. see, if not
// nil, is told of each step.
func (c *FitConfig) Fit(ctx context.Context, f *Family, see func(model string, step, steps int)) (*Fit, error) {
	out := &Fit{}
	l := f.Family.Columns
	add := func(method string, floor bool, raw []float64, loss float64, since time.Time) {
		out.Scores = append(out.Scores, &Scores{method, floor, raw, alignment.APC(raw, l), loss, time.Since(since)})
	}
	watch := func(model string, last *float64) func(step, steps int, loss float64) {
		return func(step, steps int, loss float64) {
			*last = loss
			if see != nil {
				see(model, step, steps)
			}
		}
	}
	if c.Model != "factored" {
		start, loss, config := time.Now(), 0.0, c.Potts
		config.Tell = watch("potts", &loss)
		m, err := alignment.FitPotts(ctx, f.Family, config)
		if err != nil {
			return nil, err
		}
		out.Potts = m
		add("potts", false, m.Scores(), loss/f.Neff, start)
	}
	if c.Model != "potts" {
		start, loss, config := time.Now(), 0.0, c.Factored
		config.Tell = watch("factored", &loss)
		m, err := alignment.FitFactored(ctx, f.Family, config)
		if err != nil {
			return nil, err
		}
		out.Factored = m
		add("factored", false, m.Scores(c.Factored.Cores), loss, start)
	}
	start := time.Now()
	add("mutual information", true, alignment.MutualInformation(f.Family, alignment.InformationPseudocount, c.Factored.Cores), 0, start)
	near := alignment.Nearness(f.Columns)
	out.Scores = append(out.Scores, &Scores{Method: "nearness", Floor: true, Raw: near, APC: near})
	return out, ctx.Err()
}
