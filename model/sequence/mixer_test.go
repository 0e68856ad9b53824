package sequence

import (
	"math"
	"slices"
	"testing"

	"heed/autograd"
	"heed/nn"
)

func TestMixerValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`mixer "rnn": want attention or one of lstm, bilstm, gru, bigru, inception, dilated`:              func(c *Config) { c.Mixer = "rnn" },
		"mixer_width 3: it belongs to a mixer":                                                            func(c *Config) { c.MixerWidth = 3 },
		"mixer_width 0: want 1 to 16384":                                                                  func(c *Config) { c.Mixer = "gru" },
		`position "rotary" belongs to attention: with mixer bilstm want learned or sinusoidal`:            func(c *Config) { c.Mixer, c.MixerWidth, c.Position = "bilstm", 4, "rotary" },
		"pooling cls: mixer gru reads forwards and [CLS] comes first, so it would see nothing; want mean": func(c *Config) { c.Mixer, c.MixerWidth = "gru", 4 },
	} {
		c := small()
		change(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// With every mixer a sequence has the same bits in any company, the model has the
// parameters of the one with attention within 2 %, and both heads have gradients.
func TestMixers(t *testing.T) {
	c := small()
	c.Dim, c.FFN, c.Pooling = 32, 64, "mean"
	target := nn.Count(New(c, nil))
	for _, kind := range nn.Mixers() {
		c := c
		c.Mixer = kind
		var err error
		if c.MixerWidth, err = c.EqualWidth(); err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if err := c.Validate(); err != nil || c.Attends() {
			t.Errorf("%s: %v, attends %v", kind, err, c.Attends())
		}
		m := newModel(c)
		if n := nn.Count(m); math.Abs(float64(n)/float64(target)-1) > 0.02 {
			t.Errorf("%s: %d values, with attention %d", kind, n, target)
		}
		a, b := c.Tokenizer.Encode([]byte("ACGTTGCAAC")), c.Tokenizer.Encode([]byte("GGT"))
		tape := &autograd.Tape{}
		both := m.Logits(tape, m.Pack(b, a))
		alone := m.Logits(&autograd.Tape{}, m.Pack(a))
		if !slices.Equal(both.Data[3:], alone.Data) {
			t.Errorf("%s: logits %v in company, %v alone", kind, both.Data[3:], alone.Data)
		}
		batch := m.Pack(a)
		loss := autograd.Add(tape, autograd.Sum(tape, both), autograd.Sum(tape, m.MaskedLogits(tape, batch, []int32{1, 4})))
		tape.Backward(loss)
		m.Visit("", func(name string, p *autograd.Var) {
			if g := tape.Grad(p); g == nil || !slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
				t.Errorf("%s: %s has no gradient", kind, name)
			}
		})
	}
	c.Mixer = "rnn"
	if _, err := c.EqualWidth(); err == nil {
		t.Error("an unknown mixer has a width")
	}
	plain := small()
	if !plain.Attends() {
		t.Error("a model of attention does not attend")
	}
}
