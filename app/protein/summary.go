package protein

import "math"

// A Summary is the result as JSON. Numbers that do not exist are null.
type Summary struct {
	Query       string              `json:"query"`
	Positions   int                 `json:"positions"` // of the query, the L of P@L
	Columns     int                 `json:"columns"`
	RowsRead    int                 `json:"rows_read"`
	Rows        int                 `json:"rows"`
	Neff        float64             `json:"neff"`
	LowCoverage int                 `json:"rows_of_low_coverage"`
	NotSelected int                 `json:"rows_not_selected"`
	Insertions  int                 `json:"columns_without_query"`
	Gappy       int                 `json:"columns_of_gaps"`
	Unknown     int                 `json:"unknown_letters"`
	Warnings    []string            `json:"warnings"`
	Loss        map[string]*float64 `json:"loss"`                    // nats per effective sequence (potts), sequence (factored) or masked residue (axial)
	Held        map[string]*float64 `json:"held_out_loss,omitempty"` // nats for each residue of rows that were not fitted
	Truth       *TruthSummary       `json:"truth,omitempty"`
	Precisions  []PrecisionSummary  `json:"precisions,omitempty"`
	Differences []DifferenceSummary `json:"differences,omitempty"`
	Heads       []HeadSummary       `json:"heads,omitempty"`
	Pooled      *SampleSummary      `json:"attended_by_all_heads,omitempty"`
	AxialHeads  []HeadSummary       `json:"axial_heads,omitempty"` // row attention, layer by layer
	AxialPooled *SampleSummary      `json:"attended_by_all_axial_heads,omitempty"`
	Top         []PairSummary       `json:"top"` // the first L pairs at a separation of 6 or more
}

// TruthSummary says what a contact is.
type TruthSummary struct {
	File       string   `json:"file"`
	Chain      *string  `json:"chain,omitempty"`
	Definition string   `json:"contact"`
	Identity   *float64 `json:"identity,omitempty"`
	Missing    int      `json:"missing_positions"`
}

// IntervalSummary is an estimate with its 95 % interval.
type IntervalSummary struct {
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
}

// PrecisionSummary is one row of the table.
type PrecisionSummary struct {
	Method   string          `json:"method"`
	Floor    bool            `json:"floor"`
	Range    string          `json:"range"`
	L        IntervalSummary `json:"p_at_l"`
	Half     IntervalSummary `json:"p_at_l_2"`
	Fifth    IntervalSummary `json:"p_at_l_5"`
	Random   *float64        `json:"random"`
	Pairs    int             `json:"pairs"`
	Contacts int             `json:"contacts"`
	Unknown  int             `json:"unknown"`
}

// DifferenceSummary is that of the long-range P@L of two methods.
type DifferenceSummary struct {
	Method string `json:"method"`
	From   string `json:"from"`
	IntervalSummary
}

// HeadSummary is one head.
type HeadSummary struct {
	Head       int           `json:"head"`
	Strength   float64       `json:"strength"`
	Separation float64       `json:"separation"`
	First      SampleSummary `json:"first"`
	Attended   SampleSummary `json:"attended"`
}

// SampleSummary is some pairs that attention chose.
type SampleSummary struct {
	Pairs     int      `json:"pairs"`
	Known     int      `json:"known"`
	Contacts  int      `json:"contacts"`
	Precision *float64 `json:"precision"`
	Null      *float64 `json:"null"`
	NullLow   *float64 `json:"null_low"`
	NullHigh  *float64 `json:"null_high"`
	P         *float64 `json:"p"`
	Found     bool     `json:"fdr_5_percent"`
}

func (s *Sample) summary() SampleSummary {
	return SampleSummary{s.Pairs, s.Known, s.Contacts, number(s.Precision), number(s.Null), number(s.Low), number(s.High), number(s.P), s.Found}
}

// PairSummary is one pair, from 1.
type PairSummary struct {
	I   int       `json:"i"`
	J   int       `json:"j"`
	APC []float64 `json:"apc"` // of each model
}

// Summary returns the result as JSON.
func (o *Outcome) Summary() *Summary {
	f := o.Family
	s := &Summary{Query: f.Name, Positions: len(f.Query), Columns: f.Family.Columns, RowsRead: f.RowsRead, Rows: f.Sequences, Neff: f.Neff,
		LowCoverage: f.LowCoverage, NotSelected: f.NotSelected, Insertions: f.Insertions, Gappy: f.Gappy, Unknown: f.Unknown,
		Warnings: append([]string{}, f.Warnings...), Loss: map[string]*float64{}, Top: []PairSummary{}}
	for _, m := range o.Fit.models() {
		s.Loss[m.Method] = number(m.Loss)
	}
	if f.Held != nil {
		s.Held = map[string]*float64{"profile": number(o.Fit.Profile)}
		for _, m := range o.Fit.models() {
			if !math.IsNaN(m.Held) {
				s.Held[m.Method] = number(m.Held)
			}
		}
	}
	if t := o.Truth; t != nil {
		s.Truth = &TruthSummary{File: t.File, Definition: t.Definition, Missing: t.Missing}
		if t.Chain != nil {
			s.Truth.Chain, s.Truth.Identity = &t.Chain.ID, number(t.Match.Identity())
		}
	}
	if c := o.Comparison; c != nil {
		for _, p := range c.Rows {
			var at [3]IntervalSummary
			for k, iv := range p.At {
				at[k] = IntervalSummary{number(iv.Estimate), number(iv.Low), number(iv.High)}
			}
			s.Precisions = append(s.Precisions, PrecisionSummary{p.Method, p.Floor, p.Range.Name, at[0], at[1], at[2], number(p.Background), p.Pairs, p.Contacts, p.Unknown})
		}
		for _, d := range c.Differences {
			s.Differences = append(s.Differences, DifferenceSummary{d.Method, d.From, IntervalSummary{number(d.Estimate), number(d.Low), number(d.High)}})
		}
	}
	for _, x := range o.Heads {
		s.Heads = append(s.Heads, HeadSummary{x.Index, x.Strength, x.Separation, x.First.summary(), x.Attended.summary()})
	}
	if o.Heads != nil {
		pooled := o.Pooled.summary()
		s.Pooled = &pooled
	}
	for _, x := range o.AxialHeads {
		s.AxialHeads = append(s.AxialHeads, HeadSummary{x.Index, x.Strength, x.Separation, x.First.summary(), x.Attended.summary()})
	}
	if o.AxialHeads != nil {
		pooled := o.AxialPooled.summary()
		s.AxialPooled = &pooled
	}
	top := o.Fit.Pairs(f, nearest)
	for _, p := range top[:min(len(top), len(f.Query))] {
		s.Top = append(s.Top, PairSummary{p.I + 1, p.J + 1, p.APC})
	}
	return s
}

func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
