package ehr

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"heed/data/madeup"
	"heed/internal/cli"
)

func generateCommand() *cobra.Command {
	g := madeup.Default()
	var out string
	var force bool
	c := &cobra.Command{
		Use:   "generate",
		Short: "Make up timelines whose outcome is a relation between two events far apart",
		Long: `Make up timelines of patients: visits at irregular times over two to three years,
conditions that come again, drugs and laboratory values. Whether there is an outcome
depends on how one drug and one abnormal value belong together, not on what there is:
every class of drug and every analyte is equally frequent with and without it, so that
models that add up codes or values stay at chance (but for level 0, the control).

  --level 0   presence: one drug and one abnormal analyte; adding up solves it
  --level 1   the abnormal analyte is the one that belongs to the drug
  --level 2   and the drug comes first
  --level 3   and it was not stopped in between
  --level 4   and abnormal means: unlike the patient's own earlier values
  --level 5   and there are other drugs and abnormal values that do not belong together

The folder gets events.csv and labels.csv for heed ehr train (six tenths of the
patients to train on, two to tune, two held out), truth.csv (the two events and their
gap), and generation.json. Nothing in it is about a real person.`,
		Example: `  heed ehr generate --level 2 --patients 4000 -o made-up
  heed ehr train made-up --windows none --time both -o run`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("%s takes no arguments", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return cli.Usagef("%s needs -o FOLDER", cmd.CommandPath())
			}
			if err := g.Validate(); err != nil {
				return &cli.UsageError{Reason: err.Error()}
			}
			if err := cli.MakePrivateFolder(out, force); err != nil {
				return err
			}
			return writeGeneration(out, &g)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&out, "output", "o", "", "folder for the timelines")
	fs.BoolVar(&force, "force", false, "write into a folder that is not empty")
	fs.IntVar(&g.Level, "level", g.Level, "what the outcome depends on, 0 to 5")
	fs.IntVar(&g.Patients, "patients", g.Patients, "number of patients")
	fs.Float64Var(&g.Noise, "noise", g.Noise, "share of labels that are wrong")
	fs.Float64Var(&g.MinGap, "min-gap", g.MinGap, "days between the two events, at least")
	fs.Float64Var(&g.MaxGap, "max-gap", g.MaxGap, "days between the two events, at most 730")
	fs.Float64Var(&g.Density, "density", g.Density, "factor on the number of other events")
	fs.Uint64Var(&g.Seed, "seed", g.Seed, "seed of everything random")
	return c
}

// split returns the part of a patient: two tenths to tune, two held out. Blocks of
// patients that have every kind go to one part.
func split(g *madeup.Generation, id int64) string {
	switch block := (id - 1) / int64(2*len(g.Kinds())); block % 5 {
	case 3:
		return "tuning"
	case 4:
		return "held_out"
	}
	return "train"
}

func writeGeneration(folder string, g *madeup.Generation) error {
	if err := writeJSONFile(filepath.Join(folder, "generation.json"), g); err != nil {
		return err
	}
	// Three passes over patients that are made anew each time, so that memory does
	// not grow with their number.
	each := func(name, header string, row func(b *bufio.Writer, s *madeup.Patient)) error {
		return cli.WriteFile(filepath.Join(folder, name), func(w io.Writer) error {
			b := bufio.NewWriter(w)
			b.WriteString(header + "\n")
			for id := range g.Patients {
				row(b, g.Generate(int64(id+1)))
			}
			return b.Flush()
		})
	}
	if err := each("events.csv", "subject_id,time,code,numeric_value", writeEvents); err != nil {
		return err
	}
	if err := each("labels.csv", "subject_id,prediction_time,boolean_value,split,group_kind,group_gap", func(b *bufio.Writer, s *madeup.Patient) {
		fmt.Fprintf(b, "%d,%s,%t,%s,%s,%s\n", s.ID, s.Predict.Format(clock), s.Positive, split(g, s.ID), s.Kind, madeup.GapBin(s.Gap))
	}); err != nil {
		return err
	}
	return each("truth.csv", "subject_id,kind,gap_days,events_between,drug,drug_time,analyte,analyte_time", func(b *bufio.Writer, s *madeup.Patient) {
		drug, lab := s.Events[s.Drug], s.Events[s.Lab]
		fmt.Fprintf(b, "%d,%s,%.2f,%d,%s,%s,%s,%s\n", s.ID, s.Kind, s.Gap, s.Between, drug.Code, drug.At.Format(clock), lab.Code, lab.At.Format(clock))
	})
}

func writeEvents(b *bufio.Writer, s *madeup.Patient) {
	fmt.Fprintf(b, "%d,,GENDER//%s,\n%d,%s,MEDS_BIRTH,\n", s.ID, s.Sex, s.ID, s.Birth.Format(clock))
	for _, e := range s.Events {
		value := ""
		if e.Value == e.Value {
			value = strconv.FormatFloat(e.Value, 'f', 3, 64)
		}
		fmt.Fprintf(b, "%d,%s,%s,%s\n", s.ID, e.At.Format(clock), e.Code, value)
	}
}
