package ehr

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"heed/format/meds"
	"heed/metric"
)

// Verdicts of a check.
const (
	Pass = "pass"
	Warn = "warn"
	Fail = "fail"
)

// A Check is one way in which labels leak, and what the data says about it.
type Check struct {
	Number   int    `json:"number"`
	Name     string `json:"name"`
	Verdict  string `json:"verdict"`
	Evidence string `json:"evidence"`
}

// A Probe is a model that must not be good, with its score.
type Probe struct {
	Name  string          `json:"name"`
	What  string          `json:"what"`
	AUROC metric.Interval `json:"-"`
	Score [3]float64      `json:"auroc"` // estimate, low, high; NaN is written as -1
	N     int             `json:"labels"`
	Folds []float64       `json:"folds,omitempty"` // AUROC of each fold, if there are several

	logits   []float64
	positive []bool
	subjects []int64
}

// A CodeScore is how well one code alone tells the label.
type CodeScore struct {
	Code  string  `json:"code"`
	AUROC float64 `json:"auroc"` // of whether the code was seen before the time of prediction
	With  int     `json:"-"`     // labels with the code
}

// AuditOptions tell what the data cannot.
type AuditOptions struct {
	FittedOn     []string // splits on which vocabulary, bins and normalisation were fitted; nil is not known
	SelectedOn   []string // splits by which a model or a threshold was chosen; nil is not known
	Seed         uint64
	Resamples    int  // of intervals; 0 stands for 500
	MostExamples int  // for the probes; 0 stands for 20,000
	HeldOutOnly  bool // score the probes on held_out alone, as a model is
}

// An AuditResult is what Audit found.
type AuditResult struct {
	Labels   int         `json:"labels"`
	Subjects int         `json:"subjects"`
	Positive int         `json:"-"`
	Folds    int         `json:"folds"`
	ScoredOn string      `json:"probes_scored_on"`
	Checks   []Check     `json:"checks"`
	Probes   []Probe     `json:"probes"`
	Codes    []CodeScore `json:"codes"` // the strongest
}

// Worst returns the worst verdict.
func (r *AuditResult) Worst() string {
	worst := Pass
	for _, c := range r.Checks {
		if c.Verdict == Fail || c.Verdict == Warn && worst == Pass {
			worst = c.Verdict
		}
	}
	return worst
}

// bagCodes is the number of codes that the bag of codes of the placebo knows.
const bagCodes = 100

// An example is a label with what the probes may know.
type example struct {
	subject  int64
	split    string
	positive bool
	meta     []float64
	counts   []float64
	bags     [3]map[int32]float64 // log counts by code: up to the time of prediction, a day earlier, a day later
	hour     float64
	calendar float64
	follow   float64 // µs from the prediction to the end of the record
}

// auditor reads the store once and collects evidence.
type auditor struct {
	d        *meds.Dataset
	vocab    *meds.Vocabulary
	opt      AuditOptions
	byID     map[int64][]meds.Label
	examples []example
	keep     func(subject int64) bool

	subjects, events                 int
	multi                            int // subjects with more than one label
	timed, midnight                  int
	diagnoses, atStart               int // codes of diagnoses, and those at the time of an admission
	late, lateLabels                 int // events seen before they were known, labels with such
	known                            bool
	exact, exactPositive             int // labels with an event at the very time of prediction
	splitConflict, noSplit, onlyHeld int
	posWith, negWith                 []int // labels by code
	codeSplits                       []uint8
	people, lastPerson               []int // subjects by code, and the last of them
	static                           map[int32]bool
	proxies                          map[int32]int
	hashes                           map[[32]byte]twin
	twins, twinsApart                int
	seen                             []int
	stamp                            int
	positives, negatives             int
	tried                            []Probe
}

type twin struct{ split string }

var (
	diagnosisForm = regexp.MustCompile(`(?i)^(DIAGNOSIS|ICD|DRG)|ICD(9|10)(CM)?(//|/)`)
	startForm     = regexp.MustCompile(`^((HOSPITAL_|ICU_)?ADMISSION(//|$)|VISIT_START//)`)
	futureForm    = regexp.MustCompile(`(?i)(^|[^a-z])(death|dod|discharge|expire|expired|survival|mortality|los|length_of_stay|outcome|drg|last_known)([^a-z]|$)`)
	proxyForm     = regexp.MustCompile(`(?i)(comfort|hospice|palliat|\bdnr\b|\bdni\b|do not resus|code status|end of life|withdraw.*(care|support)|morgue|autopsy|organ donat)`)
	siteForm      = regexp.MustCompile(`(?i)(^|[^a-z])(site|hospital_id|care_site|facility|centre|center|scanner|device_serial)([^a-z]|$)`)
	sexForm       = regexp.MustCompile(`^(SEX|GENDER|Gender)(//|/)`)
)

