package dna

import (
	"encoding/json"
	"errors"
	"fmt"

	"heed/checkpoint"
	"heed/internal/cli"
	"heed/train"
)

// A position says how far a fit has come.
type position struct{ Member, Stage int }

// state is what the checkpoint of a fit holds beside weights and moments.
type state struct {
	At      position
	Config  Config
	Train   []int
	Valid   []int
	Data    string // hash
	History []Progress
}

func (f *Fitting) state(at position) state {
	return state{at, f.out.Config, f.Train, f.Valid, f.hash, f.history}
}

// cut saves the state when a run ends before its time.
func (f *Fitting) cut(err error, at position, run *train.Run, best *train.Best) error {
	if f.Checkpoint == "" {
		return err
	}
	if saveErr := f.save(at, run, best); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	if errors.Is(err, train.ErrDiverged) {
		return cli.Hint(err, "lower --rate; the state before this step is in "+f.Checkpoint)
	}
	return err
}

// save writes the state of the fit. Without a run, no stage is under way.
func (f *Fitting) save(at position, run *train.Run, best *train.Best) error {
	if f.Checkpoint == "" {
		return nil
	}
	text, err := json.Marshal(f.state(at))
	if err != nil {
		return err
	}
	entries := []checkpoint.Entry{checkpoint.Bytes("fit.state", text)}
	for m := range at.Member {
		entries = append(entries, weights(memberPrefix(m), f.out.Members[m])...)
	}
	if run != nil {
		entries = append(entries, run.Entries()...)
	}
	if best != nil {
		entries = append(entries, best.Entries(f.out.Members[at.Member])...)
	}
	return checkpoint.Save(f.Checkpoint, nil, entries)
}

// load reads the checkpoint, if there is one, and checks that it is of the
// same fit.
func (f *Fitting) load() (position, *checkpoint.File, error) {
	if f.Checkpoint == "" || !cli.Exists(f.Checkpoint) {
		return position{}, nil, nil
	}
	file, err := checkpoint.Load(f.Checkpoint)
	if err != nil {
		return position{}, nil, err
	}
	text, err := file.Bytes("fit.state")
	if err != nil {
		return position{}, nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return position{}, nil, fmt.Errorf("%s: %w", f.Checkpoint, err)
	}
	f.history = s.History
	want, err := json.Marshal(f.state(s.At))
	if err != nil {
		return position{}, nil, err
	}
	if string(want) != string(text) {
		return position{}, nil, fmt.Errorf("%s: another configuration or other data than those of this run", f.Checkpoint)
	}
	f.resumed = s.At
	return s.At, file, nil
}
