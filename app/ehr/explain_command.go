package ehr

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"heed/internal/cli"
)

// explainedMost is how many predictions the page shows.
const explainedMost = 20

func explainCommand(version string) *cobra.Command {
	var src sourceRequest
	var out string
	var force bool
	var top int
	var patient string
	var names subjectNames
	var seed uint64
	c := &cobra.Command{
		Use:   "explain MODEL SOURCE",
		Short: "Say what stands behind the predictions for one patient",
		Long: `Write the predictions for one patient with their evidence: for each of the strongest
tokens its part of the logit by integrated gradients, the probability without it, and
the probability without the strongest 1, 2, ... together, beside as many random ones.
It is printed as JSON; with -o, a folder which nobody else may look into gets
explanation.json and report.html. The patient bears a pseudonym. ` + limits + " " + Notice + ".",
		Example: `  heed ehr explain run timelines --patient 12 --top 10 -o why`,
		Args:    twoArguments("a model or the folder of a run", "a folder of timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if top < 1 {
				return cli.Usagef("--top %d: want 1 or more", top)
			}
			if !cmd.Flags().Changed("patient") {
				return cli.Usagef("%s needs --patient", cmd.CommandPath())
			}
			if err := names.check(); err != nil {
				return err
			}
			f, err := src.load(args[0], args[1])
			if err != nil {
				return err
			}
			cases := src.cases
			if out != "" {
				if err := cli.MakePrivateFolder(out, force); err != nil {
					return err
				}
			}
			var all []*Explanation
			for _, i := range src.idx {
				if id := cases[i].Patient; strconv.FormatInt(id, 10) != patient && names.of(id) != patient {
					continue
				}
				x, err := f.Explain(cmd.Context(), &cases[i], top, seed)
				if err != nil {
					return err
				}
				x.Patient = names.of(cases[i].Patient)
				if names.plain {
					x.At = cases[i].At
				}
				all = append(all, x)
			}
			if len(all) == 0 {
				return cli.Usagef("--patient: no prediction for that patient")
			}
			if out == "" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(all)
			}
			if err := writeJSONFile(filepath.Join(out, "explanation.json"), all); err != nil {
				return err
			}
			page := explainedPage(all, version, explainedMost)
			if err := cli.WriteFile(filepath.Join(out, "report.html"), func(w io.Writer) error { _, err := page.WriteTo(w); return err }); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%d predictions explained; %s\n", len(all), Notice)
			return err
		},
	}
	src.flags(c.Flags())
	c.Flags().StringVar(&patient, "patient", "", "subject_id of the patient, or with --key the pseudonym")
	names.flags(c.Flags())
	c.Flags().IntVar(&top, "top", 10, "tokens to show")
	c.Flags().StringVarP(&out, "output", "o", "", "folder for explanation.json and report.html; without, JSON is printed")
	c.Flags().BoolVar(&force, "force", false, "write into a folder that is not empty")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of the random removals")
	return c
}
