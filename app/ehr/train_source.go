package ehr

import (
	"iter"

	"heed/format/meds"
)

// A Happening is one event of a patient before the prediction: a code, perhaps
// with a number, at a time.
type Happening struct {
	Code  string
	Value float32 // NaN if there is none
	Days  float64 // before the prediction, 0 or more
	Visit int32   // 0 for none, else counted from 1
}

// A Case is one prediction to be made: a patient at a time, what was known until
// then, and what came of it.
type Case struct {
	Patient    int64
	At         string      // time of the prediction
	Micros     int64       // the same, as package meds counts time
	Happenings []Happening // the oldest first
	Positive   bool
	Age        float32           // years; NaN if it is not known
	Groups     map[string]string // for subgroups: "sex", "age", ...
	Split      string            // "train", "tuning" or "held_out"; empty if the source has no splits
	Days       float64           // observed since the prediction before, or from the beginning: for rates of alerts
}

// A Source gives cases, sorted by patient.
type Source interface {
	// Cases reads everything. What was left out is counted by reason.
	Cases() (cases []Case, left map[string]int, err error)
	// Subjects returns all events of the patients, those after a prediction among
	// them where the source has them, for the audit. Codes get their numbers from v.
	Subjects(v *meds.Vocabulary) iter.Seq2[*meds.Columns, error]
	// Hash returns the SHA-256 of what Cases read, in hexadecimal digits.
	Hash() string
}
