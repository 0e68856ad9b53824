package ehr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"heed/data/madeup"
	"heed/model/timeline"
	"heed/train"
)

// An AlertJob is everything that decides what "heed ehr alert train" computes.
type AlertJob struct {
	Fit        Config            `json:"fit"`
	Generation madeup.Generation `json:"generation"` // of the patients to train on
	MinDensity float64           `json:"min_density"`
	MaxDensity float64           `json:"max_density"`
	// Curriculum is the share of the epochs that see the fewest events only: the
	// relation is found among few and kept among many.
	Curriculum float64 `json:"curriculum"`
	// ValueEpochs come first: the transformer tells values that are hidden from it,
	// and learns what is usual for a patient.
	ValueEpochs int `json:"value_epochs,omitempty"`
	// Warm epochs come next, half on patients of a lower level: what is hidden behind
	// another step is found where that step is none.
	WarmLevel  int      `json:"warm_level,omitempty"`
	WarmEpochs int      `json:"warm_epochs,omitempty"`
	Tune       int      `json:"tuning_patients"`
	Test       int      `json:"test_patients"`     // in all bins of days together
	Long       int      `json:"distance_patients"` // in each bin of events between
	MaxBetween int      `json:"max_events_between"`
	Models     []string `json:"models"` // of alertModels
	Command    []string `json:"command"`
	Version    string   `json:"heed"`
}

// DefaultAlertJob trains on gaps up to 180 days and tests up to 730.
func DefaultAlertJob() AlertJob {
	g := madeup.Default()
	g.Patients, g.MaxGap = 20000, 180
	m := timeline.DefaultConfig()
	m.Layers, m.Dim, m.Heads, m.FFN, m.ValueHidden = 2, 32, 4, 64, 16
	m.Value, m.Time, m.Causal, m.LagUnit = "projection", "bias", true, 1
	m.Dropout, m.DropTokens, m.MaxTokens = 0, 0, 4096
	c := DefaultConfig()
	c.Tokens, c.Model, c.MinCount, c.Average = Tokens{}, m, 10, 0.98
	c.Train = train.Config{Epochs: 3, Batch: 32, Rate: 4e-3, Warmup: 0.05, Decay: 0.01}
	return AlertJob{
		Fit: c, Generation: g, MinDensity: 0.05, MaxDensity: 5, Curriculum: 0.67,
		Tune: 600, Test: 2100, Long: 100, MaxBetween: 2048, Models: alertModels,
	}
}

// alertModels are what can be trained, in the order of the table.
var alertModels = []string{"transformer", "LSTM", "GRU-D", "bag of codes"}

// Validate reports the first field that makes no sense.
func (j *AlertJob) Validate() error {
	if err := j.Fit.Validate(); err != nil {
		return err
	}
	if err := j.Generation.Validate(); err != nil {
		return err
	}
	for _, name := range j.Models {
		if !slices.Contains(alertModels, name) {
			return fmt.Errorf("model %q: want some of %s", name, strings.Join(alertModels, ", "))
		}
	}
	switch {
	case len(j.Models) == 0:
		return errors.New("no models")
	case !(j.MinDensity > 0 && j.MinDensity <= j.MaxDensity && j.MaxDensity <= 20):
		return fmt.Errorf("densities %v to %v: want two factors up to 20, the smaller first", j.MinDensity, j.MaxDensity)
	case !(j.Curriculum >= 0 && j.Curriculum <= 1):
		return fmt.Errorf("curriculum %v: want a share of the epochs", j.Curriculum)
	case j.ValueEpochs < 0:
		return fmt.Errorf("%d epochs on values: want 0 or more", j.ValueEpochs)
	case j.WarmEpochs < 0 || j.WarmEpochs > 0 && (j.WarmLevel < 0 || j.WarmLevel >= j.Generation.Level):
		return fmt.Errorf("%d epochs on level %d: want 0 or more, on a level below %d", j.WarmEpochs, j.WarmLevel, j.Generation.Level)
	case j.Tune < 16 || j.Test < 0 || j.Long < 0 || max(j.Tune, j.Test, j.Long) > 1e6:
		return fmt.Errorf("%d patients to tune and %d and %d to test on: want 16 or more, and 0 or more", j.Tune, j.Test, j.Long)
	case j.MaxBetween < 0 || j.MaxBetween > 1<<15:
		return fmt.Errorf("%d events between: want 0 to %d", j.MaxBetween, 1<<15)
	}
	return nil
}
