package volume

import (
	"fmt"
	"math"
)

// Architecture is the name that checkpoints of this model carry.
const Architecture = "volume"

// The mixers: what lets the voxels of the feature map influence one another.
const (
	Attention = "attention" // every voxel attends to every other, and [CLS] to all
	Axial     = "axial"     // along the three lines through a voxel (Ho et al. 2019)
	Conv      = "conv"      // a bottleneck with a 3³ convolution
	LSTM      = "lstm"      // reads slice after slice, in both directions
	Inception = "inception" // parallel 1³, 3³, 5³ and pooled branches (Szegedy et al. 2015)
)

// Mixers lists them.
func Mixers() []string { return []string{Attention, Axial, Conv, Inception, LSTM} }

// A Config says how large a model is and what volumes it reads. It is stored in
// checkpoints.
type Config struct {
	Size     [3]int     `json:"size"`     // voxels of a volume: depth, height, width
	Spacing  [3]float64 `json:"spacing"`  // mm from voxel to voxel
	Channels int        `json:"channels"` // values of a voxel
	Stem     []int      `json:"stem"`     // channels of each stage, which halves the size; the last is D
	Blocks   int        `json:"blocks"`   // residual blocks of two convolutions in a stage
	Mixer    string     `json:"mixer"`
	Layers   int        `json:"layers"`
	Heads    int        `json:"heads"`    // of attention; D is a multiple
	FFN      int        `json:"ffn"`      // width F of the feed-forward layers
	Position string     `json:"position"` // "sinusoidal" in mm, "learned" or "none"
	Pooling  string     `json:"pooling"`  // "cls" (attention alone), "mean", or "meanmax"
	Classes  int        `json:"classes"`
	Dropout  float32    `json:"dropout"`
	// Recompute forgets the activations of every stage and layer and computes
	// them again for the gradient: less memory for a third more time, same bits.
	Recompute bool `json:"recompute,omitempty"`
}

// Limits of a configuration read from a file, far above what a CPU trains.
const (
	maxEdge   = 1024
	maxVoxels = 1 << 27
	maxWidth  = 1 << 12
	maxDepth  = 64
	maxTokens = 1 << 13 // of full attention
)

// Dim returns the width D of the feature map.
func (c *Config) Dim() int { return c.Stem[len(c.Stem)-1] }

// Grid returns the size of the feature map: each stage of the stem halves that
// of the volume, rounding up.
func (c *Config) Grid() [3]int { return c.gridAfter(len(c.Stem)) }

func (c *Config) gridAfter(stages int) [3]int {
	g := c.Size
	for a := range g {
		for range stages {
			g[a] = (g[a] + 1) / 2
		}
	}
	return g
}

// Tokens returns the number of voxels of the feature map.
func (c *Config) Tokens() int { return voxels(c.Grid()) }

func voxels(g [3]int) int { return g[0] * g[1] * g[2] }

// A TooManyTokensError refuses full attention over a grid that is too fine, and
// says what it would take.
type TooManyTokensError struct {
	Grid   [3]int
	Tokens int
	Scores float64 // of one head in one layer
	Stages int     // of a stem that makes it possible
	After  [3]int  // the grid after such a stem
}

func (e *TooManyTokensError) Error() string {
	return fmt.Sprintf("full attention over %d x %d x %d voxels: %d tokens, %s scores for each head and layer (%s as float32), limit %d tokens; "+
		"a stem of %d stages leaves %d x %d x %d = %d tokens, %s times fewer scores (or mix by %q: %s scores)",
		e.Grid[0], e.Grid[1], e.Grid[2], e.Tokens, count(e.Scores), bytes(4*e.Scores), maxTokens,
		e.Stages, e.After[0], e.After[1], e.After[2], voxels(e.After), count(e.Scores/math.Pow(float64(voxels(e.After)), 2)),
		Axial, count(float64(e.Tokens)*float64(e.Grid[0]+e.Grid[1]+e.Grid[2])))
}

