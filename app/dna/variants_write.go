package dna

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"

	"heed/format/vcf"
)

// A fieldOf is one value of an effect, as a column of a table and a field of
// INFO.
type fieldOf struct {
	column, info string
	digits       int
	value        func(*Effect) float64
	about        string
}

var effectFields = []fieldOf{
	{"p_ref", "HEED_PREF", 6, func(e *Effect) float64 { return e.Ref }, "Probability of %s with REF, mean over windows and strands"},
	{"p_alt", "HEED_PALT", 6, func(e *Effect) float64 { return e.Alt }, "Probability of %s with ALT, mean over windows and strands"},
	{"delta", "HEED_DELTA", 4, func(e *Effect) float64 { return e.Delta }, "Log-odds of %s with ALT less those with REF, nats, mean over windows and strands"},
	{"sd", "HEED_SD", 4, func(e *Effect) float64 { return e.SD }, "Standard deviation of HEED_DELTA of %s over windows"},
	{"plus", "HEED_PLUS", 4, func(e *Effect) float64 { return e.Plus }, "HEED_DELTA of %s on the forward strand"},
	{"minus", "HEED_MINUS", 4, func(e *Effect) float64 { return e.Minus }, "HEED_DELTA of %s on the reverse strand"},
}

var quantileField = fieldOf{"quantile", "HEED_QUANTILE", 4, func(e *Effect) float64 { return e.Quantile },
	"Share of random substitutions nearby whose HEED_DELTA of %s is smaller"}

// fields returns the values that are written.
func fields(control bool) []fieldOf {
	if control {
		return append(effectFields[:len(effectFields):len(effectFields)], quantileField)
	}
	return effectFields
}

// text writes a value, or what stands for none.
func (f *fieldOf) text(e *Effect, none string) string {
	v := f.value(e)
	if math.IsNaN(v) {
		return none
	}
	if s := fmt.Sprintf("%.*f", f.digits, v); strings.Trim(s, "-0.") != "" {
		return s
	}
	return fmt.Sprintf("%.*f", f.digits, 0.0) // not -0
}

// A variantTable writes one line for each allele.
type variantTable struct {
	w      io.Writer
	fields []fieldOf
}

func (t *variantTable) header() error {
	columns := "chrom\tpos\tid\tref\talt"
	for _, f := range t.fields {
		columns += "\t" + f.column
	}
	_, err := fmt.Fprintln(t.w, columns+"\twindows\tnote")
	return err
}

func (t *variantTable) write(rec vcf.Record, effects []Effect) error {
	for i, alt := range rec.Alts {
		e := &effects[i]
		line := fmt.Sprintf("%s\t%d\t%s\t%s\t%s", rec.Chrom, rec.Pos, rec.ID, rec.Ref, alt)
		for _, f := range t.fields {
			line += "\t" + f.text(e, "NA")
		}
		note := e.Note
		if note == "" {
			note = "."
		}
		if _, err := fmt.Fprintf(t.w, "%s\t%d\t%s\n", line, e.Windows, note); err != nil {
			return err
		}
	}
	return nil
}

// A variantVCF writes the records with fields of INFO, one value for each
// allele.
type variantVCF struct {
	w      io.Writer
	fields []fieldOf
}

func (t *variantVCF) header(old []string, class string) error {
	var lines []string
	for _, line := range old {
		if !strings.HasPrefix(line, "##INFO=<ID=HEED_") {
			lines = append(lines, line)
		}
	}
	class = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(class)
	for _, f := range t.fields {
		lines = append(lines, fmt.Sprintf(`##INFO=<ID=%s,Number=A,Type=Float,Description="%s">`, f.info, fmt.Sprintf(f.about, class)))
	}
	return vcf.WriteHeader(t.w, lines)
}

func (t *variantVCF) write(rec vcf.Record, effects []Effect) error {
	for _, f := range t.fields {
		values := make([]string, len(effects))
		for i := range effects {
			values[i] = f.text(&effects[i], ".")
		}
		rec.Info = vcf.SetInfo(rec.Info, f.info, strings.Join(values, ","))
	}
	return vcf.Write(t.w, rec)
}

// A background is the effects of random substitutions, ascending.
type background []float64

// quantile returns the share of effects below d, half of the equal ones counted.
func (b background) quantile(d float64) float64 {
	if len(b) == 0 || math.IsNaN(d) {
		return math.NaN()
	}
	below := sort.SearchFloat64s(b, d)
	upTo := sort.Search(len(b), func(i int) bool { return b[i] > d })
	return float64(below+upTo) / float64(2*len(b))
}

// describe writes the distribution.
func (b background) describe(w io.Writer) {
	fmt.Fprintf(w, "effects of %d random substitutions nearby (log-odds, nats):", len(b))
	for i, p := range []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99} {
		sep := ","
		if i == 0 {
			sep = ""
		}
		fmt.Fprintf(w, "%s %g %%: %.4f", sep, 100*p, b[min(len(b)-1, int(p*float64(len(b))))])
	}
	fmt.Fprintln(w)
}
