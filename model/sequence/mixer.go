package sequence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/autograd"
	"heed/nn"
)

// validateMixer reports what makes no sense with another mixer than attention.
func (c *Config) validateMixer() error {
	switch {
	case c.Mixer == "":
		if c.MixerWidth != 0 {
			return fmt.Errorf("mixer_width %d: it belongs to a mixer", c.MixerWidth)
		}
	case !slices.Contains(nn.Mixers(), c.Mixer):
		return fmt.Errorf("mixer %q: want attention or one of %s", c.Mixer, strings.Join(nn.Mixers(), ", "))
	case c.MixerWidth < 1 || c.MixerWidth > maxWidth:
		return fmt.Errorf("mixer_width %d: want 1 to %d", c.MixerWidth, maxWidth)
	case c.Position == "rotary" || c.Position == "relative":
		return fmt.Errorf("position %q belongs to attention: with mixer %s want learned or sinusoidal", c.Position, c.Mixer)
	case nn.LooksBack(c.Mixer) && c.Pooling == "cls":
		return fmt.Errorf("pooling cls: mixer %s reads forwards and [CLS] comes first, so it would see nothing; want mean", c.Mixer)
	}
	return nil
}

// Attends reports whether the model has layers of attention, whose weights can be
// looked at.
func (c *Config) Attends() bool { return c.Layers > 0 && c.Mixer == "" }

// mixer returns what mixes the positions in layer i. The configuration is valid.
func (c *Config) mixer(i, tokens int, r *rand.Rand) nn.Mixer {
	if c.Mixer != "" {
		m, err := nn.NewMixer(c.Mixer, c.Dim, c.MixerWidth, r)
		if err != nil {
			panic(fmt.Sprintf("sequence: %v", err))
		}
		return m
	}
	a := nn.NewMultiHeadAttention(c.Dim, c.Heads, r)
	a.Name = fmt.Sprintf("layers.%d.attention", i)
	a.Dropout = c.Dropout
	switch c.Position {
	case "rotary":
		a.Rotary = autograd.RotaryFrequencies(c.Dim/c.Heads, 10000)
	case "relative":
		a.Relative = autograd.Param(c.Heads, 2*(tokens-1)+1)
	}
	return a
}

// EqualWidth returns the MixerWidth at which a layer with the mixer has as many
// trainable values as one with attention. The error says if no width comes within
// 2 %.
func (c *Config) EqualWidth() (int, error) {
	target := nn.Count(nn.NewEncoderLayer(nn.NewMultiHeadAttention(c.Dim, c.Heads, nil), c.Dim, c.FFN, nil))
	if _, err := nn.NewMixer(c.Mixer, c.Dim, 1, nil); err != nil {
		return 0, err
	}
	return nn.EqualWidth(target, func(width int) int {
		m, err := nn.NewMixer(c.Mixer, c.Dim, width, nil)
		if err != nil {
			panic(fmt.Sprintf("sequence: %v", err)) // its kind was checked
		}
		return nn.Count(nn.NewEncoderLayer(m, c.Dim, c.FFN, nil))
	})
}
