package ehr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heed/internal/cli"
	"heed/internal/par"
)

// An importRequest is the command line of "heed ehr import".
type importRequest struct {
	im      importer
	memory  cli.Bytes
	shares  string
	zone    string
	mapping string
	asJSON  bool
	threads int
}

func importCommand(version string) *cobra.Command {
	r := importRequest{memory: 512e6}
	c := &cobra.Command{
		Use:   "import KIND SRC -o STORE",
		Short: "Bring records of patients into one store of events",
		Long:  importLong,
		Example: `  heed ehr import omop cdm/ -o store
  heed ehr import fhir bulk.ndjson.gz -o store --zone Europe/Berlin
  heed ehr import csv labs.csv --map labs.yaml -o store --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usagef("%s needs a kind (%s) and a source", cmd.CommandPath(), strings.Join(kinds(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.im.Version = version
			return r.run(cmd.Context(), args[0], args[1], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.im.Store, "output", "o", "", "folder of the new store")
	fs.BoolVar(&r.im.Force, "force", false, "put the new store in the place of an old one")
	fs.BoolVar(&r.im.Strict, "strict", false, "stop at the first row that would be dropped")
	fs.Var(&r.memory, "mem-limit", "memory for sorting, such as 2GB; beyond it files are used")
	fs.StringVar(&r.shares, "splits", "0.8,0.1,0.1", "shares of subjects for train, tuning and held_out, where the source has no splits")
	fs.Uint64Var(&r.im.Seed, "seed", 1, "of the splits")
	fs.StringVar(&r.zone, "zone", "", "time zone of times without one in FHIR: +01:00, or a name such as Europe/Berlin (default: such events are dropped)")
	fs.StringVar(&r.mapping, "map", "", "YAML file that names the columns of a CSV file")
	fs.BoolVar(&r.asJSON, "json", false, "print the summary as JSON")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

const importLong = `Bring records of patients into one store of events, in the layout of MEDS: parquet
files with subject_id, time, code, numeric_value and text_value, sorted by subject and
time, with codes, splits and a summary below metadata.

KIND is one of
  meds     any MEDS data set
  omop     OMOP CDM 5.3 or 5.4: a folder of CSV or parquet files, or a zip of CSV
  fhir     FHIR R4: bundles (.json) and bulk exports (.ndjson), or folders of them
  mimic3   MIMIC-III: the folder with PATIENTS.csv, ADMISSIONS.csv, ...
  p12      PhysioNet 2012: the folder with set-a, set-b, set-c (or .tar.gz)
  csv      one CSV or parquet file; --map names its columns

The rows are sorted in pieces of --mem-limit, in files beside the store, so that any
amount of data can be imported. The same input gives the same bytes. The store appears
whole or not at all; an import that was cut goes on where it was when the same command
is given again (STORE.partial holds its state).

Nothing is dropped in silence: the summary, which metadata/import.json keeps, counts
rows read, kept and dropped by reason, with the place of the first of each. No value and
no identifier is ever printed. Units are kept: they end the code, as in
LOINC/2160-0//mg/dL, whose parent in codes.parquet is LOINC/2160-0.`

func kinds() []string { return []string{"meds", "omop", "fhir", "mimic3", "p12", "csv"} }

func (r *importRequest) open(kind, src string) (source, error) {
	switch kind {
	case "meds":
		return openMEDS(src)
	case "mimic3":
		return openMIMIC3(src)
	case "omop":
		return openOMOP(src)
	case "fhir":
		return openFHIR(src, r.zone)
	case "p12":
		return openP12(src)
	case "csv":
		return openCSV(src, r.mapping)
	}
	return nil, cli.Usagef("no kind %q: want one of %s", kind, strings.Join(kinds(), ", "))
}

func (r *importRequest) run(ctx context.Context, kind, src string, stdout, tell io.Writer) error {
	if r.im.Store == "" {
		return cli.Usagef("heed ehr import needs -o STORE")
	}
	var err error
	r.im.Memory = int64(r.memory)
	if r.im.Shares, err = parseShares(r.shares); err != nil {
		return cli.Usagef("--splits %s: %v", r.shares, err)
	}
	if r.threads < 0 {
		return cli.Usagef("--threads %d: want 0 or more", r.threads)
	}
	if r.im.Cores = r.threads; r.im.Cores == 0 {
		r.im.Cores = par.Cores()
	}
	r.im.Kind = kind
	r.im.Options = strings.Join([]string{r.zone, r.mapping}, "\n")
	if r.im.Source, err = r.open(kind, src); err != nil {
		return err
	}
	start, told := time.Now(), time.Now()
	r.im.Progress = func(events int64) {
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			fmt.Fprintf(tell, "read %d events, %.0f s\n", events, time.Since(start).Seconds())
		}
	}
	s, err := r.im.run(ctx)
	if errors.Is(err, context.Canceled) {
		return cli.Hint(err, "the same command goes on where this one was cut")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(tell, "%.1f s, %.2f million events per second\n", time.Since(start).Seconds(), float64(s.Events)/1e6/max(time.Since(start).Seconds(), 1e-9))
	if r.asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	return s.print(stdout)
}

func (s *Summary) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "rows read\t%d\nrows kept\t%d\nrows dropped\t%d\nevents\t%d\nsubjects\t%d\ncodes\t%d\n", s.Rows, s.Kept, s.Dropped, s.Events, s.Subjects, s.Codes)
	for _, split := range slices.Sorted(maps.Keys(s.Splits)) {
		fmt.Fprintf(&b, "%s\t%d\n", split, s.Splits[split])
	}
	fmt.Fprintf(&b, "\ntable\trows\tkept\tevents\n")
	names := slices.Sorted(maps.Keys(s.Tables))
	for _, name := range names {
		t := s.Tables[name]
		fmt.Fprintf(&b, "%s\t%d\t%d\t%d\n", name, t.Rows, t.Kept, t.Events)
	}
	head := "\ntable\twhat\treason\trows\tfirst\n"
	for _, name := range names {
		t := s.Tables[name]
		for i, m := range []map[string]Count{t.Dropped, t.Noted} {
			for _, reason := range slices.Sorted(maps.Keys(m)) {
				fmt.Fprintf(&b, "%s%s\t%s\t%s\t%d\t%s\n", head, name, [...]string{"dropped", "noted"}[i], reason, m[reason].N, m[reason].First)
				head = ""
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func parseShares(s string) (Shares, error) {
	var x [3]float64
	parts := strings.Split(s, ",")
	sum := 0.0
	for i, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if i > 2 || err != nil || !(v >= 0 && v <= 1) {
			return Shares{}, errors.New("want three shares that sum to 1, such as 0.8,0.1,0.1")
		}
		x[i] = v
		sum += v
	}
	if len(parts) != 3 || sum < 0.9999 || sum > 1.0001 {
		return Shares{}, errors.New("want three shares that sum to 1, such as 0.8,0.1,0.1")
	}
	return Shares{x[0], x[1]}, nil
}