// Audit searches labels and events for the fifteen ways in which a label leaks, and
// runs the cheap models that should fail. Labels are of patients of the data set.
func Audit(ctx context.Context, d *meds.Dataset, labels []meds.Label, opt AuditOptions) (*AuditResult, error) {
	a := newAuditor(labels, opt)
	a.d = d
	for _, f := range d.Files {
		if err := a.file(ctx, f); err != nil {
			return nil, err
		}
	}
	return a.result(labels)
}

func newAuditor(labels []meds.Label, opt AuditOptions) *auditor {
	if opt.Resamples == 0 {
		opt.Resamples = 500
	}
	if opt.MostExamples == 0 {
		opt.MostExamples = 20000
	}
	a := &auditor{vocab: meds.NewVocabulary(), opt: opt, byID: map[int64][]meds.Label{}, static: map[int32]bool{}, proxies: map[int32]int{}, hashes: map[[32]byte]twin{}}
	for _, l := range labels {
		a.byID[l.Subject] = append(a.byID[l.Subject], l)
		if l.Value {
			a.positives++
		} else {
			a.negatives++
		}
	}
	share := splitByHash(opt.Seed+1, Shares{Train: min(1, float64(opt.MostExamples)/float64(max(len(labels), 1)))})
	a.keep = func(id int64) bool { return share(id) == meds.Train }
	return a
}

// result is what the subjects that were seen say.
func (a *auditor) result(labels []meds.Label) (*AuditResult, error) {
	if err := a.try(); err != nil {
		return nil, err
	}
	return pooled([]*auditor{a}, labels), nil
}

// try fits the probes once everything was seen.
func (a *auditor) try() error {
	missing := 0
	for id := range a.byID {
		if !a.found(id) {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d subjects with labels have no events in the store", missing, len(a.byID))
	}
	a.tried = a.probes()
	for i := range a.examples { // which are large, and have served
		a.examples[i].bags = [3]map[int32]float64{}
	}
	return nil
}

// pooled is what the auditors of several folds found: the probes on the examples of
// all folds together, and of each check the worst verdict.
func pooled(folds []*auditor, labels []meds.Label) *AuditResult {
	a := folds[0]
	out := &AuditResult{Labels: len(labels), Subjects: len(a.byID), Positive: a.positives, Folds: len(folds), Codes: a.scan(), Probes: a.tried}
	switch {
	case !a.opt.HeldOutOnly:
		out.ScoredOn = "tuning and held_out together"
	case len(folds) > 1:
		out.ScoredOn = "the test parts of all folds together"
	default:
		out.ScoredOn = "held_out"
	}
	for i := range out.Probes {
		for _, b := range folds[1:] {
			out.Probes[i].pool(b.tried[i])
		}
		out.Probes[i].measure(a.rng(), a.opt.Resamples)
	}
	out.Checks = a.checks(out)
	worst, differs := make([]int, len(out.Checks)), make([]bool, len(out.Checks))
	for k, b := range folds[1:] {
		for i, c := range b.checks(out) {
			differs[i] = differs[i] || c.Evidence != out.Checks[i].Evidence
			if severity(c.Verdict) > severity(out.Checks[i].Verdict) {
				out.Checks[i], worst[i] = c, k+1
			}
		}
	}
	for i := range out.Checks {
		if differs[i] {
			out.Checks[i].Evidence = fmt.Sprintf("fold %d: %s", worst[i]+1, out.Checks[i].Evidence)
		}
	}
	return out
}

func severity(verdict string) int { return map[string]int{Pass: 0, Warn: 1, Fail: 2}[verdict] }

// found says whether a subject was in the store: its labels are taken away then.
func (a *auditor) found(id int64) bool { return a.byID[id] == nil }

// file reads the subjects of one file; the splits of folders are known there only.
func (a *auditor) file(ctx context.Context, f meds.File) error {
	one := *a.d
	one.Files = []meds.File{f}
	for c, err := range one.Subjects(a.vocab) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		id := c.Subject[0]
		split := a.d.SplitOf(id, f)
		if f.Split != "" && split != f.Split {
			a.splitConflict++
		}
		a.see(c, split)
	}
	return nil
}

