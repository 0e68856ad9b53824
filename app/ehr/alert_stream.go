package ehr

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"heed/format"
	"heed/model/timeline"
)

// A streamEvent is one line of the standard input of "heed ehr alert --stream".
type streamEvent struct {
	Subject json.RawMessage `json:"subject_id"` // a number or a string
	Time    string          `json:"time"`
	Code    string          `json:"code"`
	Value   *float64        `json:"numeric_value"`
}

// A StreamAnswer is one line of its output, for one of the input.
type StreamAnswer struct {
	Subject     string  `json:"subject"`
	Events      int     `json:"events"`
	Probability float64 `json:"probability"`
	Alert       bool    `json:"alert"`
	Known       bool    `json:"code_known"`
	// Micros is the time that the answer took, from the line to here.
	Micros int64 `json:"microseconds"`
}

// knows reports whether the model has learned a code.
func (f *Fitted) knows(code string) bool { return f.Vocabulary.ID(code) != timeline.UnknownToken }

// longestLine bounds one line of input.
const longestLine = 1 << 16

// A Stream watches many patients: what a causal model has to remember of each is kept,
// that of the one seen longest ago is forgotten when there are more than MaxPatients.
// An event that follows is then the first of a new patient.
type Stream struct {
	f           *Fitted
	names       *Pseudonymizer
	safe        bool      // answers with pseudonyms
	log         *AuditLog // may be nil
	model       string    // hash
	codes       *CodeMap  // may be nil
	maxPatients int
	patients    map[string]*watched
	clock       int64
}

type watched struct {
	*patientState
	start  time.Time
	events int
	seen   int64
}

// Run answers every line of in with one of out until the input ends. An error names
// the line and nothing of what stands in it.
func (s *Stream) Run(in io.Reader, out io.Writer) error {
	r := bufio.NewReaderSize(in, longestLine)
	w := json.NewEncoder(out)
	for line := 1; ; line++ {
		text, err := r.ReadSlice('\n')
		begin := time.Now()
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return &format.Error{Name: "standard input", Line: line, Err: fmt.Errorf("a line of more than %d bytes: %w", longestLine, format.ErrTooLarge)}
		case err == io.EOF && len(text) == 0:
			return nil
		case err != nil && err != io.EOF:
			return err
		}
		a, reason := s.answer(text)
		if reason != nil {
			return format.Invalidf("standard input", line, "%w", reason)
		}
		a.Micros = time.Since(begin).Microseconds()
		if err := w.Encode(a); err != nil {
			return err
		}
	}
}

func (s *Stream) answer(text []byte) (*StreamAnswer, error) {
	var e streamEvent
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, errors.New("no JSON object with subject_id, time, code and perhaps numeric_value")
	}
	subject := string(e.Subject)
	if len(subject) > 1 && subject[0] == '"' {
		if err := json.Unmarshal(e.Subject, &subject); err != nil {
			return nil, errors.New("subject_id is no text")
		}
	}
	switch {
	case subject == "" || subject == "null" || subject[0] == '{' || subject[0] == '[':
		return nil, errors.New("no subject_id")
	case e.Code == "":
		return nil, errors.New("no code")
	}
	at, err := time.Parse(clock, e.Time)
	if err != nil {
		if _, err := time.Parse(time.RFC3339, e.Time); err == nil {
			return nil, fmt.Errorf("the time has a zone: want %s, all of one clock", clock)
		}
		return nil, fmt.Errorf("time: want %s", clock)
	}
	x := Event{Code: e.Code, Value: float32(math.NaN())}
	if e.Value != nil {
		if x.Value = float32(*e.Value); math.IsInf(float64(x.Value), 0) {
			return nil, errors.New("numeric_value is beyond 32-bit numbers")
		}
	}
	p := s.patients[subject]
	if p == nil {
		if p, err = s.admit(subject, at); err != nil {
			return nil, err
		}
	}
	s.clock++
	p.seen = s.clock
	x.Day = at.Sub(p.start).Hours() / 24
	s.codes.apply(&x)
	probability, err := p.see(x)
	if err != nil {
		return nil, errors.New("the event is earlier than the one before it of the same subject")
	}
	p.events++
	a := &StreamAnswer{Subject: subject, Events: p.events, Probability: probability, Alert: probability >= s.f.Threshold, Known: s.f.knows(x.Code)}
	pseudonym := s.names.Name(subject)
	if s.safe {
		a.Subject = pseudonym
	}
	if s.log != nil {
		err = s.log.Append(LogRecord{Model: s.model, Subject: pseudonym, Events: a.Events, Probability: a.Probability, Alert: a.Alert})
	}
	return a, err
}

// admit begins a patient, and forgets one if there are too many.
func (s *Stream) admit(subject string, at time.Time) (*watched, error) {
	if len(s.patients) >= s.maxPatients {
		oldest, seen := "", int64(math.MaxInt64)
		for name, p := range s.patients {
			if p.seen < seen {
				oldest, seen = name, p.seen
			}
		}
		delete(s.patients, oldest)
	}
	state, err := s.f.newPatient()
	if err != nil {
		return nil, err
	}
	p := &watched{patientState: state, start: at}
	s.patients[subject] = p
	return p, nil
}
