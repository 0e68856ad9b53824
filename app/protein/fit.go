package protein

import (
	"context"
	"math"
	"slices"
	"time"

	"heed/format"
	"heed/internal/cli"
	"heed/model/alignment"
)

// A FitConfig says which models are fitted, and how.
type FitConfig struct {
	Model     string // potts, factored, both of these, axial, or all three; "" means both
	Potts     alignment.PottsConfig
	Factored  alignment.FactoredConfig
	Axial     alignment.AxialConfig
	MaxMemory int64 // in bytes, of a fit; 0 means no limit
}

// Validate fills in the defaults and refuses what makes no sense.
func (c *FitConfig) Validate() error {
	if c.Model == "" {
		c.Model = "both"
	}
	if !slices.Contains([]string{"potts", "factored", "axial", "both", "all"}, c.Model) {
		return cli.Usagef("--model %q: want potts, factored, both, axial or all", c.Model)
	}
	if c.Potts.Lambda < 0 {
		return cli.Usagef("--potts-lambda %v: want a positive number", c.Potts.Lambda)
	}
	if c.Potts.Steps < 0 {
		return cli.Usagef("--potts-steps %d: want 1 or more", c.Potts.Steps)
	}
	if err := c.Factored.Validate(); err != nil {
		return cli.Usagef("--%v", err)
	}
	if c.Potts.Cores == 0 {
		c.Potts.Cores = c.Factored.Cores
	}
	c.Axial.Cores = c.Factored.Cores
	if err := c.Axial.Validate(); err != nil {
		return cli.Usagef("--axial-%v", err)
	}
	return nil
}

// fits reports whether a model is to be fitted.
func (c *FitConfig) fits(model string) bool {
	return c.Model == model || c.Model == "all" || c.Model == "both" && model != "axial"
}

// A Plan is what a fit will need, in bytes; 0 for models that are not fitted.
type Plan struct {
	Potts, Factored, Axial int64
}

// Plan computes the memory, and refuses more than the limit.
func (c *FitConfig) Plan(f *Family, file string) (Plan, error) {
	var p Plan
	n, l := f.Sequences, f.Family.Columns
	if c.fits("potts") {
		p.Potts = alignment.PottsMemory(n, l, c.Potts.Cores)
	}
	if c.fits("factored") {
		p.Factored = alignment.FactoredMemory(l, c.Factored)
	}
	if c.fits("axial") {
		p.Axial = alignment.AxialMemory(n, l, c.Axial)
	}
	for _, x := range []struct {
		name  string
		bytes int64
	}{{"potts", p.Potts}, {"factored", p.Factored}, {"axial", p.Axial}} {
		if c.MaxMemory > 0 && x.bytes > c.MaxMemory {
			return p, cli.Hint(format.TooLargef(file, 0, "%s of %d columns needs %s, the limit is %s", x.name, l, bytesText(x.bytes), bytesText(c.MaxMemory)),
				"--mem-limit raises the limit; --model factored needs less than potts")
		}
	}
	return p, nil
}

// Scores are what one method says of the pairs of columns (L, L). APC is what
// pairs are ranked by, and Raw the scores before the correction; a method without
// one has the same in both.
type Scores struct {
	Method   string
	Floor    bool // a simple method to compare with, not a model
	Raw, APC []float64
	Loss     float64 // of the last step, nats for each effective sequence, factored for each sequence, axial for each masked residue
	// Held is the mean loss of a residue of rows that were not fitted, in nats: given
	// all others (potts, factored), given 85 % of them and other rows (axial), or the
	// frequencies of its column (profile). NaN without such rows, or such a loss.
	Held float64
	Took time.Duration
}

// A Fit is all scores of a family, models first.
type Fit struct {
	Scores   []*Scores
	Potts    *alignment.Potts    // nil if not fitted
	Factored *alignment.Factored // likewise
	Axial    *alignment.Axial    // likewise
	Reading  *alignment.AxialReading
	Profile  float64 // the floor of Scores.Held
}

// Fit fits the models one after the other, and computes the floors. see, if not
// nil, is told of each step.
func (c *FitConfig) Fit(ctx context.Context, f *Family, see func(model string, step, steps int)) (*Fit, error) {
	out := &Fit{Profile: math.NaN()}
	l := f.Family.Columns
	add := func(method string, floor bool, raw []float64, loss float64, since time.Time) *Scores {
		s := &Scores{method, floor, raw, alignment.APC(raw, l), loss, math.NaN(), time.Since(since)}
		out.Scores = append(out.Scores, s)
		return s
	}
	watch := func(model string, last *float64) func(step, steps int, loss float64) {
		return func(step, steps int, loss float64) {
			*last = loss
			if see != nil {
				see(model, step, steps)
			}
		}
	}
	if c.fits("potts") {
		start, loss, config := time.Now(), 0.0, c.Potts
		config.Tell = watch("potts", &loss)
		m, err := alignment.FitPotts(ctx, f.Family, config)
		if err != nil {
			return nil, err
		}
		out.Potts = m
		s := add("potts", false, m.Scores(), loss/f.Neff, start)
		if f.Held != nil {
			s.Held = m.Loss(f.Held, config.Cores)
		}
	}
	if c.fits("factored") {
		start, loss, config := time.Now(), 0.0, c.Factored
		config.Tell = watch("factored", &loss)
		m, err := alignment.FitFactored(ctx, f.Family, config)
		if err != nil {
			return nil, err
		}
		out.Factored = m
		s := add("factored", false, m.Scores(c.Factored.Cores), loss, start)
		if f.Held != nil {
			s.Held = m.Loss(f.Held, c.Factored.Cores)
		}
	}
	if c.fits("axial") {
		start, loss, config := time.Now(), 0.0, c.Axial
		config.Tell = watch("axial", &loss)
		m, err := alignment.FitAxial(ctx, f.Family, config)
		if err != nil {
			return nil, err
		}
		out.Axial = m
		if out.Reading, err = m.Read(ctx, f.Family, config.Seed, config.Cores); err != nil {
			return nil, err
		}
		s := add("axial", false, out.Reading.Jacobian, loss, start)
		if f.Held != nil {
			if s.Held, err = m.Loss(f.Family, f.Held, config.Seed, config.Cores); err != nil {
				return nil, err
			}
		}
		add("axial-attention", false, out.Reading.Attention, loss, start)
	}
	if f.Held != nil {
		out.Profile = alignment.ProfileLoss(f.Family, f.Held)
	}
	start := time.Now()
	add("mutual information", true, alignment.MutualInformation(f.Family, alignment.InformationPseudocount, c.Factored.Cores), 0, start)
	near := alignment.Nearness(f.Columns)
	out.Scores = append(out.Scores, &Scores{Method: "nearness", Floor: true, Raw: near, APC: near, Held: math.NaN()})
	return out, ctx.Err()
}
