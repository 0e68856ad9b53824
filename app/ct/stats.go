package ct

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/internal/cli"
	"heed/radiomics"
)

// Stats is what heed ct stats measures.
type Stats struct {
	Notice   string             `json:"notice"`
	Lungs    []densityJSON      `json:"lungs,omitempty"`
	Ratio    *float64           `json:"right_by_left,omitempty"`
	Airways  float64            `json:"airways_ml,omitempty"`
	Organs   []radiomics.Organ  `json:"labels,omitempty"`
	Features map[string]float64 `json:"features,omitempty"` // by the names of pyradiomics
	Findings []string           `json:"findings"`
}

// A densityJSON has null for what is not defined.
type densityJSON struct {
	Region string   `json:"region"`
	Volume float64  `json:"volume_ml"`
	Mean   *float64 `json:"mean_hu"`
	LAA950 *float64 `json:"laa950_percent"`
	HAA    *float64 `json:"haa_percent"`
	Perc15 *float64 `json:"perc15_hu"`
}

func defined(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// LungStats measures the lungs, found by thresholds or given by a mask whose labels 1
// and 2 are right and left.
func LungStats(v *format.Volume, mask *radiomics.Mask) (*Stats, error) {
	s := &Stats{Notice: Disclaimer, Findings: []string{}}
	if mask == nil {
		l, err := radiomics.FindLungs(v)
		if err != nil {
			return nil, err
		}
		mask, s.Airways = l.Mask, l.Airways
		s.Findings = append(s.Findings, l.Findings...)
	}
	d := radiomics.Densities(v, mask)
	for _, x := range d {
		s.Lungs = append(s.Lungs, densityJSON{x.Region, x.Volume, defined(x.Mean), defined(x.LAA950), defined(x.HAA), defined(x.Perc15)})
	}
	if d[2].Volume > 0 {
		s.Ratio = defined(d[1].Volume / d[2].Volume)
	}
	s.Findings = append(s.Findings, "thirds are by height between the lowest and the highest slice of the mask; they are no lobes")
	return s, nil
}

// MaskStats measures every label of a mask and, if features is set, first order and
// shape of one label (0 means that there is only one).
func MaskStats(v *format.Volume, mask *radiomics.Mask, features bool, label int, binWidth, shift float64) (*Stats, error) {
	s := &Stats{Notice: Disclaimer, Findings: []string{}, Organs: radiomics.Organs(v, mask)}
	if len(s.Organs) == 0 {
		return nil, fmt.Errorf("the mask is empty")
	}
	if !features {
		return s, nil
	}
	if label == 0 {
		if len(s.Organs) > 1 {
			return nil, fmt.Errorf("the mask has %d labels; choose one", len(s.Organs))
		}
		label = int(s.Organs[0].Label)
	}
	if mask.Count(uint8(label)) == 0 {
		return nil, fmt.Errorf("no voxel of the mask has label %d", label)
	}
	for i, x := range v.Data {
		if x != x && mask.Data[i] == uint8(label) {
			return nil, fmt.Errorf("a voxel of label %d is NaN", label)
		}
	}
	s.Features = make(map[string]float64)
	add := func(class string, list []radiomics.Feature) {
		for _, f := range list {
			if defined(f.Value) == nil {
				s.Findings = append(s.Findings, fmt.Sprintf("%s_%s is not defined for this label", class, f.Name))
				continue
			}
			s.Features["original_"+class+"_"+f.Name] = f.Value
		}
	}
	add("firstorder", radiomics.FirstOrder(v, mask, uint8(label), binWidth, shift))
	add("shape", radiomics.Shape(mask, uint8(label)))
	return s, nil
}

func (s *Stats) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if s.Lungs != nil {
		fmt.Fprintln(t, "region\tmL\tmean HU\tLAA-950 %\tHAA %\tPerc15 HU")
		for _, d := range s.Lungs {
			fmt.Fprintf(t, "%s\t%.0f\t%s\t%s\t%s\t%s\n", d.Region, d.Volume, number(d.Mean, 1), number(d.LAA950, 2), number(d.HAA, 2), number(d.Perc15, 0))
		}
	}
	if s.Ratio != nil {
		fmt.Fprintf(t, "right by left\t%.2f\n", *s.Ratio)
	}
	if s.Organs != nil {
		fmt.Fprintln(t, "label\tvoxels\tmm³\tmean")
		for _, o := range s.Organs {
			fmt.Fprintf(t, "%d\t%d\t%.1f\t%.5f\n", o.Label, o.Voxels, o.Volume, o.Mean)
		}
	}
	for _, name := range sortedKeys(s.Features) {
		fmt.Fprintf(t, "%s\t%.9g\n", name, s.Features[name])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range s.Findings {
		fmt.Fprintf(w, "finding: %s\n", f)
	}
	_, err := fmt.Fprintln(w, Disclaimer)
	return err
}

func number(x *float64, digits int) string {
	if x == nil {
		return "NA"
	}
	return fmt.Sprintf("%.*f", digits, *x)
}

func statsCommand() *cobra.Command {
	var s Source
	var maskFile string
	var asJSON, lungs, features bool
	var label int
	binWidth, shift := 25., 0.
	c := &cobra.Command{
		Use:   "stats PATH",
		Short: "Measure lungs, organs and tumours",
		Long: `Measure a CT. Without a mask, the lungs are found by thresholds, and measured: volume,
mean, LAA-950 (share below -950 HU: emphysema), HAA (share from -600 to -250 HU: ground
glass and fibrosis), Perc15 (HU below which 15 % lie), for both lungs, right and left,
and thirds by height.

With --mask, each label gets its volume and mean. With --mask and --lungs, labels 1 and
2 of the mask are right and left lung. With --mask and --features, one label gets the
first-order and shape features of pyradiomics.`,
		Example: `  heed ct stats ct.nii.gz
  heed ct stats ct.nii.gz --mask organs.nii.gz --json
  heed ct stats image.nrrd --mask tumour.nrrd --features --label 1`,
		Args: exactly(1, "a file or a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(); err != nil {
				return err
			}
			switch {
			case features && maskFile == "":
				return cli.Usagef("--features needs --mask")
			case features && lungs:
				return cli.Usagef("--features and --lungs: want one of them")
			case label < 0 || label > 255 || label > 0 && !features:
				return cli.Usagef("--label %d: want 1 to 255, with --features", label)
			case !(binWidth > 0) || math.IsInf(binWidth, 0):
				return cli.Usagef("--bin-width %v: want a positive number", binWidth)
			case math.IsNaN(shift) || math.IsInf(shift, 0):
				return cli.Usagef("--shift %v: want a number", shift)
			}
			p, err := s.Open(args[0])
			if err != nil {
				return err
			}
			tell(cmd.ErrOrStderr(), p.Findings)
			var r *Stats
			name := args[0]
			if maskFile == "" {
				r, err = LungStats(p.Volume, nil)
			} else {
				m, merr := openMask(Source{}, maskFile, p.Volume)
				if merr != nil {
					return merr
				}
				name = maskFile
				if lungs {
					r, err = LungStats(p.Volume, m)
				} else {
					r, err = MaskStats(p.Volume, m, features, label, binWidth, shift)
				}
			}
			if err != nil {
				return unsound(name, err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			return r.write(cmd.OutOrStdout())
		},
	}
	s.flags(c.Flags())
	fs := c.Flags()
	fs.StringVar(&maskFile, "mask", "", "mask on the voxels of PATH")
	fs.BoolVar(&lungs, "lungs", false, "labels 1 and 2 of the mask are right and left lung")
	fs.BoolVar(&features, "features", false, "first-order and shape features of one label")
	fs.IntVar(&label, "label", 0, "label to measure (default the only one)")
	fs.Float64Var(&binWidth, "bin-width", binWidth, "of entropy and uniformity")
	fs.Float64Var(&shift, "shift", shift, "added to values before energies are summed, voxelArrayShift of pyradiomics")
	fs.BoolVar(&asJSON, "json", false, "print everything as JSON")
	return c
}
