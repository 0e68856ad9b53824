package ehr

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"heed/data/madeup"
	"heed/internal/cli"
)

func alertHeadsCommand() *cobra.Command {
	g := madeup.Default()
	g.Seed, g.MinGap = 77, 181
	density, patched, measured, threads := 0.3, 40, 400, 0
	var asJSON bool
	c := &cobra.Command{
		Use:   "heads MODEL",
		Short: "Say which head of an alert retrieves the drug, which is local, and what makes the AND",
		Long: `Say what the heads of an alert do, by interventions on made-up patients with more than
--min-gap days between drug and value: what each head carries (the model gets another
drug, or a normal value, and one head gets what it had before), what is left of the
AUROC without it, without what it sees of the distant past, and of the recent one; at
which token the difference that the drug makes lies after each layer; and how much of
the interaction of drug and value is lost if one part of a layer adds up what the two
bring. ` + sentence(Notice) + ".",
		Example: `  heed ehr alert heads alarm --json`,
		Args:    oneArgument("a model or the folder of a run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.Validate(); err != nil {
				return &cli.UsageError{Reason: err.Error()}
			}
			if patched < 1 || measured < 20 || !(density > 0 && density <= 20) {
				return cli.Usagef("--patched %d, --measured %d, --density %v: want 1 or more, 20 or more, and a factor up to 20", patched, measured, density)
			}
			if g.Level == 0 {
				return cli.Usagef("--level 0 has no pair that belongs together: want 1 to 5")
			}
			model, err := modelFile(args[0])
			if err != nil {
				return err
			}
			f, err := LoadFitted(model)
			if err != nil {
				return err
			}
			f.Config.Train.Cores = threads
			o, err := f.Heads(cmd.Context(), g, density, patched, measured)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(o)
			}
			return o.WriteTable(cmd.OutOrStdout())
		},
	}
	fs := c.Flags()
	fs.IntVar(&g.Level, "level", g.Level, "level of the made-up patients")
	fs.Float64Var(&g.MinGap, "min-gap", g.MinGap, "days between the two, at least")
	fs.Float64Var(&density, "density", density, "factor on the number of other events")
	fs.IntVar(&patched, "patched", patched, "patients to patch")
	fs.IntVar(&measured, "measured", measured, "patients to measure the AUROC on")
	fs.Uint64Var(&g.Seed, "data-seed", g.Seed, "seed of the patients; those of the training are another one's")
	fs.IntVar(&threads, "threads", 0, "cores to use; 0 means all")
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