// see looks at all events of one subject.
func (a *auditor) see(c *meds.Columns, split string) {
	a.subject(c, split)
	if id := c.Subject[0]; a.byID[id] != nil {
		a.byID[id] = nil
	}
}

func (a *auditor) grow() {
	for len(a.posWith) < a.vocab.Len() {
		a.posWith, a.negWith, a.codeSplits, a.seen = append(a.posWith, 0), append(a.negWith, 0), append(a.codeSplits, 0), append(a.seen, 0)
		a.people, a.lastPerson = append(a.people, 0), append(a.lastPerson, 0)
	}
}

func (a *auditor) subject(c *meds.Columns, split string) {
	a.grow()
	a.subjects++
	a.events += c.Len()
	a.hash(c, split)
	bit := map[string]uint8{meds.Train: 1, meds.Tuning: 2, meds.HeldOut: 4}[split]
	starts := map[int64]bool{}
	for i, code := range c.Code {
		a.codeSplits[code] |= bit
		if a.lastPerson[code] != a.subjects {
			a.people[code], a.lastPerson[code] = a.people[code]+1, a.subjects
		}
		if c.Time[i] == meds.Static {
			a.static[code] = true
			continue
		}
		name := a.vocab.Code(code)
		a.timed++
		if c.Time[i]%meds.Day == 0 && name != meds.Birth {
			a.midnight++
		}
		if startForm.MatchString(name) {
			starts[c.Time[i]] = true
		}
		a.known = a.known || len(c.Available) > 0 && c.Available[i] != meds.Static
	}
	for i, code := range c.Code {
		if c.Time[i] != meds.Static && diagnosisForm.MatchString(a.vocab.Code(code)) {
			a.diagnoses++
			if starts[c.Time[i]] {
				a.atStart++
			}
		}
	}
	labels := a.byID[c.Subject[0]]
	if len(labels) == 0 {
		return
	}
	if split == "" {
		a.noSplit++
	}
	if len(labels) > 1 {
		a.multi++
	}
	for _, l := range labels {
		a.label(c, l, split)
	}
}

// hash finds patients with equal records: the same codes and values in the same rhythm.
func (a *auditor) hash(c *meds.Columns, split string) {
	if c.Len() < 20 { // short records are alike by chance
		return
	}
	h := sha256.New()
	var b [24]byte
	first := int64(0)
	for i := range c.Len() {
		t := c.Time[i]
		if t != meds.Static {
			if first == 0 {
				first = t
			}
			t -= first
		}
		binary.LittleEndian.PutUint64(b[:], uint64(t))
		binary.LittleEndian.PutUint32(b[8:], uint32(c.Code[i]))
		binary.LittleEndian.PutUint32(b[12:], math.Float32bits(c.Value[i]))
		h.Write(b[:16])
	}
	var sum [32]byte
	h.Sum(sum[:0])
	if old, ok := a.hashes[sum]; ok {
		a.twins++
		if old.split != split {
			a.twinsApart++
		}
		return
	}
	a.hashes[sum] = twin{split}
}