// count writes a number with three digits and a unit.
func count(x float64) string {
	for _, u := range []string{"", " thousand", " million", " billion"} {
		if x < 1000 {
			return fmt.Sprintf("%.3g%s", x, u)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.3g trillion", x)
}

func bytes(x float64) string {
	for _, u := range []string{"B", "kB", "MB", "GB", "TB"} {
		if x < 1000 {
			return fmt.Sprintf("%.3g %s", x, u)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.3g PB", x)
}

// Validate reports the first field that makes no sense, and full attention over
// too many voxels as a *TooManyTokensError.
func (c *Config) Validate() error {
	for a, n := range c.Size {
		if n < 1 || n > maxEdge {
			return fmt.Errorf("size %v: want edges of 1 to %d voxels", c.Size, maxEdge)
		}
		if s := c.Spacing[a]; !(s > 0 && s <= 1000) {
			return fmt.Errorf("spacing %v mm: want numbers above 0, up to 1000", c.Spacing)
		}
	}
	switch {
	case voxels(c.Size) > maxVoxels:
		return fmt.Errorf("size %v: want %d voxels or fewer", c.Size, maxVoxels)
	case c.Channels < 1 || c.Channels > 64:
		return fmt.Errorf("channels %d: want 1 to 64", c.Channels)
	case len(c.Stem) == 0 && c.RawAttention() != nil:
		return c.RawAttention()
	case len(c.Stem) < 1 || len(c.Stem) > 10:
		return fmt.Errorf("stem of %d stages: want 1 to 10", len(c.Stem))
	case c.Blocks < 0 || c.Blocks > maxDepth:
		return fmt.Errorf("blocks %d: want 0 to %d", c.Blocks, maxDepth)
	case c.Layers < 0 || c.Layers > maxDepth:
		return fmt.Errorf("layers %d: want 0 to %d", c.Layers, maxDepth)
	case c.FFN < 1 || c.FFN > 4*maxWidth:
		return fmt.Errorf("ffn %d: want 1 to %d", c.FFN, 4*maxWidth)
	case c.Classes < 2 || c.Classes > 1000:
		return fmt.Errorf("classes %d: want 2 to 1000", c.Classes)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout %v: want 0 or more, less than 1", c.Dropout)
	}
	for _, w := range c.Stem {
		if w < 4 || w > maxWidth || w%4 != 0 {
			return fmt.Errorf("stem of %v channels: want multiples of 4, up to %d", c.Stem, maxWidth)
		}
	}
	switch c.Mixer {
	case Attention, Axial:
		if c.Heads < 1 || c.Dim()%c.Heads != 0 {
			return fmt.Errorf("heads %d: want a divisor of the stem's last %d channels", c.Heads, c.Dim())
		}
	case Conv, Inception, LSTM:
	default:
		return fmt.Errorf("mixer %q: want one of %q", c.Mixer, Mixers())
	}
	switch c.Position {
	case "sinusoidal", "learned", "none":
	default:
		return fmt.Errorf("position %q: want sinusoidal, learned or none", c.Position)
	}
	switch c.Pooling {
	case "mean", "meanmax":
	case "cls":
		if c.Mixer != Attention {
			return fmt.Errorf("pooling cls needs the mixer %s, not %s: [CLS] stands on no grid", Attention, c.Mixer)
		}
	default:
		return fmt.Errorf("pooling %q: want cls, mean or meanmax", c.Pooling)
	}
	if c.Mixer == Attention && c.Layers > 0 {
		return c.checkTokens(len(c.Stem))
	}
	return nil
}

// RawAttention returns the error of full attention over the voxels themselves,
// without a stem, or nil if they are few.
func (c *Config) RawAttention() error { return c.checkTokens(0) }

func (c *Config) checkTokens(stages int) error {
	g := c.gridAfter(stages)
	n := voxels(g)
	if n <= maxTokens {
		return nil
	}
	e := &TooManyTokensError{Grid: g, Tokens: n, Scores: float64(n) * float64(n)}
	for e.Stages = stages + 1; voxels(c.gridAfter(e.Stages)) > maxTokens/8; e.Stages++ {
	}
	e.After = c.gridAfter(e.Stages)
	return e
}
