package ehr

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"heed/internal/cli"
)

func explainCommand() *cobra.Command {
	var src sourceRequest
	var out string
	var top int
	var patient string
	var names subjectNames
	var seed uint64
	c := &cobra.Command{
		Use:   "explain MODEL SOURCE",
		Short: "Say what stands behind the predictions for one patient",
		Long: `Write, as JSON, the predictions for one patient with their evidence: for each of the
strongest tokens its part of the logit by integrated gradients, the probability
without it, and the probability without the strongest 1, 2, ... together, beside as
many random ones. The patient bears a pseudonym. ` + limits + " " + Notice + ".",
		Example: `  heed ehr explain run/model.safetensors timelines --patient 12 --top 10`,
		Args:    twoArguments("a model", "a folder of timelines"),
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
			write := func(w io.Writer) error {
				e := json.NewEncoder(w)
				e.SetIndent("", "  ")
				return e.Encode(all)
			}
			if out == "" {
				return write(cmd.OutOrStdout())
			}
			if err := cli.WriteFile(out, write); err != nil {
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
	c.Flags().StringVarP(&out, "output", "o", "", "file for the explanation")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of the random removals")
	return c
}
