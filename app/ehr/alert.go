package ehr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"heed/explain"
	"heed/internal/cli"
)

// An alertRequest is the command line of "heed ehr alert".
type alertRequest struct {
	model, source string
	out, codes    string
	audit, key    string
	stream, safe  bool
	force, asJSON bool
	patient       int64
	one           bool // patient was given
	top, pages    int
	most          int
	threshold     float64
	version       string
}

// alertCommand is "heed ehr alert".
func alertCommand(version string) *cobra.Command {
	r := alertRequest{version: version}
	c := &cobra.Command{
		Use:   "alert MODEL [SOURCE]",
		Short: "Alerts from two events far apart, with their evidence",
		Long: `Ask a causal model after every event of every patient of a source, a folder with
events.csv or a data set in the layout of MEDS, and say where the probability comes to
the threshold. Every alert has its evidence: the events that moved it, by integrated
gradients and Shapley values, the days between the first two, what the two bring
together beyond what each brings, and the probability without either and without both.

With -o, the folder gets alerts.json and report.html, where the timelines can be seen.
With --stream, events come on the standard input, one JSON object a line with
subject_id, time (yyyy-mm-ddThh:mm:ss), code and perhaps numeric_value, in the order of
time for each subject; every line is answered by one. For each of the last
--max-patients subjects the model keeps keys and values of every layer.

--codes gives a CSV file with code, model_code, scale and offset, for records whose
codes are not those of the model: a code that ends in * stands for all that begin so.
--audit appends every prediction to a log that heed ehr audit-log verify checks.
Reports, answers and logs name subjects by pseudonyms, HMAC-SHA256 with the key of
--key, or with one that is drawn for the run; --phi-safe=false shows subject_id in
reports and answers. Logs never hold it. ` + sentence(Notice) + ".",
		Example: `  heed ehr alert alarm made-up -o alerts
  heed ehr alert alarm --stream --audit alerts.log --key site.key < events.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			want := 2
			if r.stream {
				want = 1
			}
			if len(args) != want {
				return cli.Usagef("%s takes a model and a source, or a model and --stream; got %d arguments", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.one = args[0], cmd.Flags().Changed("patient")
			if !r.stream {
				r.source = args[1]
			}
			return r.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	fs := c.Flags()
	fs.BoolVar(&r.stream, "stream", false, "answer events on the standard input")
	fs.StringVarP(&r.out, "output", "o", "", "folder for alerts.json and report.html")
	fs.BoolVar(&r.force, "force", false, "write into a folder that is not empty")
	fs.BoolVar(&r.asJSON, "json", false, "print all timelines as JSON")
	fs.StringVar(&r.codes, "codes", "", "CSV file that gives codes of the source those of the model")
	fs.StringVar(&r.audit, "audit", "", "log to append every prediction to")
	fs.StringVar(&r.key, "key", "", "file with the key of pseudonyms, 16 bytes or more")
	fs.BoolVar(&r.safe, "phi-safe", true, "name subjects by pseudonyms")
	fs.Int64Var(&r.patient, "patient", 0, "subject_id of one patient")
	fs.Float64Var(&r.threshold, "threshold", 0, "probability of an alert; 0 takes that of the model")
	fs.IntVar(&r.top, "top", 6, "events of evidence for each alert")
	fs.IntVar(&r.pages, "timelines", 5, "patients with alerts in report.html")
	fs.IntVar(&r.most, "max-patients", 10000, "patients whose state --stream keeps")
	c.AddCommand(alertTrainCommand(version), alertHeadsCommand())
	return c
}

func (r *alertRequest) run(ctx context.Context, in io.Reader, stdout io.Writer) error {
	switch {
	case r.top < 2 || r.top > explain.MaxExact:
		return cli.Usagef("--top %d: want 2 to %d", r.top, explain.MaxExact)
	case r.pages < 0 || r.pages > 50:
		return cli.Usagef("--timelines %d: want 0 to 50", r.pages)
	case !(r.threshold >= 0 && r.threshold <= 1):
		return cli.Usagef("--threshold %v: want a probability", r.threshold)
	case r.most < 1:
		return cli.Usagef("--max-patients %d: want 1 or more", r.most)
	}
	model, err := modelFile(r.model)
	if err != nil {
		return err
	}
	f, err := LoadFitted(model)
	if err != nil {
		return err
	}
	if _, err := f.newPatient(); err != nil {
		return err
	}
	if r.threshold > 0 {
		f.Threshold = r.threshold
	}
	s := &Stream{f: f, safe: r.safe, maxPatients: r.most, patients: map[string]*watched{}}
	if s.names, err = NewPseudonymizer(r.key); err != nil {
		return err
	}
	if s.model, err = fileHash(model); err != nil {
		return err
	}
	if r.codes != "" {
		if s.codes, err = ReadCodeMap(r.codes); err != nil {
			return err
		}
	}
	if r.out != "" && !r.stream {
		if err := cli.MakePrivateFolder(r.out, r.force); err != nil {
			return err
		}
	}
	if r.audit != "" {
		if s.log, err = OpenAuditLog(r.audit); err != nil {
			return err
		}
	}
	if r.stream {
		err = s.Run(in, stdout)
	} else {
		err = r.look(ctx, s, stdout)
	}
	if s.log != nil {
		if closed := s.log.Close(); err == nil {
			err = closed
		}
	}
	return err
}

func fileHash(path string) (string, error) {
	sum := sha256.New()
	if err := addFile(sum, path); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// AlertRun is what "heed ehr alert" says of a source.
type AlertRun struct {
	IntendedUse string            `json:"intended_use"`
	NotADevice  bool              `json:"not_a_device"`
	Model       string            `json:"model_sha256"`
	Threshold   float64           `json:"threshold"`
	Patients    int               `json:"patients"`
	Alerted     int               `json:"patients_with_alerts"`
	Alerts      int               `json:"alerts"`
	Days        float64           `json:"patient_days"`
	Events      int               `json:"events"`
	Unknown     int               `json:"events_unknown"`
	Timelines   []*ScoredTimeline `json:"timelines"`
}

// look asks about every patient of a source.
func (r *alertRequest) look(ctx context.Context, s *Stream, stdout io.Writer) error {
	o := &AlertRun{IntendedUse: Notice, NotADevice: true, Model: s.model, Threshold: s.f.Threshold, Timelines: []*ScoredTimeline{}}
	err := eachTimeline(r.source, s.codes, func(id int64, events []Event) error {
		if r.one && id != r.patient || len(events) == 0 {
			return ctx.Err()
		}
		subject := strconv.FormatInt(id, 10)
		pseudonym := s.names.Name(subject)
		if s.safe {
			subject = pseudonym
			s.f.veil(events)
		}
		t, err := s.f.ScoreTimeline(subject, events)
		if err != nil {
			return err
		}
		for i := range t.Alerts {
			if err := s.f.Evidence(ctx, t, &t.Alerts[i], r.top); err != nil {
				return err
			}
		}
		if s.log != nil {
			if err := s.log.Append(LogRecord{Model: s.model, Subject: pseudonym, Events: t.Events, Probability: t.Highest, Alert: len(t.Alerts) > 0}); err != nil {
				return err
			}
		}
		o.add(t)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if o.Patients == 0 {
		return cli.Usagef("no patient with events")
	}
	if r.out != "" {
		if err := writeJSONFile(filepath.Join(r.out, "alerts.json"), o); err != nil {
			return err
		}
		page := o.page(r.pages, r.version)
		if err := cli.WriteFile(filepath.Join(r.out, "report.html"), func(w io.Writer) error {
			_, err := page.WriteTo(w)
			return err
		}); err != nil {
			return err
		}
	}
	if r.asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(o)
	}
	return o.WriteText(stdout)
}

func (o *AlertRun) add(t *ScoredTimeline) {
	o.Timelines = append(o.Timelines, t)
	o.Patients++
	o.Events, o.Unknown = o.Events+t.Events, o.Unknown+t.Unknown
	o.Alerts += len(t.Alerts)
	o.Days += t.Days
	if len(t.Alerts) > 0 {
		o.Alerted++
	}
}

// WriteText writes one line for each alert.
func (o *AlertRun) WriteText(w io.Writer) error {
	for _, t := range o.Timelines {
		for _, a := range t.Alerts {
			fmt.Fprintf(w, "%s  day %.1f  p %.3f", t.Subject, a.Day, a.Probability)
			for i, e := range a.Evidence[:min(2, len(a.Evidence))] {
				fmt.Fprintf(w, "%s%s (day %.1f, p without %.3f)", []string{"  ", " + "}[i], e.Code, e.Day, e.Without)
			}
			fmt.Fprintf(w, "  %s apart, p without both %.3f\n", gapText(a.GapDays), a.WithoutBoth)
		}
	}
	_, err := fmt.Fprintf(w, "%d patients, %d with alerts; %d alerts in %.0f patient-days; %d events, %d of unknown codes; threshold %.3f\n%s\n",
		o.Patients, o.Alerted, o.Alerts, o.Days, o.Events, o.Unknown, o.Threshold, Notice)
	return err
}