// label looks at what is visible at the time of one prediction.
func (a *auditor) label(c *meds.Columns, l meds.Label, split string) {
	a.stamp++
	late, exact := 0, false
	recent, visible := 0, 0
	firstTime, lastTime, age := int64(meds.Static), int64(meds.Static), math.NaN()
	sex := 0.0
	days := map[int64]bool{}
	e := example{subject: l.Subject, split: split, positive: l.Value}
	collect := a.keep(l.Subject)
	if collect {
		for i := range e.bags {
			e.bags[i] = map[int32]float64{}
		}
	}
	for i, code := range c.Code {
		t := c.Time[i]
		if collect && t != meds.Static {
			for k, shift := range [3]int64{0, -meds.Day, meds.Day} {
				if t <= l.Time+shift {
					e.bags[k][code]++
				}
			}
		}
		if t == meds.Static {
			switch name := a.vocab.Code(code); {
			case sexForm.MatchString(name):
				sex = sexOf(name)
			case name == "Age" && c.Value[i] == c.Value[i]: // PhysioNet has no dates of birth
				age = float64(c.Value[i])
			}
			continue
		}
		if t > l.Time {
			continue
		}
		if a.vocab.Code(code) == meds.Birth {
			age = float64(l.Time-t) / (365.25 * float64(meds.Day))
			continue
		}
		if a.seen[code] != a.stamp {
			a.seen[code] = a.stamp
			if l.Value {
				a.posWith[code]++
			} else {
				a.negWith[code]++
			}
			if proxyForm.MatchString(a.vocab.Code(code)) {
				a.proxies[code]++
			}
		}
		visible++
		if l.Time-t <= meds.Day {
			recent++
		}
		days[t/meds.Day] = true
		if firstTime == meds.Static {
			firstTime = t
		}
		lastTime = t
		exact = exact || t == l.Time
		if len(c.Available) > 0 && c.Available[i] > l.Time {
			late++
		}
	}
	if late > 0 {
		a.late += late
		a.lateLabels++
	}
	if exact {
		a.exact++
		if l.Value {
			a.exactPositive++
		}
	}
	if !collect {
		return
	}
	a.finish(&e, c, l, age, sex, visible, recent, len(days), firstTime, lastTime)
}

// sexOf returns 1 for codes that end in F, female or 0 (PhysioNet), -1 for M, male, 1.
func sexOf(code string) float64 {
	last := strings.ToLower(code[strings.LastIndexByte(code, '/')+1:])
	switch {
	case strings.HasPrefix(last, "f") || last == "0":
		return 1
	case strings.HasPrefix(last, "m") || last == "1":
		return -1
	}
	return 0
}

func (a *auditor) finish(e *example, c *meds.Columns, l meds.Label, age, sex float64, visible, recent, days int, firstTime, lastTime int64) {
	clock := meds.Clock(l.Time)
	e.hour = float64(clock.Hour()) + float64(clock.Minute())/60
	angle := e.hour / 24 * 2 * math.Pi
	e.calendar = float64(l.Time)
	e.follow = float64(c.Time[c.Len()-1] - l.Time)
	unknown := 0.0
	if math.IsNaN(age) {
		age, unknown = 60, 1
	}
	week := float64(clock.Weekday())
	weekend := 0.0
	if week == 0 || week == 6 {
		weekend = 1
	}
	e.meta = []float64{age, age * age / 100, unknown, sex, math.Sin(angle), math.Cos(angle), weekend, float64(clock.Month()), e.calendar / (365 * float64(meds.Day))}
	span, gap := 0.0, 0.0
	if visible > 0 {
		span = math.Log1p(float64(lastTime-firstTime) / float64(meds.Hour))
		gap = math.Log1p(float64(l.Time-lastTime) / float64(meds.Hour))
	}
	e.counts = []float64{math.Log1p(float64(visible)), math.Log1p(float64(recent)), math.Log1p(float64(days)), span, gap}
	for _, bag := range e.bags {
		for code, n := range bag {
			bag[code] = math.Log1p(n)
		}
	}
	a.examples = append(a.examples, *e)
}

// scan returns how well each code that enough labels have tells the label alone.
func (a *auditor) scan() []CodeScore {
	var out []CodeScore
	for code := range a.posWith {
		with := a.posWith[code] + a.negWith[code]
		if with < smallCell || a.people[code] < smallCell || a.positives == 0 || a.negatives == 0 {
			continue
		}
		tpr, fpr := float64(a.posWith[code])/float64(a.positives), float64(a.negWith[code])/float64(a.negatives)
		out = append(out, CodeScore{a.vocab.Code(int32(code)), (1 + tpr - fpr) / 2, with})
	}
	slices.SortFunc(out, func(x, y CodeScore) int {
		dx, dy := math.Abs(x.AUROC-0.5), math.Abs(y.AUROC-0.5)
		switch {
		case dx > dy:
			return -1
		case dx < dy:
			return 1
		case x.Code < y.Code:
			return -1
		}
		return 1
	})
	return out[:min(len(out), 10)]
}

func (a *auditor) rng() *rand.Rand { return rand.New(rand.NewPCG(a.opt.Seed, 0x61756469)) }
